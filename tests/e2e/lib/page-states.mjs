// Every state of the viewer page, and what it takes to see it there.

import { participant } from './page-relay.mjs';
import { until } from './waiting.mjs';

const refusing = (refusal) => (relay) => {
  relay.onJoin = (socket) => socket.emit('error', refusal);
};

const refusingToken = (relay) => {
  relay.admit = ({ token }) => {
    if (token === 'right') return undefined;
    const code = token === undefined ? 'token_required' : 'token_wrong';
    return Object.assign(new Error('This relay requires a token, and yours is missing or wrong'), { data: { code } });
  };
};

const PEOPLE = [
  participant('ada', 'Ada Lovelace', { avatar_url: '/avatar.png' }),
  participant('grace', 'Grace Hopper', { avatar_url: '/not-there.png' }),
  participant('kim', '김민지'),
  participant('hall', 'Conference room on the second floor, north side', { hasVideo: true }),
];

const populated = (relay) => {
  relay.participants = PEOPLE;
};

const tilesStand = (page) => until('the tiles', 5_000, () => page.evaluate(() => document.querySelectorAll('.tile').length === 4));

/** A state: its name, how the relay behaves, what the user and others do, and the key of the words that must be seen
 *  (none where there is nothing wrong). */
export const STATES = [
  { name: 'joining', relay: (relay) => (relay.onJoin = () => {}), words: 'joining.title' },
  { name: 'empty', words: 'empty.title' },
  { name: 'token-needed', relay: refusingToken, words: 'token-needed.title' },
  {
    name: 'token-wrong',
    relay: refusingToken,
    act: async (page) => {
      await until('the form', 5_000, () => page.isVisible('#token'));
      await page.fill('#token', 'wrong');
      await page.press('#token', 'Enter');
    },
    words: 'token-wrong.title',
  },
  { name: 'full', relay: refusing({ code: 'room_full', message: 'The room holds its limit of 256 participants' }), words: 'full.title' },
  {
    name: 'relay-full',
    relay: (relay) => (relay.refusal = { code: 'relay_full', error: 'this relay has as many sessions as it takes; try again when somebody has left' }),
    words: 'relay-full.title',
  },
  { name: 'busy', relay: refusing({ code: 'room_full', message: 'This relay carries its limit of 64 rooms' }), words: 'busy.title' },
  { name: 'room', relay: refusing({ code: 'bad_request', message: 'The room needs a name of 1 to 128 bytes' }), words: 'room.title' },
  { name: 'refused', relay: refusing({ message: 'Only the second floor may join on Tuesdays' }), words: 'refused.title' },
  {
    name: 'kicked',
    relay: (relay) => {
      populated(relay);
      relay.onJoin = (socket) => {
        relay.welcome(socket);
        socket.emit('error', { code: 'user_taken', message: 'Another connection has logged in as the same user' });
        socket.disconnect(true);
      };
    },
    words: 'kicked.title',
  },
  {
    name: 'ended',
    relay: populated,
    act: async (page, relay) => {
      await tilesStand(page);
      relay.emit('room-ended');
    },
    words: 'ended.title',
  },
  { name: 'away', relay: (relay) => (relay.onJoin = (socket) => socket.conn.close()), words: 'away.title' },
  {
    name: 'away-with-tiles',
    relay: (relay) => {
      populated(relay);
      relay.onJoin = (socket) => {
        if (relay.joins === 1) relay.welcome(socket);
        else socket.conn.close();
      };
    },
    act: async (page, relay) => {
      await tilesStand(page);
      relay.cut();
    },
    words: 'away.title',
  },
  { name: 'no-media-source', script: 'delete window.MediaSource; delete window.ManagedMediaSource;', words: 'no-media-source.title' },
  { name: 'no-webrtc', query: '?protocol=mesh', script: 'delete window.RTCPeerConnection;', words: 'no-webrtc.title' },
  {
    name: 'empty-mesh',
    query: '?protocol=mesh',
    words: 'empty.title',
  },
  {
    // Nobody answers the page's offer.
    name: 'unanswered',
    query: '?protocol=mesh',
    relay: (relay) => {
      relay.users = [{ sid: 'hall', username: 'Conference room on the second floor, north side' }, { sid: 'kim', username: '김민지' }];
    },
    act: async (page, relay) => {
      await until('the tiles', 5_000, () => page.evaluate(() => document.querySelectorAll('.tile').length === 2));
      relay.emit('video-toggled', { sid: 'kim', enabled: false });
      relay.emit('audio-toggled', { sid: 'kim', enabled: false });
    },
    words: 'tile.unanswered',
    values: { name: '김민지' },
  },
  {
    name: 'tiles',
    relay: populated,
    act: async (page, relay) => {
      await tilesStand(page);
      relay.emit('mic-state-changed', { userId: 'grace', isMuted: true });
      relay.emit('speaking-start', { userId: 'kim' });
      relay.emit('media-chunk', { userId: 'hall', chunk: Buffer.alloc(100), mimeType: 'video/mp4; codecs="avc1.42E01E, mp4a.40.2"', timestamp: Date.now() });
      await until('the problem', 5_000, () => page.isVisible('[data-user=hall] .problem'));
    },
    words: 'tile.unplayable',
  },
  {
    name: 'pinned',
    relay: populated,
    act: async (page, relay) => {
      await tilesStand(page);
      relay.emit('speaking-start', { userId: 'kim' });
      await page.hover('[data-user=kim]');
      await page.click('[data-user=kim] [data-part=pin]');
      await page.click('#sound');
    },
  },
  {
    name: 'chat',
    relay: populated,
    act: async (page, relay) => {
      await tilesStand(page);
      await page.click('#chat-button');
      relay.emit('chat-message', { userId: 'ada', username: 'Ada Lovelace', message: 'Can everybody see the whiteboard?', timestamp: 1.7e12 });
      relay.emit('chat-message', { userId: 'kim', username: '김민지', message: '네, 잘 보여요 👍', timestamp: 1.7e12 + 20_000 });
      await page.fill('#chat [name=username]', 'Mo');
      await page.fill('#chat [name=message]', 'A bit more light, please.');
      await page.click('#chat [type=submit]');
      await until('three messages', 5_000, () => page.evaluate(() => document.querySelectorAll('#chat li').length === 3));
    },
  },
];

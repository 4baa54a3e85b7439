// The viewer: wires the server's events to tiles, and the page's few controls.

import { keepToken, protocolOf, roomOf, takeToken, userOf } from './address.js';
import { Announcer } from './announcer.js';
import { Chat } from './chat.js';
import { ChunkPlayer } from './chunk-player.js';
import { Connection } from './connection.js';
import { meshDialect } from './mesh-dialect.js';
import { noomDialect } from './noom-dialect.js';
import { Notice } from './notice.js';
import { Peers } from './peers.js';
import { People } from './people.js';
import { relayDialect } from './relay-dialect.js';
import { MediaSourceHere } from './sink.js';
import { Sound } from './sound.js';
import { Stage } from './stage.js';
import { StreamPlayer } from './stream-player.js';
import { label, language, say } from './words.js';

/** How often players are steered (milliseconds). */
const TICK = 100;
/** How often shown statistics change (milliseconds). */
const STATS_TICK = 500;
/** How long something stays that the relay has refused to somebody in the room (milliseconds). */
const NOTICE_TIME = 6000;

const $ = (id) => document.getElementById(id);

document.documentElement.lang = language;
label(document);

const room = roomOf(location);
const protocol = protocolOf(location);
const dialect = { relay: relayDialect, mesh: meshDialect, noom: noomDialect(say('other')) }[protocol];
/** Whether media come straight from those who send, instead of through the relay. */
const overWebRtc = dialect.offersTo !== null;
/** What this browser lacks, or null. */
const lack = overWebRtc
  ? globalThis.RTCPeerConnection ? null : { kind: 'no-webrtc' }
  : MediaSourceHere ? null : { kind: 'no-media-source' };
const userId = userOf(location) || `viewer-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
const token = takeToken();
let statsShown = false;

const announcer = new Announcer($('news'));
const announce = (news) => announcer.tell(news);
const sound = new Sound($('sound'), () => people.tiles.forEach((tile) => tile.soundChanged()));

const people = new People(userId, {
  player: (video, events) => (overWebRtc ? new StreamPlayer(video, events) : new ChunkPlayer(video, events)),
  sound: () => sound.on,
  blocked: (blocked) => sound.showBlocked(blocked),
  requestKeyframe: (who) => connection.send(dialect.requestKeyframe(who)),
  togglePin: (who) => {
    stage.togglePin(who);
    const name = people.tiles.get(stage.pinned)?.name;
    announce(name ? say('news.pinned', { name }) : say('news.unpinned'));
  },
  resized: () => stage.arrange(),
  added: (tile) => $('grid').append(tile.element),
  changed: arrange,
  announce,
});
const stage = new Stage($('grid'), people.tiles);

const peers = overWebRtc && !lack ? new Peers(dialect, {
  send: (to, signal) => connection.send(dialect.signal(to, signal)),
  media: (from, stream, figures) => people.handlers.media({ userId: from, stream, figures }),
  problem: (who, problem) => people.handlers.problem({ userId: who, problem }),
  chat: (from, message) => chat.received({ username: people.tiles.get(from)?.name, message }),
}) : null;

const connection = new Connection(
  dialect,
  { room, userId, username: say('viewer'), token },
  {
    ...people.handlers,
    'room-state': (state) => {
      showTitle(state.title || room);
      people.handlers['room-state'](state);
      peers?.begin(state.participants);
    },
    'user-joined': (participant) => {
      people.handlers['user-joined'](participant);
      peers?.came(participant);
    },
    'user-left': (participant) => {
      peers?.left(participant.userId);
      people.handlers['user-left'](participant);
    },
    introduced: (participant) => people.handlers['user-joined'](participant),
    'ice-servers': ({ iceServers }) => peers?.setIceServers(iceServers),
    signal: (signal) => peers?.take(signal),
    'chat-message': (message) => chat.received(message),
    condition: (condition) => {
      if (condition.kind === 'token-wrong') keepToken(null);
      arrange();
    },
    notice: ({ message }) => showNotice(message),
  },
);

const notice = new Notice({
  room,
  tryNow: () => connection.join(),
  offerToken: (offered) => {
    keepToken(offered);
    connection.joinWithToken(offered);
  },
  announce,
});

const chat = new Chat({
  send: (message, username) => {
    if (dialect.chat === null) return peers?.say(message) ?? false;
    if (connection.joined) connection.say(message, username);
    return connection.joined;
  },
  announce,
  resized: () => stage.arrange(),
});

/** Shows who is there, and whether this page is. */
function arrange() {
  const onAir = people.tiles.size;
  const condition = lack ?? connection.condition;
  notice.show(condition, onAir > 0);
  const inWords = !$('card').hidden;
  $('empty').hidden = condition.kind !== 'joined' || onAir > 0;
  $('people').textContent = condition.kind === 'joined' ? say('people', { onAir, watching: people.watching }) : '';
  $('grid').classList.toggle('covered', inWords);
  $('chat-button').hidden = inWords;
  $('info').hidden = inWords;
  sound.audible = !inWords && [...people.tiles.values()].some((tile) => tile.audible);
  stage.arrange();
}

function showTitle(title) {
  $('room').textContent = title;
  document.title = `${title} · roomcam`;
}

let noticeTimer;
function showNotice(message) {
  $('notice').textContent = message;
  $('notice').hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => ($('notice').hidden = true), NOTICE_TIME);
}

function toggleStats() {
  statsShown = !statsShown;
  document.body.classList.toggle('stats', statsShown);
  $('info').setAttribute('aria-pressed', statsShown);
  showStats();
}

function showStats() {
  if (!statsShown) return;
  const now = performance.now();
  for (const tile of people.tiles.values()) tile.showStats(now);
}

/** What is written into a configuration for this room. */
function showExample() {
  if (protocol !== 'relay') $('example-protocol').textContent = `protocol = "${protocol}"\n`;
  $('example-url').textContent = location.origin;
  // A TOML string is escaped as one of JSON is.
  $('example-room').textContent = JSON.stringify(room).slice(1, -1);
}

/** The command stands in the sentence, wherever the language wants it. */
function showDemoHint() {
  const [before, after] = say('empty.demo', { command: '\n' }).split('\n');
  const command = document.createElement('code');
  command.textContent = protocol === 'relay' ? 'roomcam demo' : `roomcam demo --protocol ${protocol}`;
  $('empty-demo').replaceChildren(before, command, after);
}

showTitle(room);
showDemoHint();
showExample();
$('info').addEventListener('click', toggleStats);
setInterval(() => people.tick(performance.now()), TICK);
setInterval(showStats, STATS_TICK);
arrange();
if (!lack) connection.join();

/** For tests and the curious: what every participant's tile shows, read-only but for `resetGaps`. */
window.roomcam = Object.freeze({
  room,
  userId,
  get connected() {
    return connection.joined;
  },
  get condition() {
    return connection.condition;
  },
  get sound() {
    return sound.on;
  },
  get users() {
    const now = performance.now();
    return Object.fromEntries([...people.tiles].map(([who, tile]) => [who, tile.inspect(now)]));
  },
  /** Measures `maxGapMs` anew from now on. */
  resetGaps() {
    for (const tile of people.tiles.values()) tile.player.stats.resetGap();
  },
});

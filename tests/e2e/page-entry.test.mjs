// How one gets into the viewer page: addresses, tokens, refusals that end, relays that come back, and the first click.

import assert from 'node:assert/strict';
import { PageRelay, participant } from './lib/page-relay.mjs';
import { scenario } from './lib/scene.mjs';
import { until } from './lib/waiting.mjs';

/** A page at a relay that the test speaks for. */
async function opened(scene, { path = '/room/lobby', prepare = () => {}, script = '' } = {}) {
  const { viewerUrl } = await scene.relay('embedded');
  const relay = await PageRelay.start(new URL(viewerUrl).origin);
  scene.t.after(() => relay.stop());
  prepare(relay);
  const browser = await scene.browser();
  const page = await browser.newPage();
  await browser.engine.addScript(page, script);
  await page.goto(relay.origin + path);
  return { relay, page };
}

const kindOf = (page) => page.evaluate(() => window.roomcam.condition.kind);
const becomes = (page, kind, deadlineMs = 10_000) => until(`the page to be ${kind}`, deadlineMs, async () => (await kindOf(page)) === kind);

scenario('a room of any name has its page', [''], async (scene) => {
  const rooms = [];
  const { relay, page } = await opened(scene, {
    prepare: (relay) => {
      relay.onJoin = (socket, { roomId }) => {
        rooms.push(roomId);
        relay.welcome(socket);
      };
    },
  });
  const addresses = {
    '/room/100%': '100%',
    '/room/%ED%9A%8C%EC%9D%98%EC%8B%A4': '회의실',
    '/room/a%2Fb': 'a/b',
    '/room/a/b': 'a/b',
    '/room/%3Cb%3Ex': '<b>x',
    '/room/': 'demo',
    '/': 'demo',
    '/?room=100%25': '100%',
  };
  for (const [path, room] of Object.entries(addresses)) {
    await page.goto(relay.origin + path);
    await becomes(page, 'joined');
    assert.equal(await page.textContent('h1'), room, path);
  }
  assert.deepEqual(rooms.filter((room) => room !== 'lobby'), Object.values(addresses));
});

const ASKING = (relay) => {
  relay.admit = ({ token }) =>
    token === 'right' ? undefined : Object.assign(new Error('This relay requires a token'), { data: { code: token ? 'token_wrong' : 'token_required' } });
};

scenario('a token is asked for, tried, and kept for the session only', [''], async (scene) => {
  const { relay, page } = await opened(scene, { prepare: ASKING });
  await becomes(page, 'token-needed');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'token');
  await page.fill('#token', 'wrong');
  await page.press('#token', 'Enter');
  await becomes(page, 'token-wrong');
  assert.equal(await page.evaluate(() => sessionStorage.length), 0, 'a wrong token is forgotten');
  await page.fill('#token', ' right ');
  await page.click('#token-form .primary');
  await becomes(page, 'joined');
  await page.reload();
  await becomes(page, 'joined');
  assert.equal(await page.evaluate(() => localStorage.length), 0);

  // Another tab knows nothing of it.
  const other = await page.context().newPage();
  await other.goto(`${relay.origin}/room/lobby`);
  await becomes(other, 'token-needed');
});

scenario('a token in the address opens the room and leaves the address', [''], async (scene) => {
  const { relay, page } = await opened(scene, { path: '/room/lobby?user=mo#token=right&more=1', prepare: ASKING });
  await becomes(page, 'joined');
  assert.equal(page.url(), `${relay.origin}/room/lobby?user=mo#more=1`);
  assert.equal(await page.evaluate(() => history.length), 2, 'no entry of the history has it either');
});

scenario('a full room lets one in when somebody leaves, without a click', [''], async (scene) => {
  let full = true;
  const { page } = await opened(scene, {
    prepare: (relay) => {
      relay.onJoin = (socket) => {
        if (full) socket.emit('error', { code: 'room_full', message: 'The room holds its limit of 2 participants; try again when somebody has left' });
        else relay.welcome(socket);
      };
    },
  });
  await becomes(page, 'full');
  assert.match(await page.textContent('#card [data-part=retry]'), /Trying again/);
  full = false;
  await becomes(page, 'joined', 8_000);
});

scenario('a full relay is said to be full, and lets one in when somebody leaves', ['chromium', 'firefox'], async (scene, kind) => {
  const relay = await scene.relay('embedded', { flags: ['--max-sessions', '1'] });
  const other = await scene.participant(relay, 'other');
  const browser = await scene.browser({ kind });
  const page = await browser.newPage();
  await page.goto(`${relay.origin}/room/${scene.room}`);
  await becomes(page, 'relay-full');
  await until('the words', 3_000, () => page.evaluate(() => document.querySelector('#card h2').checkVisibility()));
  const words = (selector) => page.evaluate((of) => document.querySelector(of).textContent, selector);
  assert.equal(await words('#card h2'), 'The relay is full');
  assert.match(await words('#card [data-part=retry]'), /Trying again/);
  other.close();
  await becomes(page, 'joined', 12_000);
});

scenario('a relay that was away is found again, and the tiles stand meanwhile', [''], async (scene) => {
  const { relay, page } = await opened(scene, {
    prepare: (relay) => {
      relay.participants = [participant('ada', 'Ada')];
    },
  });
  await becomes(page, 'joined');
  await relay.vanish();
  await becomes(page, 'away');
  await until('the banner', 3_000, () => page.isVisible('#banner'));
  assert.equal(await page.isVisible('[data-user=ada]'), true);
  await relay.comeBack();
  await becomes(page, 'joined', 12_000);
  assert.equal(await page.isVisible('#banner'), false);
});

scenario('who is thrown out stays out until they want back in', [''], async (scene) => {
  const { relay, page } = await opened(scene, {
    prepare: (relay) => {
      relay.onJoin = (socket) => {
        relay.welcome(socket);
        if (relay.joins > 1) return;
        socket.emit('error', { code: 'user_taken', message: 'Another connection has logged in as the same user' });
        socket.disconnect(true);
      };
    },
  });
  await becomes(page, 'kicked');
  assert.equal(await page.evaluate(() => window.roomcam.condition.retryAt), undefined, 'two tabs would throw each other out for ever');
  assert.equal(relay.joins, 1);
  await page.click('#card [data-part=action]');
  await becomes(page, 'joined');
});

scenario('what the relay refuses to somebody in the room is told, and nobody leaves for it', [''], async (scene) => {
  const { relay, page } = await opened(scene);
  await becomes(page, 'joined');
  relay.emit('error', { message: 'A chat message may have 8192 bytes at most' });
  await until('the notice', 3_000, () => page.isVisible('#notice'));
  assert.equal(await kindOf(page), 'joined');
});

scenario('chat goes both ways, and is text whatever it is', [''], async (scene) => {
  const said = [];
  const { relay, page } = await opened(scene, {
    prepare: (relay) => {
      relay.onJoin = (socket, { username }) => {
        socket.removeAllListeners('chat-message').on('chat-message', ({ message }) => said.push([username, message]));
        relay.welcome(socket);
      };
    },
  });
  await becomes(page, 'joined');
  relay.emit('chat-message', { userId: 'a', username: 'Ada', message: '<img src=x onerror=alert(1)>', timestamp: 1.7e12 });
  await until('the badge', 3_000, () => page.isVisible('#unread'));
  await page.click('#chat-button');
  assert.equal(await page.textContent('#chat li p'), '<img src=x onerror=alert(1)>');
  await page.fill('#chat [name=username]', 'Mo');
  await page.fill('#chat [name=message]', 'Hello');
  await page.press('#chat [name=message]', 'Enter');
  await until('the message', 3_000, () => said.length === 1);
  assert.deepEqual(said, [['Mo', 'Hello']]);
  await page.press('#chat [name=message]', 'Escape');
  assert.equal(await page.isVisible('#chat'), false);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'chat-button');
});

scenario('an avatar that cannot be had, or may not be, leaves the initials', [''], async (scene) => {
  const { page } = await opened(scene, {
    prepare: (relay) => {
      relay.participants = [
        participant('good', 'Ada Lovelace', { avatar_url: '/avatar.png' }),
        participant('gone', 'Grace Hopper', { avatar_url: '/not-there.png' }),
        participant('evil', '김민지', { avatar_url: 'javascript:alert(1)' }),
      ];
    },
  });
  await until('the avatar', 5_000, () => page.isVisible('[data-user=good] .avatar img'));
  assert.equal(await page.textContent('[data-user=gone] .avatar'), 'GH');
  assert.equal(await page.textContent('[data-user=evil] .avatar'), '민지');
});

scenario('initials stand out from every colour', [''], async (scene) => {
  const { page } = await opened(scene);
  await becomes(page, 'joined');
  const ratios = await page.evaluate(() => {
    const context = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true });
    const tile = document.createElement('div');
    tile.innerHTML = '<div class="avatar"></div>';
    document.body.append(tile);
    return Array.from({ length: 72 }, (_, step) => {
      tile.style.setProperty('--hue', step * 5);
      context.fillStyle = getComputedStyle(tile.firstElementChild).backgroundColor;
      context.fillRect(0, 0, 1, 1);
      const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((value) => {
        const part = value / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 1.05 / (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05);
    });
  });
  assert.ok(Math.min(...ratios) >= 4.5, `the least contrast is ${Math.min(...ratios).toFixed(2)}`);
  assert.ok(Math.max(...ratios) < 12, 'they are colours');
});

scenario('a browser that knows the managed MediaSource only, as iPhones do, plays', [''], async (scene) => {
  const relay = await scene.relay('embedded');
  scene.agent(relay, 'agent');
  const browser = await scene.browser();
  const page = await browser.newPage();
  await browser.engine.addScript(page, 'window.ManagedMediaSource = window.MediaSource; delete window.MediaSource;');
  await page.goto(`${relay.origin}/room/${scene.room}`);
  await until('the picture', 15_000, async () => (await page.evaluate(() => window.roomcam.users.agent?.state)) === 'playing');
  assert.equal(await page.evaluate(() => document.querySelector('.tile video').disableRemotePlayback), true);
});

/** Tells the console of a page what its video does. Whatever a test asks a page counts as a click there, so it may
 *  ask nothing. */
const TELLING = `setInterval(() => {
  const video = document.querySelector('.tile video');
  if (!video) return;
  const { muted, paused, currentTime } = video;
  console.log(JSON.stringify({ muted, paused, currentTime, clicked: navigator.userActivation.hasBeenActive, asks: !document.getElementById('sound').hidden }));
}, 200);`;

scenario('where browsers want a click before sound, the page plays without, and one click brings it', [''], async (scene) => {
  const relay = await scene.relay('embedded');
  scene.agent(relay, 'agent');
  const browser = await scene.browser({ flags: ['--autoplay-policy=document-user-activation-required'] });
  const page = await browser.newPage();
  await browser.engine.addScript(page, TELLING);
  const told = [];
  page.on('console', (message) => told.push(message.text()));
  await page.goto(`${relay.origin}/room/${scene.room}`);

  const toldThat = (where) => until('the page to tell it', 15_000, () => told.flatMap(parsed).find(where));
  const silent = await toldThat(({ currentTime, paused }) => currentTime > 1 && !paused);
  assert.deepEqual([silent.muted, silent.clicked, silent.asks], [true, false, true]);

  told.length = 0;
  await page.click('#sound');
  const { currentTime } = await toldThat(({ muted, paused }) => !muted && !paused);
  await toldThat((now) => now.currentTime > currentTime + 1 && !now.muted && !now.paused);
});

scenario('where sound is refused all the same, the page goes on without, and asks again', [''], async (scene) => {
  const relay = await scene.relay('embedded');
  scene.agent(relay, 'agent');
  const browser = await scene.browser();
  const viewer = await browser.viewerPage({ relay, room: scene.room, user: 'viewer' });
  // As Safari does to a video that nobody has clicked.
  await browser.engine.addScript(
    viewer.page,
    `const play = HTMLMediaElement.prototype.play;
     HTMLMediaElement.prototype.play = function () {
       return this.muted ? play.call(this) : Promise.reject(new DOMException('not allowed', 'NotAllowedError'));
     };`,
  );
  await viewer.join();
  await viewer.frames('agent', 10);
  const { page } = viewer;
  await page.click('#sound');
  await page.evaluate(() => document.querySelector('.tile video').pause());
  await until('the page to ask again', 5_000, async () => (await page.textContent('#sound')).trim() === 'Unmute');
  await viewer.frames('agent', 20, { sinceMs: await viewer.now() });
});

function parsed(line) {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}

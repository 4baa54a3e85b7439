// The viewer page as a participant of a WebRTC meeting that only watches, at the embedded relay: picture, sound, states, and
// that it comes back by itself.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { coloursOf, framesShown, soundOf } from './lib/browser.mjs';
import { BROWSERS } from './lib/engines.mjs';
import { assertColour } from './lib/measures.mjs';
import { ARTIFACTS, ROOMCAM } from './lib/paths.mjs';
import { Child } from './lib/processes.mjs';
import { startRelay } from './lib/relays.mjs';
import { scenario } from './lib/scene.mjs';
import { until } from './lib/waiting.mjs';

/** Only in case the machine has no network but itself. */
const FLAGS = ['--allow-loopback-in-peer-connection'];
const VIDEO = '.tile video';
const BAR = [[0.5 / 7, 0.3], [5.5 / 7, 0.3]];
const SCREENS = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const IN_BROWSERS = ['mesh', 'noom'].flatMap((protocol) => BROWSERS.map((browser) => ({ protocol, browser })));

/** A page that watches, with what it shows of the only sender. */
class Watcher {
  static async open(browser, url) {
    const page = await browser.probedPage();
    await page.goto(url);
    return new Watcher(browser, page);
  }

  constructor(browser, page) {
    this.kind = browser.engine.kind;
    this.page = page;
  }

  now() {
    return this.page.evaluate(() => performance.now());
  }

  frames(count, options) {
    return framesShown(this.page, VIDEO, count, { deadlineMs: 20_000, ...options });
  }

  /** What the page says of the only sender; undefined if there is none, or are more. */
  async sender() {
    const senders = await this.page.evaluate(() => Object.values(window.roomcam.users));
    return senders.length === 1 ? senders[0] : undefined;
  }

  /** Resolves when the only sender is as described. */
  shows(wanted, deadlineMs = 10_000) {
    return until(JSON.stringify(wanted), deadlineMs, async () => {
      const sender = await this.sender();
      return sender && Object.entries(wanted).every(([key, value]) => sender[key] === value) ? sender : undefined;
    });
  }

  says(text, deadlineMs = 15_000) {
    const seen = (wanted) =>
      [...document.querySelectorAll('h2, strong')].some((each) => each.textContent === wanted && each.checkVisibility());
    return until(`"${text}"`, deadlineMs, () => this.page.evaluate(seen, text));
  }

  /** Resolves when the tone of the test picture is heard. */
  async hears() {
    // Firefox plays nothing that could be listened to where there is no sound card; that packets come, it tells.
    if (this.kind === 'firefox') {
      const arrives = (css) => document.querySelector(css).srcObject?.getAudioTracks().some((track) => !track.muted);
      await until('sound', 10_000, () => this.page.evaluate(arrives, VIDEO));
      return;
    }
    await until('the tone', 10_000, async () => {
      const { levelDb, peakHz } = (await soundOf(this.page, VIDEO)) ?? {};
      return levelDb > -40 && Math.abs(peakHz - 440) < 12;
    });
  }
}

const pageOf = (relay, room, protocol = 'mesh') => `${relay.origin}/?room=${room}&protocol=${protocol}`;
const agentIn = (scene, relay, protocol = 'mesh', options = {}) =>
  scene.agent(relay, 'agent', { ...options, meeting: { protocol, ...options.meeting } });

scenario('one command shows a picture and a tone over WebRTC', IN_BROWSERS, async (scene, { protocol, browser: kind }) => {
  mkdirSync(ARTIFACTS, { recursive: true });
  const demo = scene.owns(new Child('roomcam demo', ROOMCAM, ['demo', '--listen', '127.0.0.1:0', '--protocol', protocol]));
  const [url] = await demo.line(/http:\/\/[^\s"]+/);
  const browser = await scene.browser({ kind, flags: FLAGS });
  const watcher = await Watcher.open(browser, url);
  const report = await watcher.frames(30);
  // A busy machine makes it smaller.
  assert.equal(report.width / report.height, 640 / 480);
  const [white, red] = await coloursOf(watcher.page, VIDEO, BAR);
  assertColour(white, [255, 255, 255], 'the first bar');
  assertColour(red, [255, 0, 0], 'the sixth bar');
  await watcher.shows({ state: 'playing', muted: false });

  // It is silent until it is clicked.
  assert.equal(await watcher.page.evaluate((css) => document.querySelector(css).muted, VIDEO), true);
  await watcher.page.click('#sound');
  await watcher.hears();
  assert.equal(await watcher.page.evaluate((css) => document.querySelector(css).muted, VIDEO), false);

  await watcher.page.click('#info');
  for (const [screen, size] of Object.entries(SCREENS)) {
    await (watcher.page.setViewportSize ?? watcher.page.setViewport).call(watcher.page, size);
    await watcher.frames(30, { sinceMs: await watcher.now() });
    await watcher.page.screenshot({ path: join(ARTIFACTS, `page-${protocol}-${kind}-${screen}.png`) });
  }
});

scenario('the page shows what the camera and the microphone do', BROWSERS, async (scene, kind) => {
  mkdirSync(ARTIFACTS, { recursive: true });
  const relay = await scene.relay('embedded');
  const { control } = agentIn(scene, relay);
  const browser = await scene.browser({ kind, flags: FLAGS });
  const watcher = await Watcher.open(browser, pageOf(relay, scene.room));
  await watcher.frames(10);

  await control.camera(false);
  await control.mic(true);
  await watcher.shows({ state: 'avatar', muted: true });
  await watcher.page.screenshot({ path: join(ARTIFACTS, `page-mesh-${kind}-off.png`) });
  // Black goes on, and is no picture.
  await watcher.frames(2, { sinceMs: await watcher.now() });
  await watcher.shows({ state: 'avatar', muted: true });

  // Whoever comes now is told.
  const second = await Watcher.open(browser, pageOf(relay, scene.room));
  await second.shows({ state: 'avatar', muted: true });

  await control.camera(true);
  await control.mic(false);
  for (const each of [watcher, second]) {
    await each.frames(10, { sinceMs: await each.now() });
    await each.shows({ state: 'playing', muted: false });
  }
});

scenario('a second viewer comes and goes, and the first sees nothing of it', BROWSERS, async (scene, kind) => {
  const relay = await scene.relay('embedded');
  const { control } = agentIn(scene, relay);
  const browser = await scene.browser({ kind, flags: FLAGS });
  const first = await Watcher.open(browser, pageOf(relay, scene.room));
  await first.frames(10);
  const second = await Watcher.open(browser, pageOf(relay, scene.room));
  await second.frames(10);
  await first.frames(30, { sinceMs: await first.now() });
  // Those who only watch have no connection to each other, and no tile.
  await first.shows({ state: 'playing' });
  assert.match(await first.page.evaluate(() => document.getElementById('people').textContent), /1.*2/);
  // A page that is too busy to take all pictures gets fewer.
  const delivered = async () => (await control.status()).participants.filter(({ media }) => ['connected', 'fewer-pictures'].includes(media));
  assert.equal((await delivered()).length, 2);
  await second.page.close();
  await until('the second to be gone', 5_000, async () => (await delivered()).length === 1);
  await first.frames(10, { sinceMs: await first.now() });
});

scenario('what people write gets to the device, and its answer to the page', ['mesh', 'noom'], async (scene, protocol) => {
  const relay = await scene.relay('embedded');
  const { control } = agentIn(scene, relay, protocol);
  const browser = await scene.browser({ flags: FLAGS });
  const watcher = await Watcher.open(browser, pageOf(relay, scene.room, protocol));
  await watcher.frames(10);
  const { page } = watcher;
  await page.click('#chat-button');
  await page.fill('#chat [name=username]', 'Ann');
  await page.fill('#chat [name=message]', 'can you hear me?');
  await page.click('#chat [type=submit]');
  const written = await until('the line', 3_000, async () => (await control.status()).chat[0]);
  assert.equal(written.text, 'can you hear me?');
  // Between two, nobody says a name.
  if (protocol === 'mesh') assert.equal(written.from, 'Ann');

  assert.equal((await control.ask('POST', '/v1/say', { text: 'yes, we can' })).status, 200);
  const lines = () => page.evaluate(() => [...document.querySelectorAll('#chat li p')].map((line) => line.textContent));
  await until('the answer', 3_000, async () => (await lines()).includes('yes, we can'));
  assert.deepEqual(await lines(), ['can you hear me?', 'yes, we can'], 'each once');
});

const DEPLOYED = ['both', 'newcomer', 'existing'].flatMap((offers) => ['page first', 'watcher first'].map((order) => ({ offers, order })));
scenario('pages as they are deployed meet the device and this page, whoever offers', DEPLOYED, async (scene, { offers, order }) => {
  const relay = await scene.relay('embedded');
  agentIn(scene, relay);
  const browser = await scene.browser({ flags: FLAGS });
  const deployed = await browser.newPage();
  await deployed.goto(`${browser.pages}/mesh.html?offers=${offers}`);
  const join = () => deployed.evaluate(([origin, room]) => window.participant.join(origin, room, 'Ann'), [relay.origin, scene.room]);
  if (order === 'page first') await join();
  const watcher = await Watcher.open(browser, pageOf(relay, scene.room));
  await watcher.frames(5);
  if (order === 'watcher first') await join();
  await until('both senders on the page', 20_000, async () => {
    const users = Object.values(await watcher.page.evaluate(() => window.roomcam.users));
    return users.length === 2 && users.every(({ state }) => state === 'playing');
  });
  await framesShown(deployed, 'video', 5);
});

const ORDERS = ['mesh', 'noom'].map((protocol) => ({ protocol, order: 'viewer first' }));
scenario('the page waits for a camera, and sees it come, go and come back', ORDERS, async (scene, { protocol }) => {
  const relay = await scene.relay('embedded');
  const browser = await scene.browser({ flags: FLAGS });
  const watcher = await Watcher.open(browser, pageOf(relay, scene.room, protocol));
  await watcher.says('Nobody is on air yet');
  const first = agentIn(scene, relay, protocol);
  await watcher.frames(10);
  await first.stop();
  await watcher.says('Nobody is on air yet');
  const sinceMs = await watcher.now();
  agentIn(scene, relay, protocol);
  await watcher.frames(10, { sinceMs });
});

scenario('a relay that was killed and is back has everybody back', ['chromium'], async (scene) => {
  mkdirSync(ARTIFACTS, { recursive: true });
  const relay = await scene.relay('embedded');
  agentIn(scene, relay);
  const browser = await scene.browser({ flags: FLAGS });
  const watcher = await Watcher.open(browser, pageOf(relay, scene.room));
  await watcher.frames(10);
  await relay.kill();
  await watcher.says('The relay cannot be reached');
  await watcher.page.screenshot({ path: join(ARTIFACTS, 'page-mesh-away.png') });
  const again = await startRelay('embedded', { port: relay.port });
  scene.owns(again.child);
  await until('the page to be back', 15_000, () => watcher.page.evaluate(() => window.roomcam.connected));
  const sinceMs = await watcher.now();
  await watcher.frames(30, { sinceMs });
  // It has another socket id now, and is one sender all the same.
  await watcher.shows({ state: 'playing' });
});

scenario('a room for two tells the third so, and lets it in when there is room', ['noom'], async (scene, protocol) => {
  const relay = await scene.relay('embedded');
  agentIn(scene, relay, protocol);
  const browser = await scene.browser({ flags: FLAGS });
  const first = await Watcher.open(browser, pageOf(relay, scene.room, protocol));
  await first.frames(10);
  const second = await Watcher.open(browser, pageOf(relay, scene.room, protocol));
  await second.says('The room is full');
  await first.frames(10, { sinceMs: await first.now() });
  await first.page.close();
  await second.frames(10, { deadlineMs: 30_000 });
});

scenario('an agent that has enough viewers is said not to answer, and asked again', ['mesh'], async (scene) => {
  mkdirSync(ARTIFACTS, { recursive: true });
  const relay = await scene.relay('embedded');
  agentIn(scene, relay, 'mesh', { meeting: { max_peers: 1 } });
  const browser = await scene.browser({ flags: FLAGS });
  const first = await Watcher.open(browser, pageOf(relay, scene.room));
  await first.frames(10);
  const second = await Watcher.open(browser, pageOf(relay, scene.room));
  await second.says('agent does not answer');
  await second.shows({ state: 'problem' });
  await second.page.screenshot({ path: join(ARTIFACTS, 'page-mesh-unanswered.png') });
  await first.page.close();
  await second.frames(10, { deadlineMs: 40_000 });
  await second.shows({ state: 'playing' });
});

scenario('a connection that cannot be made is said, and tried again until it can', ['mesh'], async (scene) => {
  const relay = await scene.relay('embedded');
  agentIn(scene, relay);
  const browser = await scene.browser({ flags: FLAGS });
  const page = await browser.probedPage();
  // As behind a firewall: nobody's candidates reach the other.
  await browser.engine.addScript(page, `
    window.firewall = true;
    const strip = ({ type, sdp }) => ({ type, sdp: window.firewall ? sdp.replace(/^a=candidate:.*\\r\\n/gm, '') : sdp });
    for (const name of ['setRemoteDescription', 'addIceCandidate']) {
      const real = RTCPeerConnection.prototype[name];
      RTCPeerConnection.prototype[name] = function (given) {
        if (name === 'setRemoteDescription') return real.call(this, strip(given));
        return window.firewall ? Promise.resolve() : real.call(this, given);
      };
    }
    Object.defineProperty(RTCPeerConnection.prototype, 'onicecandidate', {
      set(listener) {
        this.addEventListener('icecandidate', (event) => window.firewall || listener(event));
      },
    });
  `);
  await page.goto(pageOf(relay, scene.room));
  const watcher = new Watcher(browser, page);
  await watcher.says('No connection to agent');
  await page.evaluate(() => (window.firewall = false));
  await watcher.frames(10, { deadlineMs: 40_000 });
  await watcher.shows({ state: 'playing' });
});

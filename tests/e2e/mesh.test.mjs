// The agent as a participant of a WebRTC mesh, among pages that behave as deployed ones do.

import assert from 'node:assert/strict';
import { coloursOf, framesShown } from './lib/browser.mjs';
import { assertColour, quantile } from './lib/measures.mjs';
import { scenario } from './lib/scene.mjs';
import { startMeshServer } from './lib/signalling-servers.mjs';
import { observeFor, until } from './lib/waiting.mjs';

const FLAGS = ['--allow-loopback-in-peer-connection'];

/** A page in the meeting, joined before the agent or to be joined after. */
async function pageIn(scene, browser, server, { offers = 'both', sends = 'yes', name = 'viewer' } = {}) {
  const page = await browser.newPage();
  await page.goto(`${browser.pages}/mesh.html?offers=${offers}&sends=${sends}`);
  return {
    page,
    join: () => page.evaluate(([origin, room, user]) => window.participant.join(origin, room, user), [server.origin, scene.room, name]),
    state: () => page.evaluate(() => window.participant.state()),
    sound: () => page.evaluate(() => window.participant.sound()),
    colours: (points) => coloursOf(page, 'video', points),
    frames: (count, options) => framesShown(page, 'video', count, options),
    now: () => page.evaluate(() => performance.now()),
  };
}

async function meeting(scene, { kind } = {}) {
  const server = await startMeshServer();
  scene.owns(server.child);
  const browser = await scene.browser({ kind, flags: FLAGS });
  const agent = (options = {}) => scene.agent(server, 'agent', { ...options, meeting: { protocol: 'mesh', ...options.meeting } });
  return { server, browser, agent };
}

/** Resolves when so many are in the room. */
const present = (scene, server, many) =>
  until(`${many} in the room`, 10_000, async () => Object.keys(await server.users(scene.room)).length === many);

/** The tone of the test pattern, and silence. */
const hears = (page, what) => until(what, 8_000, async () => {
  const { levelDb, peakHz } = await page.sound();
  const tone = levelDb > -40 && Math.abs(peakHz - 440) < 15;
  return (what === 'a tone' ? tone : levelDb < -70) ? { levelDb, peakHz } : undefined;
}).catch(async (error) => {
  throw new Error(`${error.message}; heard: ${JSON.stringify(await page.sound())}`);
});

const BAR = [[0.5 / 7, 0.3], [5.5 / 7, 0.3]];
const shows = (page, what) => until(what, 8_000, async () => {
  const colours = await page.colours(BAR);
  if (!colours) return undefined;
  const black = colours.flat().every((value) => value < 24);
  return (what === 'black') === black ? colours : undefined;
});

const ORDERS = ['agent first', 'agent second'];
const STYLES = ['both', 'newcomer', 'existing'].flatMap((offers) => ORDERS.map((order) => ({ offers, order })));

scenario('a page sees and hears the agent, whoever offers', STYLES, async (scene, { offers, order }, t) => {
  const { server, browser, agent } = await meeting(scene);
  const page = await pageIn(scene, browser, server, { offers });
  if (order === 'agent first') {
    agent();
    await present(scene, server, 1);
  }
  await page.join();
  const joinedMs = await page.now();
  if (order === 'agent second') agent();

  const report = await page.frames(30);
  t.diagnostic(`the first picture came ${Math.round(report.frames[0][0] - joinedMs)} ms after the page had joined`);
  assert.deepEqual([report.width, report.height], [640, 480]);
  const [white, red] = await page.colours(BAR);
  assertColour(white, [255, 255, 255], 'the first bar');
  assertColour(red, [255, 0, 0], 'the sixth bar');
  await hears(page, 'a tone');
  const { tracks, heard } = await page.state();
  assert.deepEqual(new Set(tracks.map((track) => track.stream)).size, 1, 'picture and sound are one stream');
  assert.deepEqual(heard.filter(({ event }) => event === 'error'), []);
});

scenario('Firefox sees the agent and gets its sound too', ORDERS, async (scene, order) => {
  const { server, browser, agent } = await meeting(scene, { kind: 'firefox' });
  const page = await pageIn(scene, browser, server, { sends: 'no', offers: 'newcomer' });
  if (order === 'agent first') {
    agent();
    await present(scene, server, 1);
  }
  await page.join();
  if (order === 'agent second') agent();
  const report = await page.frames(30, { deadlineMs: 20_000 });
  assert.deepEqual([report.width, report.height], [640, 480]);
  const [white, red] = await page.colours(BAR);
  assertColour(white, [255, 255, 255], 'the first bar');
  assertColour(red, [255, 0, 0], 'the sixth bar');
  // Without a sound card it plays nothing that could be listened to.
  await until('sound', 5_000, async () => (await page.state()).inbound.audio?.packetsReceived > 50);
  assert.equal((await page.state()).inbound.audio.packetsLost, 0);
});

scenario('camera off is black, muted is silence, and both come back at once', ['mesh'], async (scene, _, t) => {
  const { server, browser, agent } = await meeting(scene);
  const page = await pageIn(scene, browser, server);
  await page.join();
  const { control } = agent();
  await page.frames(30);
  await hears(page, 'a tone');
  const { tracks } = await page.state();

  await control.camera(false);
  await shows(page, 'black');
  await control.mic(true);
  await hears(page, 'silence');
  const said = await server.said();
  assert.deepEqual(said.filter(([event]) => event.startsWith('toggle')).map(([event, { enabled }]) => [event, enabled]), [['toggle_video', false], ['toggle_audio', false]]);

  // What goes on while nothing is seen or heard.
  const before = await page.state();
  await observeFor(3_000);
  const after = await page.state();
  const rate = (kind) => ((after.inbound[kind].bytesReceived - before.inbound[kind].bytesReceived) * 8) / 3;
  t.diagnostic(`black ${Math.round(rate('video'))} bit/s, silence ${Math.round(rate('audio'))} bit/s of payload`);
  assert.ok(rate('video') < 30_000, `${rate('video')} bit/s`);
  assert.ok(rate('audio') < 10_000, `${rate('audio')} bit/s`);
  assert.ok(after.inbound.video.framesDecoded > before.inbound.video.framesDecoded, 'black goes on');
  const concealed = (after.inbound.audio.concealedSamples - before.inbound.audio.concealedSamples) / 48_000;
  assert.ok(concealed < 0.3, `${concealed} s of 3 s of silence are concealed`);
  await shows(page, 'black');

  await control.mic(false);
  await hears(page, 'a tone');
  await control.camera(true);
  await shows(page, 'a picture');
  assert.deepEqual((await page.state()).tracks, tracks, 'nothing was renegotiated');
});

scenario('somebody who comes while all is off sees black, and then the camera', ['mesh'], async (scene) => {
  const { server, browser, agent } = await meeting(scene);
  const page = await pageIn(scene, browser, server, { sends: 'no', offers: 'newcomer' });
  agent({ capture: { start_camera: false, start_mic: false } });
  await present(scene, server, 1);
  await page.join();
  await shows(page, 'black');
  await until('being told', 2_000, async () => (await page.state()).heard.filter(({ event }) => event.endsWith('-toggled')).length >= 2);
});

scenario('the agent leaves the room when it ends, and a new one is seen again', ['mesh'], async (scene) => {
  const { server, browser, agent } = await meeting(scene);
  const page = await pageIn(scene, browser, server);
  await page.join();
  const first = agent();
  await page.frames(5);
  await first.stop();
  await present(scene, server, 1);
  const sinceMs = await page.now();
  agent();
  await page.frames(5, { sinceMs });
});

scenario('what people write is shown, and the device answers', ['mesh'], async (scene) => {
  const { server, browser, agent } = await meeting(scene);
  const page = await pageIn(scene, browser, server, { name: 'Ann' });
  await page.join();
  const { control } = agent();
  await page.frames(5);
  await page.page.evaluate(() => window.participant.socket.emit('message', { message: 'can you hear me?' }));
  const written = await until('the line', 3_000, async () => (await control.status()).chat[0]);
  assert.deepEqual([written.from, written.text], ['Ann', 'can you hear me?']);

  const { status } = await control.ask('POST', '/v1/say', { text: 'yes, we can' });
  assert.equal(status, 200);
  const answer = await until('the answer', 3_000, async () =>
    (await page.state()).heard.find(({ event, payload }) => event === 'message' && payload.username === 'agent'));
  assert.equal(answer.payload.message, 'yes, we can');
  assert.equal((await control.status()).camera.state, 'on', 'what comes from far away is only shown');
});

scenario('whoever is one too many is told of and hurts nobody', ['mesh'], async (scene) => {
  const { server, browser, agent } = await meeting(scene);
  const first = await pageIn(scene, browser, server, { sends: 'no', name: 'first' });
  await first.join();
  const { control } = agent({ meeting: { max_peers: 1 } });
  await first.frames(5);
  const second = await pageIn(scene, browser, server, { sends: 'no', name: 'second' });
  const sinceMs = await first.now();
  await second.join();
  const media = async () => Object.fromEntries((await control.status()).participants.map((one) => [one.username, one.media]));
  await until('being told', 5_000, async () => (await media()).second === 'refused');
  await first.frames(30, { sinceMs });
  assert.deepEqual(await media(), { first: 'connected', second: 'refused' });

  // The seat that becomes free is given to whoever had none.
  await first.page.evaluate(() => window.participant.leave());
  await second.frames(5);
});

scenario('20 times off and on: nothing is seen or heard after the answer, and all is back at once', ['mesh'], async (scene, _, t) => {
  const { server, browser, agent } = await meeting(scene);
  const page = await pageIn(scene, browser, server, { sends: 'no' });
  await page.join();
  const { control } = agent();
  await page.frames(30);
  await hears(page, 'a tone');
  await page.page.evaluate(() => window.participant.observe());

  const quiet = [];
  for (let toggle = 0; toggle < 20; toggle += 1) {
    await Promise.all([control.camera(false), control.mic(true)]);
    const fromMs = await page.now();
    await observeFor(600);
    const untilMs = await page.now();
    await Promise.all([control.camera(true), control.mic(false)]);
    quiet.push({ fromMs, untilMs });
    await observeFor(900);
  }
  const { brightness, loudness } = await page.page.evaluate(() => ({ ...window.participant }));
  // What left before the answer is on its way for as long as a jitter buffer keeps it.
  const ON_ITS_WAY_MS = 250;
  const within = (list, from, to) => list.filter(([at]) => at >= from && at < to);
  const pictures = [];
  const sounds = [];
  for (const { fromMs, untilMs } of quiet) {
    const seen = within(brightness, fromMs + ON_ITS_WAY_MS, untilMs).filter(([, value]) => value > 40);
    const heard = within(loudness, fromMs + ON_ITS_WAY_MS, untilMs).filter(([, level]) => level > -60);
    assert.deepEqual({ seen, heard }, { seen: [], heard: [] });
    assert.ok(within(loudness, fromMs, untilMs).length > 10, 'it was listened to');
    pictures.push(within(brightness, untilMs, untilMs + 900).find(([, value]) => value > 40)?.[0] - untilMs);
    sounds.push(within(loudness, untilMs, untilMs + 900).find(([, level]) => level > -40)?.[0] - untilMs);
  }
  for (const [what, times] of [['picture', pictures], ['sound', sounds]]) {
    const [median, worst] = [0.5, 1].map((share) => Math.round(quantile(times, share)));
    t.diagnostic(`the ${what} was back ${median} ms (median), ${worst} ms (worst) after it was asked for`);
    assert.ok(worst < 900, `${what}: ${times}`);
  }
});

// The agent as a participant of a WebRTC mesh, among pages that behave as deployed ones do.

import assert from 'node:assert/strict';
import { assertColour } from './lib/measures.mjs';
import { BAR, hears, meeting, pageIn, present, shows } from './lib/mesh-pages.mjs';
import { scenario } from './lib/scene.mjs';
import { until } from './lib/waiting.mjs';

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
  // A busy machine makes it smaller.
  assert.equal(report.width / report.height, 640 / 480);
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
  // A busy machine makes it smaller.
  assert.equal(report.width / report.height, 640 / 480);
  const [white, red] = await page.colours(BAR);
  assertColour(white, [255, 255, 255], 'the first bar');
  assertColour(red, [255, 0, 0], 'the sixth bar');
  // Without a sound card it plays nothing that could be listened to.
  await until('sound', 5_000, async () => (await page.state()).inbound.audio?.packetsReceived > 50);
  assert.equal((await page.state()).inbound.audio.packetsLost, 0);
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

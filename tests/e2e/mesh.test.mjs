// Camera and microphone off and on in a WebRTC mesh: what a page sees and hears of it, and when.

import assert from 'node:assert/strict';
import { quantile } from './lib/measures.mjs';
import { hears, meeting, pageIn, shows } from './lib/mesh-pages.mjs';
import { scenario } from './lib/scene.mjs';
import { observeFor } from './lib/waiting.mjs';

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

const TOGGLES = 100;
/** How long camera and microphone are off, and then on, in ms: they are back before the next time. */
const OFF_MS = 500;
const ON_MS = 600;
/** What left before the answer is on its way for as long as a jitter buffer keeps it. */
const ON_ITS_WAY_MS = 250;

scenario('a hundred times off and on: nothing is seen or heard after the answer, and all is back at once', ['mesh'], { timeout: 240_000 }, async (scene, _, t) => {
  const { server, browser, agent } = await meeting(scene);
  const page = await pageIn(scene, browser, server, { sends: 'no' });
  await page.join();
  const { control } = agent();
  await page.frames(30);
  await hears(page, 'a tone');
  await page.page.evaluate(() => window.participant.observe());

  const quiet = [];
  for (let toggle = 0; toggle < TOGGLES; toggle += 1) {
    await Promise.all([control.camera(false), control.mic(true)]);
    const fromMs = await page.now();
    await observeFor(OFF_MS);
    const untilMs = await page.now();
    await Promise.all([control.camera(true), control.mic(false)]);
    quiet.push({ fromMs, untilMs });
    await observeFor(ON_MS);
  }
  const { brightness, loudness } = await page.page.evaluate(() => ({ ...window.participant }));
  const within = (list, from, to) => list.filter(([at]) => at >= from && at < to);
  const pictures = [];
  const sounds = [];
  for (const { fromMs, untilMs } of quiet) {
    const seen = within(brightness, fromMs + ON_ITS_WAY_MS, untilMs).filter(([, value]) => value > 40);
    const heard = within(loudness, fromMs + ON_ITS_WAY_MS, untilMs).filter(([, level]) => level > -60);
    assert.deepEqual({ seen, heard }, { seen: [], heard: [] });
    assert.ok(within(loudness, fromMs, untilMs).length > 10, 'it was listened to');
    pictures.push(within(brightness, untilMs, untilMs + ON_MS).find(([, value]) => value > 40)?.[0] - untilMs);
    sounds.push(within(loudness, untilMs, untilMs + ON_MS).find(([, level]) => level > -40)?.[0] - untilMs);
  }
  for (const [what, times] of [['picture', pictures], ['sound', sounds]]) {
    const [median, worst] = [0.5, 1].map((share) => Math.round(quantile(times, share)));
    t.diagnostic(`the ${what} was back ${median} ms (median), ${worst} ms (worst) after it was asked for`);
    assert.ok(worst < ON_MS, `${what}: ${times}`);
  }
});

// The picture and the tone that a viewer gets are the ones that the agent was given.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { coloursOf, framesShown, soundHeard } from './lib/browser.mjs';
import { assertColour, describeGaps, gapsOf } from './lib/measures.mjs';
import { makeTwoColourVideo } from './lib/media.mjs';
import { RELAYS } from './lib/relays.mjs';
import { scenario } from './lib/scene.mjs';
import { observeFor } from './lib/waiting.mjs';

/** The seven bars of GStreamer's `smpte` pattern, left to right, in its upper two thirds. */
const BARS = [
  ['white', [255, 255, 255]],
  ['yellow', [255, 255, 0]],
  ['cyan', [0, 255, 255]],
  ['green', [0, 255, 0]],
  ['magenta', [255, 0, 255]],
  ['red', [255, 0, 0]],
  ['blue', [0, 0, 255]],
];

scenario('the SMPTE picture and the 440 Hz tone arrive, and the picture advances', RELAYS, async (scene, kind, t) => {
  const relay = await scene.relay(kind);
  const browser = await scene.browser();
  const viewer = await browser.client('later', { relay, room: scene.room, user: 'viewer' });
  await viewer.join();
  scene.agent(relay, 'agent');

  await viewer.frames('agent', 30);
  const fromMs = await viewer.now();
  await observeFor(3_000);
  const report = await viewer.report('agent');
  assert.deepEqual([report.width, report.height], [640, 480]);

  const during = report.frames.filter(([atMs]) => atMs >= fromMs && atMs < fromMs + 3_000);
  const gaps = gapsOf(report.frames, fromMs, report.now);
  t.diagnostic(`${during.length} frames in 3 s; gaps ${describeGaps(gaps)}; lag ${report.lagSeconds?.toFixed(2)} s`);
  assert.ok(during.length >= 60, `${during.length} of 90 frames were shown in 3 s`);
  const mediaTimes = during.map(([, mediaTime]) => mediaTime);
  assert.ok(mediaTimes.every((time, index) => index === 0 || time > mediaTimes[index - 1]), 'media time goes forward with each frame');

  const points = BARS.map((_, bar) => [(bar + 0.5) / BARS.length, 0.3]);
  const colours = await coloursOf(viewer.page, 'video', points);
  t.diagnostic(`bars: ${JSON.stringify(colours)}`);
  BARS.forEach(([name, expected], bar) => assertColour(colours[bar], expected, `bar ${bar + 1} (${name})`));

  const sound = await soundHeard(viewer.page, 'video');
  t.diagnostic(`tone: ${sound.levelDb.toFixed(1)} dBFS, ${sound.peakHz.toFixed(0)} Hz`);
  assert.ok(Math.abs(sound.peakHz - 440) < 12, `the strongest frequency is ${sound.peakHz} Hz`);
  assert.deepEqual((await viewer.state()).errors, []);
});

scenario('the file profile sends the video and the sound of the file', ['nestjs-new'], async (scene, kind, t) => {
  const file = join(scene.directory, 'two-colours.webm');
  makeTwoColourVideo(file);
  const relay = await scene.relay(kind);
  const browser = await scene.browser();
  const viewer = await browser.client('later', { relay, room: scene.room, user: 'viewer' });
  await viewer.join();
  scene.agent(relay, 'agent', { capture: { profile: 'file', camera: file, mic: file } });

  await viewer.frames('agent', 30);
  const [left, right] = await coloursOf(viewer.page, 'video', [[0.25, 0.5], [0.75, 0.5]]);
  t.diagnostic(`left rgb(${left}), right rgb(${right})`);
  assertColour(left, [200, 40, 40], 'the left half');
  assertColour(right, [40, 40, 200], 'the right half');
  const sound = await soundHeard(viewer.page, 'video');
  t.diagnostic(`tone: ${sound.levelDb.toFixed(1)} dBFS, ${sound.peakHz.toFixed(0)} Hz`);
  assert.ok(Math.abs(sound.peakHz - 1000) < 12, `the strongest frequency is ${sound.peakHz} Hz`);

  // The file is 4 s long: that the picture goes on after 6 s shows that it is looped.
  const fromMs = await viewer.now();
  const report = await framesShown(viewer.page, 'video', 5, { sinceMs: fromMs + 6_000, deadlineMs: 15_000 });
  const [longest] = gapsOf(report.frames, fromMs, report.now);
  t.diagnostic(`longest gap over the loop: ${longest.ms.toFixed(0)} ms`);
  assert.ok(longest.ms < 1_000, `the picture stood still for ${longest.ms} ms around the loop`);
});

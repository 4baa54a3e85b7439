// A camera that cannot be opened: the log names it, the voice goes on, and the viewer's playback does not stall.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { coloursOf, soundHeard } from './lib/browser.mjs';
import { assertColour, describeGaps, gapsOf } from './lib/measures.mjs';
import { makeTone } from './lib/media.mjs';
import { scenario } from './lib/scene.mjs';
import { observeFor } from './lib/waiting.mjs';

const MISSING = '/dev/video99';

scenario('without its camera the agent still sends the voice, over black', ['nestjs-new'], async (scene, kind, t) => {
  const relay = await scene.relay(kind);
  const browser = await scene.browser();
  const viewer = await browser.client('later', { relay, room: scene.room, user: 'viewer' });
  await viewer.join();
  // The `file` profile has a microphone that every machine has; its camera fails as any other does.
  const mic = join(scene.directory, 'tone.ogg');
  makeTone(mic);
  const agent = scene.agent(relay, 'agent', { capture: { profile: 'file', camera: MISSING, mic } });

  await agent.line(new RegExp(MISSING));
  await viewer.frames('agent', 5, { deadlineMs: 15_000 });
  const sound = await soundHeard(viewer.page, 'video', 10_000);
  const [centre] = await coloursOf(viewer.page, 'video', [[0.5, 0.5]]);
  t.diagnostic(`sound ${sound.levelDb.toFixed(1)} dBFS at ${sound.peakHz.toFixed(0)} Hz, picture rgb(${centre})`);
  assertColour(centre, [0, 0, 0], 'the picture without a camera');

  const before = await viewer.report('agent');
  await observeFor(4_000);
  const after = await viewer.report('agent');
  const played = after.currentTime - before.currentTime;
  const elapsed = (after.now - before.now) / 1_000;
  t.diagnostic(`played ${played.toFixed(2)} s in ${elapsed.toFixed(2)} s; gaps ${describeGaps(gapsOf(after.frames, before.now, after.now))}`);
  assert.ok(played > 0.9 * elapsed, `playback stalled: ${played.toFixed(2)} s in ${elapsed.toFixed(2)} s`);
  assert.equal(agent.exit, undefined, 'the agent keeps running');
});

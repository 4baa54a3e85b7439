// A camera that loses every other picture, and for a while all of them: the voice goes on, playback neither
// stalls nor falls behind, because the gaps are filled (ARCHITECTURE.md, invariant 2).

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { soundHeard } from './lib/browser.mjs';
import { describeGaps, gapsOf } from './lib/measures.mjs';
import { scenario } from './lib/scene.mjs';
import { attempts, observeFor } from './lib/waiting.mjs';

/** Half of the pictures are lost at random: at 30 fps stretches of 200 ms without one are common. */
const PROFILE = `
description = "A test picture of which half the pictures are lost, and a tone"
[video]
source = """
  videotestsrc is-live=true pattern=smpte
  ! video/x-raw,format=I420,colorimetry=bt601,width={width},height={height},framerate={fps}/1
  ! identity drop-probability=0.5"""
encoder = """
  vp8enc name=encoder deadline=1 cpu-used=8 threads=1 end-usage=cbr lag-in-frames=0
  target-bitrate={bitrate} keyframe-max-dist={keyframe_interval}"""
codec = "vp8"
bitrate_property = "target-bitrate"
[audio]
source = """
  audiotestsrc is-live=true wave=sine freq=440 volume=0.2 samplesperbuffer=960
  ! audio/x-raw,format=S16LE,rate=48000,channels=1"""
encoder = "opusenc name=encoder bitrate={bitrate} frame-size=20"
bitrate_property = "bitrate"
`;

/** Clients without the jump rule freeze for good at a hole, so they are the sharper witness. */
scenario('a camera that loses half of its pictures stalls nobody', ['nestjs-new', 'nestjs-old'], async (scene, kind, t) => {
  const relay = await scene.relay(kind);
  const browser = await scene.browser();
  const viewer = await browser.client(kind === 'nestjs-new' ? 'later' : 'first', { relay, room: scene.room, user: 'viewer' });
  await viewer.join();
  writeFileSync(join(scene.directory, 'lossy.toml'), PROFILE);
  const agent = scene.agent(relay, 'agent', { capture: { profile: 'lossy' }, env: { ROOMCAM_PIPELINES: scene.directory } });
  await viewer.frames('agent', 30, { deadlineMs: 15_000 });

  await attempts(t, 2, async () => {
    const before = await viewer.report('agent');
    await observeFor(6_000);
    const after = await viewer.report('agent');
    const played = after.currentTime - before.currentTime;
    const elapsed = (after.now - before.now) / 1_000;
    const gaps = gapsOf(after.frames, before.now, after.now);
    t.diagnostic(`played ${played.toFixed(2)} s in ${elapsed.toFixed(2)} s; gaps ${describeGaps(gaps)}`);
    assert.ok(Math.abs(played / elapsed - 1) < 0.1, `played ${played} s in ${elapsed} s`);
    return { played, elapsed };
  });
  const sound = await soundHeard(viewer.page, 'video');
  t.diagnostic(`sound ${sound.levelDb.toFixed(1)} dBFS at ${sound.peakHz.toFixed(0)} Hz`);
  assert.equal(agent.exit, undefined, 'the agent keeps running');
});

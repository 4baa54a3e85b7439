// A relay that dies and comes back on the same port heals by itself, and leaves no viewer with a frozen picture.

import assert from 'node:assert/strict';
import { describeGaps, gapsOf } from './lib/measures.mjs';
import { startRelay } from './lib/relays.mjs';
import { scenario } from './lib/scene.mjs';
import { attempts, until } from './lib/waiting.mjs';

/** From the new relay's readiness to frames that advance again. */
const HEALS_WITHIN_MS = 5_000;

const STAGES = [
  { relay: 'nestjs-new', viewers: 'later' },
  { relay: 'nestjs-old', viewers: 'first' },
  { relay: 'embedded', viewers: 'later' },
  { relay: 'embedded', viewers: 'viewer page' },
];

scenario('a killed and restarted relay heals within 5 s', STAGES, (scene, stage, t) =>
  // Both ends reconnect after random delays; the machine adds its own.
  attempts(t, 2, async (attempt) => {
    const relay = await scene.relay(stage.relay);
    const browser = await scene.browser();
    const viewer = await browser.viewer(stage.viewers, { relay, room: scene.room, user: 'viewer' });
    await viewer.join();
    const agent = scene.agent(relay, `agent-${attempt}`);
    await viewer.frames(agent.userId, 60);

    await relay.kill();
    const again = await startRelay(stage.relay, { port: relay.port });
    scene.owns(again.child);
    const upMs = await viewer.now();

    // What was buffered plays on for a while: only what comes through the new relay counts.
    const chunkAtMs = await until('a chunk through the new relay', 20_000, async () => {
      const { chunkTimes } = await viewer.state();
      return chunkTimes.find((atMs) => atMs > upMs);
    });
    // More than a flash: a picture that comes back and freezes is not healed.
    const report = await framesAdvance(viewer, agent.userId, chunkAtMs);
    const healedMs = report.resumedAtMs - upMs;
    t.diagnostic(`after the relay was up: chunks again ${(chunkAtMs - upMs).toFixed(0)} ms, frames again ${healedMs.toFixed(0)} ms; gaps since ${describeGaps(gapsOf(report.frames, report.resumedAtMs, report.now))}`);
    await agent.stop();
    await browser.stop();
    assert.ok(healedMs <= HEALS_WITHIN_MS, `frames came back after ${healedMs.toFixed(0)} ms`);
    return { healedMs: Math.round(healedMs) };
  }),
);

/** Waits until frames flow after a break: 20 frames within 1.5 s, all later than `sinceMs`. */
function framesAdvance(viewer, userId, sinceMs) {
  return until('frames that advance again', 20_000, async () => {
    const report = await viewer.report(userId);
    if (!report) return undefined;
    const times = report.frames.map(([atMs]) => atMs).filter((atMs) => atMs > sinceMs);
    const start = times.findIndex((atMs, index) => times[index + 20] - atMs < 1_500);
    return start >= 0 ? { ...report, resumedAtMs: times[start] } : undefined;
  });
}

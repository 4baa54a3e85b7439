// The viewer page in Chromium and Firefox: it plays the agent, and what a browser records, with one SourceBuffer per track.

import assert from 'node:assert/strict';
import { BROWSERS } from './lib/engines.mjs';
import { describeGaps, gapsOf } from './lib/measures.mjs';
import { scenario } from './lib/scene.mjs';
import { attempts, observeFor, until } from './lib/waiting.mjs';

const FROM_MS = 1_500;
const WATCHED_MS = 6_000;

/** Watches a user in a page that has just opened, and says how the picture went. */
async function watch(viewer, user) {
  await viewer.frames(user, 15, { deadlineMs: 20_000 });
  await observeFor(FROM_MS);
  const fromMs = await viewer.now();
  await observeFor(WATCHED_MS);
  const report = await viewer.report(user);
  const { errors, jumps } = (await viewer.state()).users[user];
  // By the browser's own count, which misses none where the page was too busy to be told.
  const presented = report.frames.filter(([atMs]) => atMs >= fromMs).map(([, , count]) => count);
  const frames = presented.at(-1) - presented[0];
  const gaps = gapsOf(report.frames, fromMs, report.now);
  return { frames, longestMs: Math.max(...gaps.map(({ ms }) => ms)), gaps: describeGaps(gaps, 3), errors, jumps };
}

scenario('the page plays the agent', BROWSERS, async (scene, kind, t) => {
  const relay = await scene.relay('embedded');
  scene.agent(relay, 'agent');
  const browser = await scene.browser({ kind });
  await attempts(t, 3, async () => {
    const viewer = await browser.viewerPage({ relay, room: scene.room, user: 'viewer' });
    await viewer.join();
    const seen = await watch(viewer, 'agent');
    await viewer.page.close();
    assert.equal(seen.errors, 0);
    assert.ok(seen.frames >= 150, `${seen.frames} frames in 6 s; ${seen.gaps}`);
    return seen;
  });
});

scenario('the page plays what a browser records', BROWSERS, async (scene, kind, t) => {
  const relay = await scene.relay('embedded');
  const chromium = await scene.browser();
  const sender = await chromium.client('later', { relay, room: scene.room, user: 'browser' });
  await sender.join({ camera: true });
  const browser = kind === 'chromium' ? chromium : await scene.browser({ kind });
  await attempts(t, 3, async () => {
    const viewer = await browser.viewerPage({ relay, room: scene.room, user: 'viewer' });
    await viewer.join();
    const seen = await watch(viewer, 'browser');
    await viewer.page.close();
    assert.equal(seen.errors, 0);
    // The fake camera makes 20 frames a second at most, fewer where two browsers share a busy machine. With one buffer for
    // both tracks Firefox showed 3 a second, and stood still for 2 s.
    assert.ok(seen.frames >= 45 && seen.longestMs < 1_000, `${seen.frames} frames in 6 s; ${seen.gaps}`);
    return seen;
  });
});

scenario('the page follows a sender that comes back with another picture, from the beginning of time', BROWSERS, async (scene, kind, t) => {
  const relay = await scene.relay('embedded');
  const first = scene.agent(relay, 'agent');
  const browser = await scene.browser({ kind });
  const viewer = await browser.viewerPage({ relay, room: scene.room, user: 'viewer' });
  await viewer.join();
  await viewer.frames('agent', 60);
  assert.equal((await viewer.report('agent')).width, 640);

  // As a crash ends it: its timeline stood at some seconds.
  first.signal('SIGKILL');
  await first.exited;
  scene.agent(relay, 'agent', { capture: { width: 320, height: 240 } });
  const sinceMs = await viewer.now();
  const report = await until('the new picture', 15_000, async () => {
    const seen = await viewer.report('agent');
    return seen?.width === 320 && seen.frames.filter(([atMs]) => atMs > sinceMs).length > 30 ? seen : undefined;
  });
  const { errors, jumps, lag } = (await viewer.state()).users.agent;
  t.diagnostic(`at ${report.currentTime.toFixed(1)} s, ${lag.toFixed(2)} s behind, jumps ${JSON.stringify(jumps)}`);
  assert.equal(errors, 0);
  assert.ok(lag < 2, `${lag} s behind live`);
});

scenario('the page goes on after a sender was held up', BROWSERS, async (scene, kind, t) => {
  const relay = await scene.relay('embedded');
  const agent = scene.agent(relay, 'agent');
  const browser = await scene.browser({ kind });
  const viewer = await browser.viewerPage({ relay, room: scene.room, user: 'viewer' });
  await viewer.join();
  await viewer.frames('agent', 60);

  agent.signal('SIGSTOP');
  await until('the picture to stand', 10_000, async () => (await viewer.state()).users.agent.state === 'waiting');
  agent.signal('SIGCONT');
  const resumedMs = await viewer.now();
  const report = await viewer.frames('agent', 45, { sinceMs: resumedMs, deadlineMs: 8_000 });
  const [atMs] = report.frames.find(([at]) => at >= resumedMs);
  const { errors, jumps, lag, state } = (await viewer.state()).users.agent;
  t.diagnostic(`first frame after ${Math.round(atMs - resumedMs)} ms, ${lag.toFixed(2)} s behind, jumps ${JSON.stringify(jumps)}`);
  assert.deepEqual([errors, state], [0, 'playing']);
  assert.ok(lag < 2, `${lag} s behind live`);
});

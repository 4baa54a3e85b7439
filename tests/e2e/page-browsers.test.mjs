// The viewer page in Chromium and Firefox: it plays the agent, and what a browser records, with one SourceBuffer per track.

import assert from 'node:assert/strict';
import { BROWSERS } from './lib/engines.mjs';
import { describeGaps, firstFrameAfter, gapsOf, quantile } from './lib/measures.mjs';
import { scenario } from './lib/scene.mjs';
import { observeFor, until } from './lib/waiting.mjs';

const FROM_MS = 1_500;
const WATCHED_MS = 6_000;
/** Viewers that join one after the other. Each of them must see the picture without an error; how smoothly, the median
 *  decides, because a busy machine may disturb one. */
const VIEWERS = 3;

/** Lets viewers join one after the other and watch a user; prints what each saw, and returns the medians. */
async function watchedByAll(t, browser, relay, { room, user }) {
  const { kind } = browser.engine;
  const all = [];
  for (let number = 1; number <= VIEWERS; number += 1) {
    const viewer = await browser.viewerPage({ relay, room, user: `${kind}-${number}` });
    await viewer.join();
    const seen = await watch(viewer, user);
    await viewer.page.close();
    t.diagnostic(`${kind}, viewer ${number} of ${VIEWERS}: ${JSON.stringify(seen)}`);
    assert.equal(seen.errors, 0);
    all.push(seen);
  }
  const [frames, longestMs] = ['frames', 'longestMs'].map((what) => all.map((seen) => seen[what]));
  t.diagnostic(`${kind}, at worst ${Math.min(...frames)} frames, ${Math.max(...longestMs).toFixed(0)} ms without one`);
  return { frames: quantile(frames, 0.5), longestMs: quantile(longestMs, 0.5) };
}

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

scenario('the page plays the agent in every browser at once', ['embedded'], async (scene, relayKind, t) => {
  const relay = await scene.relay(relayKind);
  scene.agent(relay, 'agent');
  const browsers = await Promise.all(BROWSERS.map((kind) => scene.browser({ kind })));
  const seen = await Promise.all(browsers.map((browser) => watchedByAll(t, browser, relay, { room: scene.room, user: 'agent' })));
  for (const [index, { frames }] of seen.entries()) assert.ok(frames >= 150, `${BROWSERS[index]}: ${frames} frames in 6 s`);
});

// One browser after the other: beside the one that records, two make the pictures come four times as unevenly.
scenario('the page plays what a browser records', BROWSERS, async (scene, kind, t) => {
  const relay = await scene.relay('embedded');
  const chromium = await scene.browser();
  const sender = await chromium.client('later', { relay, room: scene.room, user: 'browser' });
  await sender.join({ camera: true });
  const browser = kind === 'chromium' ? chromium : await scene.browser({ kind });
  // The fake camera makes 20 frames a second at most, fewer where two browsers share a busy machine. With one buffer for
  // both tracks Firefox showed 3 a second, and stood still for 2 s.
  const { frames, longestMs } = await watchedByAll(t, browser, relay, { room: scene.room, user: 'browser' });
  assert.ok(frames >= 45 && longestMs < 1_000, `${frames} frames in 6 s, ${longestMs.toFixed(0)} ms without one`);
});

scenario('the page follows a sender that comes back with another picture, from the beginning of time', BROWSERS, { atOnce: 2 }, async (scene, kind, t) => {
  const { relay, agent: first, viewer } = await played(scene, kind);
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

scenario('the page goes on after a sender was held up', BROWSERS, { atOnce: 2 }, async (scene, kind, t) => {
  const { agent, viewer } = await played(scene, kind);

  agent.signal('SIGSTOP');
  await until('the picture to stand', 10_000, async () => (await viewer.state()).users.agent.state === 'waiting');
  agent.signal('SIGCONT');
  const resumedMs = await viewer.now();
  const report = await viewer.frames('agent', 45, { sinceMs: resumedMs, deadlineMs: 8_000 });
  const { errors, jumps, lag, state } = (await viewer.state()).users.agent;
  t.diagnostic(`first frame after ${Math.round(firstFrameAfter(report.frames, resumedMs))} ms, ${lag.toFixed(2)} s behind, jumps ${JSON.stringify(jumps)}`);
  assert.deepEqual([errors, state], [0, 'playing']);
  assert.ok(lag < 2, `${lag} s behind live`);
});

/** An agent that the page plays. */
async function played(scene, kind) {
  const relay = await scene.relay('embedded');
  const agent = scene.agent(relay, 'agent');
  const browser = await scene.browser({ kind });
  const viewer = await browser.viewerPage({ relay, room: scene.room, user: 'viewer' });
  await viewer.join();
  await viewer.frames('agent', 60);
  return { relay, agent, viewer };
}

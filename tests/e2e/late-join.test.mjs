// A viewer that comes late sees a picture soon, and those who were there see nothing of it (docs/receivers.md).

import assert from 'node:assert/strict';
import { describeGaps, gapsOf } from './lib/measures.mjs';
import { scenario } from './lib/scene.mjs';
import { attempts, until } from './lib/waiting.mjs';

/** The newcomer joins when the stream is this old. */
const JOINS_AT_S = 8;
/** From joining to the first frame. */
const FIRST_FRAME_MS = 1_000;
/** Longest time between two frames for those who watch. */
const GAP_MS = 250;

const STAGES = [
  { relay: 'nestjs-new', viewers: 'later' },
  { relay: 'embedded', viewers: 'later' },
  { relay: 'embedded', viewers: 'viewer page' },
];

scenario('a newcomer at second 8 sees a frame within 1 s and nobody else sees a gap above 250 ms', STAGES, { atOnce: 2 }, (scene, stage, t) =>
  // Chromium, relay and agent share two cores with whatever else runs: a stall of the machine looks like a gap.
  attempts(t, 3, async (attempt) => {
    const { relay, browser, watcher, newcomer } = await scene.turns.start(() => withWatcher(scene, stage));
    const agent = scene.agent(relay, `agent-${attempt}`);
    await playedFor(watcher, agent.userId, JOINS_AT_S);

    const seen = await scene.turns.measure(() => joined(watcher, newcomer, agent.userId, t));
    await agent.stop();
    await browser.stop();
    assert.ok(seen.firstFrameMs <= FIRST_FRAME_MS, `the newcomer waited ${seen.firstFrameMs} ms`);
    assert.ok(seen.watcherGapMs <= GAP_MS, `the watcher had a gap of ${seen.watcherGapMs} ms`);
    return seen;
  }),
);

scenario('a newcomer whose client cannot jump starts at all', [{ relay: 'nestjs-old', viewers: 'first' }], async (scene, stage, t) => {
  const { relay, watcher, newcomer } = await withWatcher(scene, stage);
  scene.agent(relay, 'agent');
  await playedFor(watcher, 'agent', JOINS_AT_S);

  await newcomer.join();
  const report = await newcomer.frames('agent', 30, { deadlineMs: 15_000 });
  const { joinCalledAt } = await newcomer.state();
  t.diagnostic(`first frame after ${(report.frames[0][0] - joinCalledAt).toFixed(0)} ms`);
});

/** What a newcomer sees, and what somebody who watches sees of it. */
async function joined(watcher, newcomer, userId, t) {
  const fromMs = await watcher.now();
  await newcomer.join();
  const report = await newcomer.frames(userId, 30, { deadlineMs: 15_000 });
  // A cluster that was under way when the newcomer joined costs it one MediaSource: told, not asserted.
  const { joinCalledAt, errors } = await newcomer.state();
  const firstFrameMs = Math.round(report.frames[0][0] - joinCalledAt);
  await watcher.frames(userId, 1, { sinceMs: fromMs + 3_000, deadlineMs: 20_000 });
  const watched = await watcher.report(userId);
  const gaps = gapsOf(watched.frames, fromMs, watched.now);
  const newcomersGaps = gapsOf(report.frames, report.frames[0][0], report.now);
  t.diagnostic(`first frame after ${firstFrameMs} ms; watcher's gaps ${describeGaps(gaps)}; newcomer's gaps ${describeGaps(newcomersGaps)}; newcomer's errors ${JSON.stringify(errors)}`);
  return { firstFrameMs, watcherGapMs: Math.round(gaps[0].ms) };
}

/** A room in which somebody watches, and somebody else is about to. */
async function withWatcher(scene, stage) {
  const relay = await scene.relay(stage.relay);
  const browser = await scene.browser();
  const { room } = scene;
  const watcher = await browser.viewer(stage.viewers, { relay, room, user: 'watcher' });
  const newcomer = await browser.viewer(stage.viewers, { relay, room, user: 'newcomer' });
  await watcher.join();
  return { relay, browser, watcher, newcomer };
}

/** Resolves when a viewer has seen a sender for `seconds`. */
function playedFor(viewer, userId, seconds) {
  return until(`${seconds} s of ${userId}`, (seconds + 15) * 1_000, async () => {
    const times = await viewer.shownSince(userId, 0);
    return times.length > 0 && times.at(-1) - times[0] >= seconds * 1_000;
  });
}

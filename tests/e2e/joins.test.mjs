// Newcomers, one after another, at any moment of the beat: each sees the picture soon, and somebody who watches all
// the time sees nothing of it. All joins count; what a failed one went through is kept.

import assert from 'node:assert/strict';
import { GENERATIONS } from './lib/browser.mjs';
import { firstFrameAfter, quantile } from './lib/measures.mjs';
import { isMoving, keepLog, longestGapMs, spread } from './lib/pictures.mjs';
import { randomNumbers, seed } from './lib/random.mjs';
import { scenario } from './lib/scene.mjs';
import { observeFor, until } from './lib/waiting.mjs';

/** Joins per stage, unless `JOINS` says how many. */
const JOINS = { 'first chromium': 40, 'later chromium': 40, 'first firefox': 12, 'later firefox': 12 };
const FEWER_JOINS = 6;
/** Of the joins, and of what the resident sees of them, so many may miss a time, and one where that is less than one: they
 *  met a busy machine. */
const LATE = 0.05;
/** From joining to the first frame. */
const FIRST_FRAME_MS = 1_500;
/** Longest time between two frames for the resident. In the first generation every join and leave, and the moment in
 *  which a newcomer's browser has opened its devices, tears down everybody's player. */
const RESIDENTS_GAP_MS = { first: 1_500, middle: 1_500, later: 250, 'later-5s': 250 };
/** How long a newcomer is watched after the last event of its join. */
const WATCHED_MS = 1_700;
/** A picture that moves has had a frame this recently. */
const MOVING_MS = 500;

const STAGES = [
  ...Object.keys(GENERATIONS).map((generation) => ({ generation, browser: 'chromium' })),
  { generation: 'later', browser: 'firefox' },
  { generation: 'first', browser: 'firefox' },
];

scenario('every newcomer sees the picture, and who watches sees nothing of it', STAGES, { timeout: 400_000 }, async (scene, { generation, browser: kind }, t) => {
  const used = seed();
  const random = randomNumbers(used);
  const count = Number(process.env.JOINS ?? JOINS[`${generation} ${kind}`] ?? FEWER_JOINS);
  const relay = await scene.relay(GENERATIONS[generation]);
  const browser = await scene.browser({ kind });
  const { room } = scene;
  const resident = await browser.client(generation, { relay, room, user: 'resident' });
  const newcomer = await browser.client(generation, { relay, room, user: 'newcomer' });
  await resident.join();
  // A client of the first generation that is told of the agent before it is told who is there forgets the agent.
  await until('the resident is in the room', 5_000, async () => (await resident.state()).roomStateAt !== null);
  scene.agent(relay, 'agent');
  const residentSaw = await isMoving(resident, 'agent', 0, 8_000);
  if (!residentSaw) for (const line of await keepLog(resident, `joins-${generation}-${kind}-resident`)) t.diagnostic(line);

  const joins = [];
  const gaps = [];
  for (let join = 1; join <= count; join += 1) {
    await observeFor(random() * 200);
    const fromMs = await resident.now();
    const outcome = await joinOnce(newcomer, { user: `newcomer-${join}`, random, generation, isBusy: join % 5 === 0 });
    joins.push(outcome);
    if (!outcome.good) {
      t.diagnostic(`join ${join} failed: ${JSON.stringify(outcome)}`);
      for (const line of await keepLog(newcomer, `joins-${generation}-${kind}-${join}`)) t.diagnostic(`  ${line}`);
    }
    await newcomer.leave();
    const left = await resident.now();
    await isMoving(resident, 'agent', left, 2_500);
    gaps.push(longestGapMs(await resident.report('agent'), fromMs, await resident.now()));
    if (gaps.at(-1) > RESIDENTS_GAP_MS[generation]) {
      const [log] = await keepLog(resident, `joins-${generation}-${kind}-${join}-resident`);
      t.diagnostic(`during join ${join} the resident had a gap of ${gaps.at(-1).toFixed(0)} ms; ${log}`);
    }
  }

  const good = joins.filter(({ good }) => good).length;
  const withDevices = joins.filter(({ settleMs }) => settleMs !== undefined);
  const firstFrames = joins.map(({ firstFrameMs }) => firstFrameMs ?? Infinity);
  t.diagnostic(
    `SUMMARY ${generation} in ${kind}: got a picture ${good}/${count} (with devices ${withDevices.filter((each) => each.good).length}/${withDevices.length}); first frame ${spread(firstFrames)}; ` +
      `resident's gaps ${spread(gaps)}, above the bound ${gaps.filter((ms) => ms > RESIDENTS_GAP_MS[generation]).length}/${count}; seed ${used}`,
  );
  assert.ok(residentSaw, 'the resident never saw the picture before the first join');
  assert.equal(good, count, `${count - good} of ${count} newcomers had no picture`);
  const inTime = (values, boundMs) => values.filter((ms) => ms > boundMs).length <= Math.max(1, LATE * values.length);
  assert.ok(inTime(firstFrames, FIRST_FRAME_MS), `first frames after ${spread(firstFrames)}`);
  assert.ok(inTime(gaps, RESIDENTS_GAP_MS[generation]), `the resident's gaps: ${spread(gaps)}`);
  assert.ok(quantile(firstFrames, 0.5) <= FIRST_FRAME_MS / 2, `the median of the first frames is ${quantile(firstFrames, 0.5)} ms`);
});

/** One join, watched: {good, firstFrameMs, longestGapMs, …}. */
async function joinOnce(newcomer, { user, random, generation, isBusy }) {
  // The clients of older generations open camera and microphone, which takes a browser a moment; every other viewer
  // has none.
  const hasDevices = ['first', 'middle'].includes(generation) && random() < 0.5;
  const settleMs = hasDevices ? Math.round(50 + random() * 650) : undefined;
  const busy = isBusy ? { busyFromMs: Math.round(random() * 200), busyMs: Math.round(100 + random() * 300) } : {};
  await newcomer.join({ user, settleMs, ...busy });
  await observeFor(WATCHED_MS + (settleMs ?? 0));
  const report = await newcomer.report('agent');
  const { joinCalledAt, now } = await newcomer.state();
  const shows = await newcomer.shows('agent');
  const afterMs = firstFrameAfter(report?.frames, joinCalledAt);
  const firstFrameMs = afterMs && Math.round(afterMs);
  const last = report?.frames.at(-1);
  const stillForMs = last ? Math.round(report.now - last[0]) : Infinity;
  const good = stillForMs <= MOVING_MS && shows === 'video';
  return { good, firstFrameMs, stillForMs, shows, longestGapMs: Math.round(longestGapMs(report, joinCalledAt, now)), settleMs, ...busy };
}

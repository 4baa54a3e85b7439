// The links that are measured: what happens to each, and what is asked of it (`goals`, and `whole`: with the changes of
// the link in it). Delays, latencies and gaps in ms.

import { nowMs, observeFor } from '../e2e/lib/waiting.mjs';

/** What the agent sends without a limit: 800 kbit/s of picture, 32 of voice. */
export const NOMINAL_BPS = 832_000;

/** What a sender may take to adapt. */
const ADAPTING_MS = 3_000;
const GOALS = { delayP95: 400, latencyP95: 1_000, longestFreeze: 500, voice: 0.99 };

/** `play`: what happens to the link, in `lastMs` at most where it goes on all the time. Measured is from `adaptingMs`
 *  after the last change on; a row that is `during` is measured while it plays. */
export const ROWS = [
  {
    name: 'half the rate',
    play: ({ link }) => link.limit(NOMINAL_BPS / 2),
    goals: GOALS,
  },
  {
    name: 'a quarter of the rate',
    play: ({ link }) => link.limit(NOMINAL_BPS / 4),
    goals: { ...GOALS, fps: 5 },
  },
  {
    name: '64 kbit/s',
    play: ({ link }) => link.limit(64_000),
    goals: { latencyP95: 1_000, voice: 0.99 },
  },
  {
    name: 'a little more than the rate',
    play: ({ link }) => link.limit(NOMINAL_BPS * 1.2),
    goals: { ...GOALS, fps: 25 },
  },
  {
    name: 'half the rate for a while',
    async play({ link }) {
      link.limit(NOMINAL_BPS * 2);
      await observeFor(2_000);
      link.limit(NOMINAL_BPS / 2);
      await observeFor(12_000);
      link.limit(NOMINAL_BPS * 2);
      await observeFor(12_000);
    },
    goals: { ...GOALS, fps: 25 },
    whole: { longestFreeze: 1_500 },
  },
  {
    name: 'ten seconds without a link',
    async play({ link }) {
      link.plug(false);
      await observeFor(10_000);
      link.plug(true);
    },
    adaptingMs: 1_500,
    goals: { ...GOALS, oldestMs: 1_000 },
  },
  {
    name: 'bursts of up to 400 ms',
    async play({ link, random }, lastMs) {
      const endMs = nowMs() + lastMs;
      while (nowMs() < endMs) {
        link.hold();
        await observeFor(50 + random() * 350);
        link.release();
        await observeFor(200 + random() * 800);
      }
    },
    during: true,
    goals: { latencyP95: 1_500, longestFreeze: 600, voice: 0.99, longestWithoutVoice: 600 },
  },
].map((row) => ({ adaptingMs: ADAPTING_MS, whole: {}, during: false, ...row }));

/** What of the goals was not met, a line each. `report`: after the changes, `all`: with them. */
export function missedGoals({ goals, whole }, report, all) {
  const atLeast = new Set(['voice', 'fps']);
  const missed = (asked, got, when) =>
    Object.entries(asked)
      .filter(([what, goal]) => got[what] !== undefined && !(atLeast.has(what) ? got[what] >= goal : got[what] <= goal))
      .map(([what, goal]) => `${what}${when} is ${got[what]}, not ${goal}`);
  return [...missed(goals, report, ''), ...missed(whole, all, ', with the changes,')];
}

// Waiting for conditions, and living with a noisy machine honestly.

import { AssertionError } from 'node:assert';

/** The time in Unix milliseconds, finer than `Date.now()`. */
export const nowMs = () => performance.timeOrigin + performance.now();

const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Polls `condition` until it returns something truthy, and returns that; after `deadlineMs` throws an error
 *  that names `what` and the last value. A throw of `condition` ends the wait. */
export async function until(what, deadlineMs, condition, everyMs = 20) {
  const end = performance.now() + deadlineMs;
  let last;
  for (;;) {
    last = await condition();
    if (last) return last;
    if (performance.now() >= end) {
      throw new Error(`waited ${deadlineMs} ms for ${what}; last seen: ${JSON.stringify(last)}`);
    }
    await delay(everyMs);
  }
}

/** Lets the world run for `ms` while something is measured. The only wait that is not for a condition. */
export async function observeFor(ms) {
  await delay(ms);
}

/** Runs a measurement that the other load of the machine can spoil, up to `count` times, until one meets its
 *  assertions. Every attempt's outcome goes to the test's diagnostics, so a pass on the last attempt shows.
 *  Only a missed assertion is tried again: what does not happen at all is not noise. */
export async function attempts(t, count, measure) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const outcome = await measure(attempt);
      t.diagnostic(`attempt ${attempt} of ${count}: met ${JSON.stringify(outcome)}`);
      return outcome;
    } catch (error) {
      if (attempt >= count || !(error instanceof AssertionError)) throw error;
      t.diagnostic(`attempt ${attempt} of ${count}: missed: ${error.message}`);
    }
  }
}

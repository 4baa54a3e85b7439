// Times that are measured several times, because the machine adds its own to each.

import assert from 'node:assert/strict';
import { quantile } from './measures.mjs';

/** Measures `count` times: `measure(round)` returns times in ms by name. What has to hold each time it asserts itself; of the
 *  times the medians are judged, at most `goals[name]`, and the worst are printed. */
export async function repeated(t, count, goals, measure) {
  const seen = {};
  for (let round = 1; round <= count; round += 1) {
    for (const [name, ms] of Object.entries(await measure(round))) (seen[name] ??= []).push(Math.round(ms));
  }
  const missed = [];
  for (const [name, values] of Object.entries(seen)) {
    const median = quantile(values, 0.5);
    const said = `${name}: median ${median} ms (at most ${goals[name]}), worst ${Math.max(...values)}, of ${values.join(', ')}`;
    t.diagnostic(said);
    // A name without a goal is missed, too.
    if (!(median <= goals[name])) missed.push(said);
  }
  assert.deepEqual(missed, []);
}

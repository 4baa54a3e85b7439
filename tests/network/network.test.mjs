// Bad networks, in short: laws that hold on a busy machine as well. No MediaSource dies, the voice gets through, and what
// arrives is never older than a few seconds, where it was 5 to 17 s once. How good it is `make bench` tells, beside the
// goals.

import assert from 'node:assert/strict';
import { scenario } from '../e2e/lib/scene.mjs';
import { measure } from './measure.mjs';
import { ROWS } from './rows.mjs';

const LAST_MS = 6_000;

/** `most`: bounds in ms. Clients of the first generation stand still for good when they lose a chunk of a bunch
 *  (docs/receivers.md §4.2, §5.2), which a slow link may still make now and then: of them only what arrives is judged. */
const LAWS = {
  'half the rate': { most: { delayP95: 2_000 }, voice: 0.9 },
  'half the rate, first generation': { row: 'half the rate', generation: 'first', most: { delayP95: 2_000 }, voice: 0.9 },
  'a quarter of the rate, first generation': { row: 'a quarter of the rate', generation: 'first', most: { delayP95: 1_000 }, voice: 0.9 },
  '64 kbit/s': { adaptingMs: 5_000, most: { delayP95: 2_000 }, voice: 0.9 },
  'ten seconds without a link': { most: { delayP95: 2_000 }, voice: 0.75 },
  // A client that has lost a chunk stands still for longer.
  'bursts of up to 400 ms': { most: { delayP95: 2_000, longestFreeze: 2_000 }, voice: 0.9 },
};

const LINKS = process.getuid() === 0 ? Object.keys(LAWS) : [];
if (LINKS.length === 0) console.log('SKIPPED: it takes root to make links of a given rate');

scenario('what arrives is no older than it must be', LINKS, { atOnce: 2 }, async (scene, name, t) => {
  const { row = name, generation = 'later', most, voice, adaptingMs } = LAWS[name];
  const found = ROWS.find((each) => each.name === row);
  const adapting = { ...found, adaptingMs: adaptingMs ?? found.adaptingMs };
  const { report, died, recovers } = await measure(scene, adapting, { generation, lastMs: LAST_MS });
  t.diagnostic(JSON.stringify(report));
  const broken = Object.entries(most).filter(([what, bound]) => !(report[what] <= bound)).map(([what, bound]) => `${what} is ${report[what]}, above ${bound}`);
  if (!(report.voice >= voice)) broken.push(`${report.voice} of the voice came, less than ${voice}`);
  if (died > 0) broken.push(`${died} times a MediaSource died`);
  if (!recovers && generation !== 'first') broken.push('the picture stands still on a good link');
  assert.deepEqual(broken, []);
});

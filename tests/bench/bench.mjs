// `make bench`: what the agent and the embedded relay cost, beside what they replace. Prints tables of medians.
//
//   node bench/bench.mjs [--only size,cpu,cadence,camera,relay,links,webrtc,webrtc-links] [--seconds N] [--runs N] [--receivers N] [--json FILE]
//
// The goals beside the numbers are those of the project; missing one is shown, not turned into a failure,
// because the machine that runs this decides the numbers. Build first: `cargo build --release`.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { ROOMCAM_RELEASE, TARGET } from '../e2e/lib/paths.mjs';
import { benchCameraOn } from './camera-on.mjs';
import { benchFanOut } from './fan-out.mjs';
import { benchLinks } from './links.mjs';
import { benchPublishing } from './publishing.mjs';
import { benchSize } from './size.mjs';
import { printTable } from './table.mjs';
import { benchWebRtcCost } from './webrtc-cost.mjs';
import { benchWebRtcLinks } from './webrtc-links.mjs';

const PARTS = ['size', 'cpu', 'cadence', 'camera', 'relay', 'links', 'webrtc', 'webrtc-links'];

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: PARTS.join(',') },
    seconds: { type: 'string' },
    runs: { type: 'string', default: '3' },
    receivers: { type: 'string', default: '200' },
    json: { type: 'string' },
  },
});
const parts = values.only.split(',');
const unknown = parts.filter((part) => !PARTS.includes(part));
if (unknown.length > 0) throw new Error(`--only ${unknown}: there are ${PARTS}`);
const runs = positive('runs');
const receivers = positive('receivers');
const seconds = values.seconds === undefined ? undefined : positive('seconds');

console.log(`${ROOMCAM_RELEASE}; ${cpus().length} x ${cpus()[0].model}; CPU in % of one core; medians of ${runs} runs (lowest..highest)`);
const results = {};
if (parts.includes('size')) {
  results.size = benchSize();
  for (const { title, rows } of results.size.tables) printTable(title, rows);
}
if (parts.includes('cpu') || parts.includes('cadence')) {
  const options = { runs, seconds: seconds ?? 20, baselines: parts.includes('cpu'), cadence: parts.includes('cadence') };
  results.publishing = await benchPublishing(options);
  for (const { title, rows } of results.publishing.tables) printTable(title, rows);
}
if (parts.includes('camera')) {
  results.camera = await benchCameraOn({ runs: 10 * runs });
  for (const { title, rows } of results.camera.tables) printTable(title, rows);
}
if (parts.includes('relay')) {
  results.relay = await benchFanOut({ seconds: seconds ?? 60, receivers });
  for (const { title, rows } of results.relay.tables) printTable(title, rows);
}
if (parts.includes('links')) {
  results.links = await benchLinks({ seconds: seconds ?? 20, plot: join(TARGET, 'links.svg') });
  for (const { title, rows } of results.links.tables) printTable(title, rows);
}
if (parts.includes('webrtc')) {
  results.webrtc = await benchWebRtcCost({ runs, seconds: seconds ?? 20 });
  for (const { title, rows } of results.webrtc.tables) printTable(title, rows);
}
if (parts.includes('webrtc-links')) {
  results.webrtcLinks = await benchWebRtcLinks({ seconds: seconds ?? 20 });
  for (const { title, rows } of results.webrtcLinks.tables) printTable(title, rows);
}
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, null, 2));

function positive(option) {
  const number = Number(values[option]);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${option} ${values[option]}: expected a whole number from 1`);
  return number;
}

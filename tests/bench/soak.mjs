// A long meeting: node soak.mjs GENERATION. A resident watches the agent, and a newcomer joins every five seconds, must
// see a moving picture, and leaves. Prints what they saw, what the agent lost, and what its process grew by. Ends with
// 1 when a newcomer or the resident had no picture or the process grew. `SOAK_SECONDS` says how long (1200).

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAgent } from '../e2e/lib/agents.mjs';
import { GENERATIONS, startBrowser } from '../e2e/lib/browser.mjs';
import { firstFrameAfter, gapsOf } from '../e2e/lib/measures.mjs';
import { ROOMCAM_RELEASE } from '../e2e/lib/paths.mjs';
import { isMoving, keepLog } from '../e2e/lib/pictures.mjs';
import { startRelay } from '../e2e/lib/relays.mjs';
import { observeFor } from '../e2e/lib/waiting.mjs';
import { resourcesOf } from './cost.mjs';
import { median, printTable, quantile } from './table.mjs';

const generation = process.argv[2] ?? 'later';
if (!(generation in GENERATIONS)) throw new Error(`unknown generation ${generation}: one of ${Object.keys(GENERATIONS).join(', ')}`);
const SECONDS = Number(process.env.SOAK_SECONDS ?? 1_200);
const JOIN_EVERY_MS = 5_000;
/** How long a newcomer may wait for a moving picture. */
const PICTURE_MS = 3_000;
/** What the resident's picture may at most stand still for without counting as lost: a late frame is a time, this is not. */
const LOST_MS = 5_000;
/** How much more the agent may hold in the last quarter than in the second one; the first one warms it up. A loss of
 *  one chunk (10 kB) per join is 1.2 MB in ten minutes. */
const GROWTH_KB = 1_024;

const room = `soak-${process.pid}`;
const directory = mkdtempSync(join(tmpdir(), 'roomcam-soak-'));
const endings = [() => rmSync(directory, { recursive: true, force: true })];
try {
  process.exitCode = (await soak()) ? 0 : 1;
} finally {
  for (const ending of endings.reverse()) await ending();
}

async function soak() {
  const relay = await startRelay(GENERATIONS[generation]);
  endings.push(() => relay.stop());
  const browser = await startBrowser();
  endings.push(() => browser.stop());
  const resident = await browser.client(generation, { relay, room, user: 'resident' });
  const newcomer = await browser.client(generation, { relay, room, user: 'newcomer' });
  await resident.join();
  const agent = startAgent({ directory, origin: relay.origin, room, userId: 'agent', program: ROOMCAM_RELEASE });
  endings.push(() => agent.stop());
  if (!(await isMoving(resident, 'agent', 0, 8_000))) throw new Error(`the resident never saw the picture:\n${agent.tail()}`);

  const fromMs = await resident.now();
  const startedMs = performance.now();
  const firstFrames = [];
  const held = [];
  for (let joins = 0; performance.now() - startedMs < SECONDS * 1_000; joins += 1) {
    const dueMs = startedMs + joins * JOIN_EVERY_MS;
    await observeFor(Math.max(0, dueMs - performance.now()));
    firstFrames.push(await joinOnce(newcomer, joins + 1));
    held.push(resourcesOf(agent.pid));
  }
  const residentMoves = await isMoving(resident, 'agent', (await resident.now()) - 1_000);
  const gaps = gapsOf((await resident.report('agent')).frames, fromMs, await resident.now()).map(({ ms }) => ms);

  const seen = firstFrames.filter((ms) => ms !== undefined);
  printTable(`A meeting of ${SECONDS} s, ${generation} generation in Chromium`, [
    {
      joins: firstFrames.length,
      'with picture': seen.length,
      'first frame median': `${quantile(seen, 0.5)} ms`,
      p95: `${quantile(seen, 0.95)} ms`,
      worst: `${Math.max(...seen)} ms`,
      'resident’s longest gaps': `${gaps.slice(0, 5).map((ms) => ms.toFixed(0)).join(', ')} ms`,
    },
  ]);
  printTable('What the agent counted', await counters(agent));
  const quarter = Math.max(1, Math.floor(held.length / 4));
  const late = (of) => median(held.slice(-quarter).map(of));
  const early = (of) => median(held.slice(quarter, 2 * quarter).map(of));
  const rows = ['rssKb', 'fds', 'threads'].map((what) => ({ what, first: held[0][what], 'second quarter': early((each) => each[what]), 'last quarter': late((each) => each[what]) }));
  printTable('What the agent’s process held', rows);

  const [rss, fds, threads] = rows.map((row) => row['last quarter'] - row['second quarter']);
  const faults = [
    seen.length < firstFrames.length && `${firstFrames.length - seen.length} newcomers had no picture`,
    !(residentMoves && gaps[0] < LOST_MS) && `the resident lost the picture (${gaps[0].toFixed(0)} ms)`,
    rss > GROWTH_KB && `the agent grew by ${rss} kB`,
    fds > 1 && `the agent has ${fds} more files open`,
    threads > 1 && `the agent has ${threads} more threads`,
  ].filter(Boolean);
  for (const fault of faults) console.log(`FAILED: ${fault}`);
  return faults.length === 0;
}

/** From joining to the first frame in ms; undefined when the picture never moved. */
async function joinOnce(newcomer, number) {
  await newcomer.join({ user: `newcomer-${number}` });
  const { joinCalledAt } = await newcomer.state();
  const moves = await isMoving(newcomer, 'agent', joinCalledAt, PICTURE_MS);
  const report = await newcomer.report('agent');
  if (!moves) for (const line of await keepLog(newcomer, `soak-${generation}-${number}`)) console.log(line);
  await newcomer.leave();
  if (!moves) return undefined;
  return Math.round(firstFrameAfter(report.frames, joinCalledAt));
}

/** The agent’s counters, losses among them. */
async function counters(agent) {
  const { body } = await agent.control.ask('GET', '/metrics');
  return body
    .toString()
    .split('\n')
    .filter((line) => /^roomcam_\w+_total\b/.test(line))
    .map((line) => ({ counter: line.slice(0, line.lastIndexOf(' ')), value: line.slice(line.lastIndexOf(' ') + 1) }));
}

// Half an hour of publishing to Janus by WHIP, while a page watches: the link is narrowed and cut, the server restarted, the
// agent killed. Prints how many pictures came, how long there was none for each kind of event, and what the agent's process held.
// Ends with 1 when a picture took longer than 15 s after an event had ended, or the process grew. `SOAK_SECONDS` says how long
// (1800), `SEED` what happens. As root.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startAgent } from '../e2e/lib/agents.mjs';
import { reportOf, startBrowser } from '../e2e/lib/browser.mjs';
import { missingForJanus, startJanus, VIDEO_ROOM } from '../e2e/lib/media-servers.mjs';
import { ROOMCAM_RELEASE } from '../e2e/lib/paths.mjs';
import { longestGapMs } from '../e2e/lib/pictures.mjs';
import { observeFor, until } from '../e2e/lib/waiting.mjs';
import { NOMINAL_BPS } from '../network/rows.mjs';
import { resourcesOf } from './cost.mjs';
import { runSoak } from './run-soak.mjs';
import { median, printTable, quantile } from './table.mjs';

const SECONDS = Number(process.env.SOAK_SECONDS ?? 1_800);
const TOKEN = 'verysecret';
/** How soon there is a picture after an event has ended. */
const PICTURE_MS = 15_000;
/** How long it is waited for all the same, to say how long it took. */
const PATIENCE_MS = 120_000;
const NARROW_MS = 10_000;
/** Between two events: from this on, and up to twice as long. */
const QUIET_MS = 4_000;
/** The agent is killed in this part of the time; the process that lives through the rest is the one that must not grow. */
const KILLED_WITHIN = 1 / 3;
/** By how much that process may hold more in the last quarter of its life than in the second one. */
const GROWTH = { rssKb: 2_048, fds: 1, threads: 1 };

const missing = missingForJanus();
if (missing) throw new Error(missing);
await runSoak(soak);

async function soak({ endings, used, random, directory, link }) {
  const [ofJanus, state] = ['janus', 'state'].map((name) => join(directory, name));
  for (const each of [ofJanus, state]) mkdirSync(each);
  const server = await startJanus(ofJanus, link.address, TOKEN);
  let [janus, whip] = server.children;
  endings.push(() => whip.stop(), () => janus.stop());
  const publish = () => startAgent({
    directory, origin: server.origin, room: 'soak', userId: 'agent', program: ROOMCAM_RELEASE, link,
    meeting: { protocol: 'whip' }, env: { STATE_DIRECTORY: state, ROOMCAM_TOKEN: TOKEN },
  });
  let agent = publish();
  endings.push(() => agent.stop());

  const browser = await startBrowser();
  endings.push(() => browser.stop());
  const page = await browser.newPage();
  await page.goto(`${browser.pages}/janus.html`);
  const watch = () => page.evaluate(([socket, room]) => {
    // What the former viewer was told holds for the former server.
    window.viewer.peer?.close();
    window.viewer = new Viewer();
    return window.viewer.watch(socket, room);
  }, [server.socket, VIDEO_ROOM]);
  const now = () => page.evaluate(() => performance.now());
  await watch();

  const cut = async (ms) => {
    link.plug(false);
    await observeFor(ms);
    link.plug(true);
  };
  const events = {
    async narrow() {
      link.limit(NOMINAL_BPS / 2);
      await observeFor(NARROW_MS);
      link.limit();
    },
    'cut for 3 s': () => cut(3_000),
    'cut for 10 s': () => cut(10_000),
    async 'server restarted'() {
      janus.signal('SIGKILL');
      await janus.exited;
      janus = await server.start();
      await watch();
    },
    async 'agent killed'() {
      agent.signal('SIGKILL');
      await agent.exited;
      agent = publish();
    },
  };

  const seen = await shownFrom(page, 0, 30_000);
  if (seen === undefined) throw new Error(`there was never a picture:\n${agent.tail()}`);
  const outcomes = Object.fromEntries(Object.keys(events).map((what) => [what, []]));
  const startedMs = performance.now();
  const part = () => (performance.now() - startedMs) / (SECONDS * 1_000);
  let pictures = 0;
  let held = [];
  while (part() < 1) {
    await observeFor(QUIET_MS * (1 + random()));
    held.push(resourcesOf(agent.pid));
    pictures += await forgetFrames(page);
    const possible = Object.keys(events).filter((what) => what !== 'agent killed' || part() < KILLED_WITHIN);
    const what = possible[Math.floor(random() * possible.length)];
    const fromMs = await now();
    await events[what]();
    if (what === 'agent killed') held = [];
    const endMs = await now();
    const backMs = await shownFrom(page, endMs, PATIENCE_MS);
    if (!(backMs <= PICTURE_MS)) console.error(agent.tail());
    const gapMs = longestGapMs(await reportOf(page, 'video'), fromMs, await now());
    outcomes[what].push({ backMs: backMs ?? PATIENCE_MS, gapMs });
    console.error(JSON.stringify({ at: Math.round(part() * SECONDS), what, backMs, gapMs: Math.round(gapMs), ...held.at(-1) }));
  }
  pictures += await forgetFrames(page);
  return report(used, pictures, outcomes, held);
}

/** How long after `sinceMs` on the page's clock a picture was shown, in ms; undefined if none was in time. */
async function shownFrom(page, sinceMs, deadlineMs) {
  const first = async () => (await reportOf(page, 'video'))?.frames.find(([atMs]) => atMs > sinceMs);
  const frame = await until('a picture', deadlineMs, first, 50).catch(() => undefined);
  return frame && Math.round(frame[0] - sinceMs);
}

/** Empties the page's record but for the last picture, and says how many were in it. */
function forgetFrames(page) {
  return page.evaluate(() => window.roomcamProbe.of('video').reduce((sum, { frames }) => sum + frames.splice(0, frames.length - 1).length, 0));
}

function report(used, pictures, outcomes, held) {
  const rows = Object.entries(outcomes).filter(([, all]) => all.length > 0).map(([event, all]) => {
    const ms = (of, at) => `${Math.round(quantile(all.map((each) => each[of]), at))} ms`;
    return { event, times: all.length, 'picture after its end': ms('backMs', 0.5), worst: ms('backMs', 1), 'no picture for': ms('gapMs', 0.5), longest: ms('gapMs', 1) };
  });
  printTable(`${SECONDS} s, seed ${used}, ${pictures} pictures`, rows);
  const quarter = Math.max(1, Math.floor(held.length / 4));
  const holds = Object.keys(GROWTH).map((what) => {
    const of = (samples) => median(samples.map((each) => each[what]));
    return { what, first: held[0][what], 'second quarter': of(held.slice(quarter, 2 * quarter)), 'last quarter': of(held.slice(-quarter)) };
  });
  printTable(`What the agent’s last process held, ${held.length} times`, holds);
  const faults = [
    ...Object.entries(outcomes).flatMap(([what, all]) => all.filter(({ backMs }) => backMs > PICTURE_MS).map(({ backMs }) => `${what}: no picture for ${backMs} ms after its end`)),
    ...holds.filter((row) => row['last quarter'] - row['second quarter'] > GROWTH[row.what]).map(({ what }) => `${what} grew by more than ${GROWTH[what]}`),
  ];
  for (const fault of faults) console.log(`FAILED: ${fault}`);
  return faults.length === 0;
}

// Bad networks: people are heard, always live. Each row of the table is a link, what is asked of it, and what came.
// `NETWORK_SECONDS` lets each row take longer.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Scene } from '../e2e/lib/scene.mjs';
import { nowMs, observeFor, until } from '../e2e/lib/waiting.mjs';
import { randomNumbers, seed } from '../e2e/lib/random.mjs';
import { Link } from './link.mjs';
import { Proxy } from './proxy.mjs';
import { arrived, linkReport, viewerReport } from './record.mjs';

/** What the agent sends without a limit: 800 kbit/s of picture, 32 of voice. */
const NOMINAL_BPS = 832_000;
/** How long the link is good before it is what the row says. */
const WARM_UP_MS = 5_000;
/** What the agent may take to adapt. */
const ADAPTING_MS = 3_000;
const MEASURED_MS = Number(process.env.NETWORK_SECONDS ?? 20) * 1_000;

/** `play`: what happens to the link; measured is from [`ADAPTING_MS`] after its last change on. `goals`: bounds. */
const ROWS = [
  {
    name: 'half the rate',
    play: ({ link }) => link.limit(NOMINAL_BPS / 2),
    goals: { delayP95: 400, latencyP95: 1_000, longestFreeze: 500, voice: 0.99 },
  },
  {
    name: 'a quarter of the rate',
    play: ({ link }) => link.limit(NOMINAL_BPS / 4),
    goals: { delayP95: 400, latencyP95: 1_000, longestFreeze: 500, voice: 0.99, fps: 5 },
  },
  {
    name: '64 kbit/s',
    play: ({ link }) => link.limit(64_000),
    goals: { latencyP95: 1_000, voice: 0.99 },
  },
  {
    name: 'a little more than the rate',
    play: ({ link }) => link.limit(NOMINAL_BPS * 1.2),
    goals: { delayP95: 400, latencyP95: 1_000, longestFreeze: 500, voice: 0.99, fps: 25 },
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
    goals: { delayP95: 400, latencyP95: 1_000, longestFreeze: 500, voice: 0.99, fps: 25 },
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
    goals: { delayP95: 400, latencyP95: 1_000, longestFreeze: 500, voice: 0.99, oldestMs: 1_000 },
  },
  {
    name: 'bursts of up to 400 ms',
    async play({ proxy, random }, endMs) {
      while (nowMs() < endMs) {
        proxy.hold();
        await observeFor(50 + random() * 350);
        proxy.release();
        await observeFor(200 + random() * 800);
      }
    },
    during: true,
    goals: { latencyP95: 1_500, longestFreeze: 600, voice: 0.99, longestWithoutVoice: 600 },
  },
];

const table = [];
after(() => console.table(Object.fromEntries(table)));

for (const row of ROWS) {
  test(row.name, { timeout: 120_000 }, async (t) => {
    const scene = new Scene(t);
    await scene.play(() => measure(scene, row, t));
  });
}

async function measure(scene, { name, play, goals, whole = {}, adaptingMs = ADAPTING_MS, during = false }, t) {
  const link = new Link();
  t.after(() => link.close());
  const relay = await scene.relay('nestjs-new');
  const proxy = await Proxy.start(link.address, relay.port);
  t.after(() => proxy.close());
  const recorder = await scene.participant(relay, 'recorder');
  const browser = await scene.browser();
  const viewer = await browser.client('later', { relay, room: scene.room, user: 'viewer' });
  await viewer.join();
  const agent = scene.agent({ origin: proxy.origin }, 'agent', { link });
  await viewer.frames('agent', 30);
  await observeFor(WARM_UP_MS);

  const random = randomNumbers(seed());
  const changedMs = nowMs();
  const endOfPlay = changedMs + MEASURED_MS;
  await play({ link, proxy, random }, endOfPlay);
  const fromMs = during ? changedMs : nowMs() + adaptingMs;
  const toMs = during ? endOfPlay : fromMs + MEASURED_MS;
  await observeFor(Math.max(0, toMs - nowMs()));
  const seen = await viewer.report('agent');
  const originMs = await viewer.page.evaluate(() => performance.timeOrigin);
  // What was cut before the end may still be on its way.
  link.limit();
  const chunks = await until('the last chunk', 15_000, () => {
    const all = arrived(recorder, agent.trace());
    return all.some(({ cutMs }) => cutMs >= toMs) && all;
  });
  const report = { ...linkReport(chunks, fromMs, toMs), ...viewerReport(seen.frames, originMs, chunks, fromMs, toMs) };
  const all = viewerReport(seen.frames, originMs, chunks, changedMs, toMs);
  table.push([name, rounded({ ...report, freezeInAll: all.longestFreeze })]);
  t.diagnostic(JSON.stringify(table.at(-1)));
  if (process.env.FREEZE) {
    const shown = seen.frames.map(([page, media]) => [page + originMs, media]).filter(([at]) => at >= changedMs && at < toMs);
    let worst = 1;
    shown.forEach((frame, i) => { if (i && frame[0] - shown[i - 1][0] > shown[worst][0] - shown[worst - 1][0]) worst = i; });
    const at = shown[worst - 1][0];
    console.log('FREEZE', shown.slice(Math.max(0, worst - 3), worst + 3).map(([t, m]) => `${Math.round(t - changedMs)}:${m.toFixed(2)}`).join(' '));
    console.log('BUFFERED', JSON.stringify(seen.buffered ?? null));
    for (const c of chunks.filter((c) => c.arrivedMs > at - 3000 && c.arrivedMs < shown[worst][0] + 300)) console.log(Math.round(c.arrivedMs - changedMs), c.bytes, 'media', c.startMs, c.endMs, 'cut', Math.round(c.cutMs - changedMs), 'cam', c.camera?.frames);
  }
  const atLeast = new Set(['voice', 'fps']);
  const missed = [
    ...Object.entries(goals).filter(([what, goal]) => !(atLeast.has(what) ? report[what] >= goal : report[what] <= goal)).map(([what, goal]) => `${what} is ${report[what]}, not ${goal}`),
    ...Object.entries(whole).filter(([what, goal]) => !(all[what] <= goal)).map(([what, goal]) => `${what}, with the changes, is ${all[what]}, not ${goal}`),
  ];
  assert.deepEqual(missed, []);
}

function rounded(report) {
  return Object.fromEntries(Object.entries(report).map(([what, value]) => [what, Math.round(value * 100) / 100]));
}

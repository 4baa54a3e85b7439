// The agent with pages of both dialects, join after join, over servers as they are deployed: every page sees and hears it,
// whoever offers, whoever was first.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { SMALL_PICTURE } from './lib/agents.mjs';
import { framesShown } from './lib/browser.mjs';
import { firstFrameAfter, quantile } from './lib/measures.mjs';
import { scenario } from './lib/scene.mjs';
import { startMeshServer, startNoomServer } from './lib/signalling-servers.mjs';
import { until } from './lib/waiting.mjs';

const FLAGS = ['--allow-loopback-in-peer-connection'];
/** Joins of each style and order, unless `JOINS` says how many. */
const JOINS = Number(process.env.JOINS ?? 20);
/** What a server adds somewhere on the internet, so that offers cross. */
const DELAY_MS = '60';
/** What makes the offer of a page arrive when the agent has decided to offer itself. */
const CROSSING_MS = '800';
/** Whoever sees nothing by then sees nothing. */
const DEADLINE_MS = 8_000;
/** Pictures that are waited for. */
const FRAMES = 5;

const ORDERS = ['agent first', 'agent second'];
const MESH = ['both', 'newcomer', 'existing'].flatMap((offers) => ORDERS.map((order) => ({ offers, order })));
const NOOM = ['object', 'document', 'args'].flatMap((form) => ORDERS.map((order) => ({ form, order })));

const join = (page, server, room) =>
  page.evaluate(([origin, name]) => window.participant.join(origin, name, 'viewer'), [server.origin, room]);
const now = (page) => page.evaluate(() => performance.now());
const stateOf = (page) => page.evaluate(() => window.participant.state());

/** Resolves when the page has shown pictures and got sound; with how long after `sinceMs` the first picture came. */
async function seen(page, sinceMs) {
  const report = await framesShown(page, 'video', FRAMES, { sinceMs, deadlineMs: DEADLINE_MS });
  await until('sound', DEADLINE_MS, async () => ((await stateOf(page)).inbound?.audio?.packetsReceived ?? 0) > 5);
  return firstFrameAfter(report.frames, sinceMs);
}

/** Each join in a room of its own, with a page, opened again in the same tab, and an agent that are new to each other. */
async function joins(scene, t, { order, server, path, meeting }) {
  const browser = await scene.browser({ flags: FLAGS });
  const page = await browser.newPage();
  const times = [];
  const failures = [];
  for (let count = 1; count <= JOINS; count += 1) {
    const room = `${scene.room}-${count}`;
    const present = (many) => until(`${many} in the room`, 10_000, async () => Object.keys(await inRoom(server, room)).length === many);
    await page.goto(`${browser.pages}/${path}`);
    if (order === 'agent second') await join(page, server, room);
    const agent = scene.agent(server, `agent-${count}`, { room, meeting, capture: SMALL_PICTURE });
    await present(order === 'agent second' ? 2 : 1);
    const sinceMs = await now(page);
    if (order === 'agent first') await join(page, server, room);
    try {
      times.push(await seen(page, sinceMs));
    } catch (error) {
      failures.push(count);
      const { connection, tracks, heard } = await stateOf(page);
      t.diagnostic(`join ${count}: ${error.message}; the page: ${JSON.stringify({ connection, tracks, heard })}`);
      for (const line of agent.lines.slice(-8)) t.diagnostic(`    ${line}`);
    }
    await agent.stop();
  }
  const [median, worst] = [0.5, 1].map((share) => Math.round(quantile(times, share)));
  t.diagnostic(`${times.length} of ${JOINS} joins; first picture after ${median} ms (median), ${worst} ms (worst)`);
  assert.deepEqual(failures, []);
}

async function meshJoins(scene, t, { offers, order, delayMs }) {
  const server = await startMeshServer({ DELAY_MS: delayMs });
  scene.owns(server.child);
  await joins(scene, t, { order, server, path: `mesh.html?offers=${offers}`, meeting: { protocol: 'mesh' } });
}

/** Who is in a room, of either server. */
async function inRoom(server, room) {
  const users = await server.users(room);
  return typeof users === 'number' ? Array.from({ length: users }) : users;
}

// They mostly wait for signalling, and judge no time.
describe('joins', { concurrency: 4 }, () => {
  scenario('every page of a mesh sees the agent at every join', MESH, { timeout: 400_000 }, async (scene, { offers, order }, t) => {
    await meshJoins(scene, t, { offers, order, delayMs: DELAY_MS });
  });

  scenario('a page whose offers cross those of the agent sees it at every join', ORDERS, { timeout: 400_000 }, async (scene, order, t) => {
    await meshJoins(scene, t, { offers: 'both', order, delayMs: CROSSING_MS });
  });

  scenario('every page of a one-to-one room sees the agent at every join', NOOM, { timeout: 400_000 }, async (scene, { form, order }, t) => {
    const server = await startNoomServer({ FORM: form });
    scene.owns(server.child);
    const meeting = { protocol: 'noom', form: form === 'args' ? 'args' : 'object' };
    await joins(scene, t, { order, server, path: `noom.html?form=${form}`, meeting });
  });
});

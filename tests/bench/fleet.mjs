// Two servers that share their rooms over one Redis, with half of each room's viewers at each: what the embedded relay and
// NestJS with `@socket.io/redis-adapter` cost for the same work, and how late a chunk comes.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOMCAM_RELEASE, TARGET, TESTS } from '../e2e/lib/paths.mjs';
import { freePort } from '../e2e/lib/ports.mjs';
import { Child } from '../e2e/lib/processes.mjs';
import { costOver } from './cost.mjs';
import { median, spread } from './table.mjs';

const ROOMS = 20;
/** Of each room. */
const VIEWERS = 40;
const SERVERS = 2;
/** Taken in turns, so that a noisy minute meets both. */
const RUNS = 3;
const CLIENTS = join(TARGET, 'release/examples/fan_out');

/** Measures both, and returns a table. */
export async function benchFleet(network, seconds) {
  const runs = { 'roomcam relay --redis': [], 'NestJS, redis-adapter': [] };
  for (let run = 1; run <= RUNS; run += 1) {
    for (const kind of Object.keys(runs)) {
      console.error(`${SERVERS} x ${kind}, ${ROOMS} rooms with ${VIEWERS} viewers each, run ${run} of ${RUNS}`);
      runs[kind].push(await measure(network, kind, seconds));
    }
  }
  const cost = (kind) => median(runs[kind].map(({ serversPercent }) => serversPercent));
  const [ours, theirs] = Object.keys(runs).map(cost);
  return {
    title: `${SERVERS} servers and one Redis on one core: ${ROOMS} rooms, each a camera with 10.4 kB each 100 ms and ${VIEWERS} viewers, half of them at the other server; median (lowest..highest) of ${RUNS} runs`,
    rows: Object.entries(runs).map(([kind, measured]) => row(kind, measured)),
    verdict: `The relays take ${(ours / theirs).toFixed(2)} of the CPU of NestJS for the same work.`,
  };
}

function row(kind, runs) {
  const of = (value, digits) => spread(runs.map(value), digits);
  return {
    servers: kind,
    'servers CPU %': of(({ serversPercent }) => serversPercent),
    'servers PSS MB': of(({ serversMb }) => serversMb),
    'Redis CPU %': of(({ redis }) => redis.cpuPercent),
    'clients CPU %': of(({ clients }) => clients.cpuPercent),
    lost: runs.map(({ lost }) => lost).join(', '),
    'out of turn': runs.map(({ outOfTurn }) => outOfTurn).join(', '),
    'late p50 ms': of(({ delayMs }) => delayMs.p50, 1),
    'p99.9 ms': of(({ delayMs }) => delayMs.p999, 1),
    'worst ms': of(({ delayMs }) => delayMs.worst, 0),
  };
}

async function measure(network, kind, seconds) {
  const directory = mkdtempSync(join(tmpdir(), 'roomcam-bench-'));
  const children = [];
  const start = (name, side, command, options) => {
    const [program, ...args] = network.inside(side, command);
    children.push(new Child(name, program, args, options));
    return children.at(-1);
  };
  try {
    const port = await freePort();
    const redisArgs = ['--port', port, '--bind', network.relayAddress, '--protected-mode', 'no', '--save', '', '--dir', directory];
    const redis = start('redis-server', 'relay', ['redis-server', ...redisArgs.map(String)]);
    await redis.line(/ready to accept connections/i);
    const url = `redis://${network.relayAddress}:${port}`;
    const servers = [];
    const hosts = [];
    for (let count = 0; count < SERVERS; count += 1) {
      const { command, env } = server(kind, network, url);
      servers.push(start(kind, 'relay', command, { env }));
      hosts.push((await servers.at(-1).line(/http:\/\/([^\s/"]+)/))[1]);
    }
    const clients = start('clients', 'clients', [CLIENTS, hosts.join(','), ...[VIEWERS, seconds, ROOMS].map(String)], { input: true });
    await clients.line(/^ready$/, 120_000);
    clients.write('start\n');
    const costs = await Promise.all([...servers, redis, clients].map(({ pid }) => costOver(pid, seconds * 1_000)));
    const [line] = await clients.line(/^\{.*\}$/, 30_000);
    const ofServers = costs.slice(0, SERVERS);
    const sum = (value) => ofServers.reduce((total, cost) => total + value(cost), 0);
    return {
      serversPercent: sum(({ cpuPercent }) => cpuPercent),
      serversMb: sum(({ pssMb }) => pssMb),
      redis: costs[SERVERS],
      clients: costs[SERVERS + 1],
      ...JSON.parse(line),
    };
  } catch (error) {
    throw new Error(`${kind}: ${error.message}\n${children.map((child) => child.tail()).join('\n')}`);
  } finally {
    for (const child of children.reverse()) await child.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

function server(kind, network, redis) {
  if (kind.startsWith('NestJS')) {
    // ROOMS, for `scale.mjs` a number of rooms, is for this server the only rooms that exist.
    const env = { ADDRESS: network.relayAddress, GENERATION: 'new', REDIS: redis, ROOMS: undefined };
    return { command: [process.execPath, join(TESTS, 'relay/dist/main.js')], env };
  }
  const sessions = ROOMS * (VIEWERS + 1);
  // All clients come from one address, which gets half of the sessions, and all at once.
  const bounds = ['--max-rooms', ROOMS, '--max-participants', VIEWERS + 1, '--max-sessions', 2 * sessions, '--join-rate', 100_000].map(String);
  return { command: [ROOMCAM_RELEASE, 'relay', '--listen', `${network.relayAddress}:0`, '--redis', redis, ...bounds], env: {} };
}

// How much one relay carries: rooms of a camera and its viewers, more and more of them, until chunks come late. The relay's
// CPU is measured apart from that of the clients, who have a core of their own. Then two relays that share their rooms over
// Redis, beside NestJS that does the same.

import { join } from 'node:path';
import { ROOMCAM_RELEASE, TARGET } from '../e2e/lib/paths.mjs';
import { Child } from '../e2e/lib/processes.mjs';
import { costOver } from './cost.mjs';
import { benchFleet } from './fleet.mjs';
import { openNetwork } from './network.mjs';
import { printTable } from './table.mjs';

/** Of each room: 2000 in 50 rooms. */
const VIEWERS = Number(process.env.VIEWERS ?? 40);
const SECONDS = Number(process.env.SCALE_SECONDS ?? 10);
const ROOMS = (process.env.ROOMS ?? '10,25,50,75,100,125,150,175,200').split(',').map(Number);
/** How late 999 of 1000 chunks may come, in ms. */
const LATE_MS = 500;
const CLIENTS = join(TARGET, 'release/examples/fan_out');

const network = openNetwork();
const rows = [];
let holds = 0;
let fleet;
try {
  for (const rooms of ROOMS) {
    console.error(`${rooms} rooms with ${VIEWERS} viewers each`);
    const { relay, clients, sent, lost, delayMs } = await measure(rooms);
    const met = lost === 0 && delayMs.p999 <= LATE_MS;
    rows.push({
      rooms,
      viewers: rooms * VIEWERS,
      'chunks delivered/s': Math.round((sent * VIEWERS) / SECONDS),
      'relay CPU %': relay.cpuPercent.toFixed(1),
      'relay PSS MB': relay.pssMb.toFixed(1),
      'us per chunk': ((relay.cpuPercent * 10_000) / ((sent * VIEWERS) / SECONDS)).toFixed(1),
      'clients CPU %': clients.cpuPercent.toFixed(1),
      lost,
      'late p50/p99/p99.9 ms': [delayMs.p50, delayMs.p99, delayMs.p999].map((ms) => ms?.toFixed(1)).join(' / '),
    });
    if (!met) break;
    holds = rooms;
  }
  fleet = await benchFleet(network, SECONDS);
} finally {
  network.close();
}
printTable(`One relay, each room a camera with 10.4 kB each 100 ms and ${VIEWERS} viewers, over ${network.name}`, rows);
console.log(`\nIt holds ${holds} rooms with ${holds * VIEWERS} viewers before one chunk in 1000 comes later than ${LATE_MS} ms. Where the clients' CPU is near 100 %, they are what does not hold.`);
printTable(fleet.title, fleet.rows);
console.log(`\n${fleet.verdict}`);

async function measure(rooms) {
  const sessions = rooms * (VIEWERS + 1);
  // All clients come from one address, which gets half of the sessions, and all at once.
  const bounds = ['--max-rooms', rooms, '--max-participants', VIEWERS + 1, '--max-sessions', 2 * sessions, '--join-rate', 100_000].map(String);
  const relay = start('roomcam relay', network.inside('relay', [ROOMCAM_RELEASE, 'relay', '--listen', `${network.relayAddress}:0`, ...bounds]));
  let clients;
  try {
    const [, host] = await relay.line(/http:\/\/([^\s/"]+)/);
    clients = start('clients', network.inside('clients', [CLIENTS, host, String(VIEWERS), String(SECONDS), String(rooms)]), { input: true });
    await clients.line(/^ready$/, 120_000);
    clients.write('start\n');
    const [cost, clientsCost] = await Promise.all([relay, clients].map(({ pid }) => costOver(pid, SECONDS * 1_000)));
    const [line] = await clients.line(/^\{.*\}$/, 30_000);
    return { relay: cost, clients: clientsCost, ...JSON.parse(line) };
  } finally {
    await clients?.stop();
    await relay.stop();
  }
}

function start(name, [program, ...args], options) {
  return new Child(name, program, args, options);
}

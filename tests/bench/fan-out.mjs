// One sender and many receivers: what the embedded relay and the NestJS relay cost for the same work, and how late a chunk
// comes. The relay's CPU is measured apart from the receivers'.

import { join } from 'node:path';
import { ROOMCAM_RELEASE, TARGET, TESTS } from '../e2e/lib/paths.mjs';
import { Child } from '../e2e/lib/processes.mjs';
import { costOver } from './cost.mjs';
import { openNetwork } from './network.mjs';
import { verdict } from './table.mjs';

/** The share of the NestJS relay's CPU that the embedded one may take. */
const SHARE_GOAL = 0.4;
/** How late 999 of 1000 chunks may come to a crowd, in ms. */
const LATE_GOAL_MS = 500;
const CROWD = 1_000;
const CLIENTS = join(TARGET, 'release/examples/fan_out');

/** Measures both relays, one after the other, and then the embedded one with a crowd. */
export async function benchFanOut({ seconds, receivers }) {
  const network = openNetwork();
  try {
    const embedded = await measure(network, 'embedded', seconds, receivers);
    const nestjs = await measure(network, 'nestjs', seconds, receivers);
    const crowd = await measure(network, 'embedded', seconds, CROWD);
    const share = embedded.relay.cpuPercent / nestjs.relay.cpuPercent;
    const rows = [
      row('roomcam relay', receivers, embedded, `${share.toFixed(2)} x NestJS (<= ${SHARE_GOAL}: ${verdict(share, SHARE_GOAL)})`),
      row('NestJS relay', receivers, nestjs, ''),
      row('roomcam relay', CROWD, crowd, `p99.9 <= ${LATE_GOAL_MS} ms: ${verdict(crowd.delayMs.p999, LATE_GOAL_MS)}`),
    ];
    return { network: network.name, embedded, nestjs, crowd, tables: [{ title: `Relay, 1 sender for ${seconds} s, 10.4 kB each 100 ms, over ${network.name}`, rows }] };
  } finally {
    network.close();
  }
}

function row(relay, receivers, { relay: cost, clients, sent, lost, outOfTurn, delayMs }, goal) {
  const { p50, p99, p999, worst } = delayMs;
  return {
    relay,
    'CPU %': cost.cpuPercent.toFixed(1),
    'PSS MB': cost.pssMb.toFixed(1),
    'receivers CPU %': clients.cpuPercent.toFixed(1),
    'sent x receivers': `${sent} x ${receivers}`,
    lost,
    'out of turn': outOfTurn,
    'late p50/p99/p99.9/worst ms': [p50, p99, p999, worst].map((ms) => ms.toFixed(1)).join(' / '),
    goal,
  };
}

async function measure(network, kind, seconds, count) {
  console.error(`${kind}: ${count} receivers for ${seconds} s over ${network.name}`);
  const relay = start(kind, network.inside('relay', relayCommand(kind, network, count)), { env: { ADDRESS: network.relayAddress, GENERATION: 'new' } });
  let clients;
  try {
    const [, host] = await relay.line(/http:\/\/([^\s/"]+)/);
    clients = start('receivers', network.inside('clients', [CLIENTS, host, String(count), String(seconds)]), { input: true });
    await clients.line(/^ready$/, 120_000);
    clients.write('start\n');
    const [cost, receiversCost] = await Promise.all([relay, clients].map(({ pid }) => costOver(pid, seconds * 1_000)));
    const [line] = await clients.line(/^\{.*\}$/, 20_000);
    return { relay: cost, clients: receiversCost, ...JSON.parse(line) };
  } catch (error) {
    throw new Error(`${kind}: ${error.message}\n${relay.tail()}\n${clients?.tail()}`);
  } finally {
    await clients?.stop();
    await relay.stop();
  }
}

function relayCommand(kind, network, count) {
  if (kind === 'nestjs') return [process.execPath, join(TESTS, 'relay/dist/main.js')];
  // All receivers come from one address, which gets half of the sessions, and all at once.
  const bounds = ['--max-participants', count + 1, '--max-sessions', 2 * (count + 1), '--join-rate', 10_000].map(String);
  return [ROOMCAM_RELEASE, 'relay', '--listen', `${network.relayAddress}:0`, ...bounds];
}

function start(name, [program, ...args], options) {
  return new Child(name, program, args, options);
}

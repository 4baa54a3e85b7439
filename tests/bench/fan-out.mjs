// One sender and many receiving sockets: what the embedded relay and the NestJS relay cost for the same work.

import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOMCAM_RELEASE } from '../e2e/lib/paths.mjs';
import { Child } from '../e2e/lib/processes.mjs';
import { startRelay } from '../e2e/lib/relays.mjs';
import { costOver } from './cost.mjs';
import { joinRaw, sendChunk } from './raw-client.mjs';
import { verdict } from './table.mjs';

/** A chunk of 100 ms at 0.8 Mbit/s of video and 32 kbit/s of sound. */
const CHUNK_BYTES = 10_400;
const CADENCE_MS = 100;
/** The share of the NestJS relay's CPU that the embedded one may take. */
const GOAL = 0.4;
const HERE = dirname(fileURLToPath(import.meta.url));

/** Measures both relays, one after the other. */
export async function benchFanOut({ seconds, receivers }) {
  const embedded = await measure('embedded', seconds, receivers);
  const nestjs = await measure('nestjs-new', seconds, receivers);
  const share = embedded.cpuPercent / nestjs.cpuPercent;
  const row = (relay, run, goal) => ({
    relay,
    'CPU %': run.cpuPercent.toFixed(1),
    'PSS MB': run.pssMb.toFixed(1),
    'sent x receivers': `${run.sent} x ${receivers}`,
    lost: run.lost,
    'out of turn': run.outOfTurn,
    'delay p50/p99 ms': `${run.delayP50.toFixed(1)} / ${run.delayP99.toFixed(1)}`,
    goal,
  });
  return {
    embedded,
    nestjs,
    tables: [
      {
        title: `Relay, 1 sender and ${receivers} receivers for ${seconds} s, ${CHUNK_BYTES} bytes each ${CADENCE_MS} ms`,
        rows: [
          row('roomcam relay', embedded, `${share.toFixed(2)} x NestJS (<= ${GOAL}: ${verdict(share, GOAL)})`),
          row('NestJS relay', nestjs, ''),
        ],
      },
    ],
  };
}

async function measure(kind, seconds, count) {
  console.error(`${kind}: ${count} receivers for ${seconds} s`);
  const room = 'bench';
  const relay = await startRelay(kind, { program: ROOMCAM_RELEASE });
  const receivers = new Child('receivers', process.execPath, [join(HERE, 'receivers.mjs'), relay.origin, room, String(count)], { input: true });
  let sender;
  try {
    await receivers.line(/^ready$/, 60_000);
    sender = await joinRaw(relay.origin, room, 'sender');
    const sending = startSending(sender);
    const cost = await costOver(relay.child.pid, seconds * 1_000);
    const sent = sending.stop();
    receivers.write(`${sent}\n`);
    const [line] = await receivers.line(/^\{.*\}$/, 20_000);
    return { ...cost, sent, ...JSON.parse(line) };
  } catch (error) {
    throw new Error(`${kind}: ${error.message}\n${relay.child.tail()}\n${receivers.tail()}`);
  } finally {
    sender?.terminate();
    await receivers.stop();
    await relay.stop();
  }
}

/** Sends numbered chunks at the cadence, by the clock: a late timer is made up for by the next. */
function startSending(socket) {
  const filling = randomBytes(CHUNK_BYTES);
  const fromMs = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    while (sent * CADENCE_MS <= performance.now() - fromMs) {
      const chunk = Buffer.from(filling);
      const nowMs = performance.timeOrigin + performance.now();
      chunk.writeUInt32BE(sent, 0);
      chunk.writeDoubleBE(nowMs, 4);
      sendChunk(socket, chunk, Math.round(nowMs));
      sent += 1;
    }
  }, CADENCE_MS / 4);
  return {
    stop() {
      clearInterval(timer);
      return sent;
    },
  };
}

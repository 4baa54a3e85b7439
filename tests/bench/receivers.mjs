// A process of many receiving sockets: node receivers.mjs ORIGIN ROOM COUNT. Prints `ready` when all have
// joined. On a line of input, the number of chunks that were sent, waits up to 5 s for the rest and prints
// what each socket got, summed up, as one line of JSON.

import { createInterface } from 'node:readline';
import { until } from '../e2e/lib/waiting.mjs';
import { quantile } from './table.mjs';
import { joinRaw } from './raw-client.mjs';

/** Sockets that join at the same time: a crowd, not an attack. */
const AT_ONCE = 10;

const [origin, room, countText] = process.argv.slice(2);
const count = Number(countText);
const nowMs = () => performance.timeOrigin + performance.now();

/** Per receiver: how many chunks came, the number expected next, and how many came out of turn. */
const receivers = Array.from({ length: count }, () => ({ received: 0, next: 0, outOfTurn: 0 }));
const delays = [];

for (let first = 0; first < count; first += AT_ONCE) {
  const group = receivers.slice(first, first + AT_ONCE);
  await Promise.all(group.map((receiver, index) => joinRaw(origin, room, `receiver-${first + index}`, (chunk) => note(receiver, chunk))));
}
console.log('ready');

for await (const line of createInterface({ input: process.stdin })) {
  const sent = Number(line);
  const complete = () => receivers.every(({ received }) => received >= sent);
  await until('every chunk at every receiver', 5_000, complete).catch(() => {});
  const total = (of) => receivers.reduce((sum, receiver) => sum + of(receiver), 0);
  console.log(
    JSON.stringify({
      received: total(({ received }) => received),
      lost: total(({ received }) => sent - received),
      outOfTurn: total(({ outOfTurn }) => outOfTurn),
      delayP50: quantile(delays, 0.5),
      delayP99: quantile(delays, 0.99),
    }),
  );
  process.exit(0);
}

/** A chunk starts with its number (u32) and the time it was sent (f64, Unix ms), both big-endian. */
function note(receiver, chunk) {
  const number = chunk.readUInt32BE(0);
  if (number !== receiver.next) receiver.outOfTurn += 1;
  receiver.next = number + 1;
  receiver.received += 1;
  // One in 64 is enough for a quantile, and keeps the memory of a long run small.
  if (receiver.received % 64 === 1) delays.push(nowMs() - chunk.readDoubleBE(4));
}

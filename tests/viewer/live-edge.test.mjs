// Run with `node --test tests/viewer/`.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { mayStart, rateFor, steer } from '../../src/relay/viewer/live-edge.js';

const calm = { least: 0.2, starved: false, seeking: false, stalledMs: 0, nudges: 0 };
const at = (position, ranges, change = {}) => steer({ ...calm, position, ranges, ...change });

test('the rate follows the lag', () => {
  const rates = [0.06, 0.3, 0.31, 0.8, 0.81, 1.5, 1.51, 5].map((lag) => rateFor(lag));
  assert.deepEqual(rates, [1, 1, 1.02, 1.02, 1.05, 1.05, 1.1, 1.1]);
});

test('where a lag has been of next to nothing, playback slows down until there is something in hand', () => {
  assert.deepEqual([rateFor(0.15, 0.05), rateFor(0.15, 0.06), rateFor(0.15, -0.1)], [0.95, 1, 0.95]);
  assert.equal(at(9.75, [[0, 10]], { least: 0.02 }).rate, 0.95);
});

test('a stream begins with 0.2 s in hand, or after half a second', () => {
  assert.equal(mayStart({ position: 0, ranges: [[0, 0.2]], waitedMs: 0 }), true);
  assert.equal(mayStart({ position: 0, ranges: [[0, 0.19]], waitedMs: 500 }), false);
  assert.equal(mayStart({ position: 0, ranges: [[0, 0.19]], waitedMs: 501 }), true);
  assert.equal(mayStart({ position: 0, ranges: [[300, 301]], waitedMs: 501 }), false, 'first it has to go there');
  assert.equal(mayStart({ position: 0, ranges: [], waitedMs: 501 }), false);
});

test('a new stream that stands far from 0 is gone to at once', () => {
  assert.deepEqual(at(0, [[343, 343.45]]), { lag: 343.45, rate: 1, jumpTo: 343.1505, why: 'lag' });
});

// Firefox loses the stream at some of the seeks to exactly where a packet of sound begins, and says no more than that it
// cannot decode it. The times of blocks are whole milliseconds.
test('a jump lands between two milliseconds, no earlier than what it aims at', () => {
  for (const start of [0, 0.001, 5.1, 28_661_809.753, 28_661_828.26]) {
    for (const range of [[start, start + 0.1], [start, start + 1.234]]) {
      const { jumpTo } = at(-1, [range]);
      const aim = Math.max(start, range[1] - 0.3);
      assert.ok(jumpTo >= aim && jumpTo <= aim + 0.001, `${jumpTo} for ${aim}`);
      assert.ok(Math.abs((jumpTo * 1000) % 1 - 0.5) < 0.1, `${jumpTo} is a whole millisecond`);
    }
  }
});

test('close to the live edge it only plays', () => {
  assert.deepEqual(at(9.75, [[0, 10]]), { lag: 0.25, rate: 1, jumpTo: null, why: null });
});

test('more than 2 s behind it jumps to 0.3 s before the end', () => {
  assert.equal(at(8, [[0, 10]]).jumpTo, null);
  const { jumpTo, why } = at(7.9, [[0, 10]]);
  assert.equal(why, 'lag');
  assert.equal(jumpTo, 9.7005);
});

test('a jump never lands before the range it aims at', () => {
  assert.equal(at(1, [[0, 2], [9.9, 10]]).jumpTo, 9.9005);
});

test('a newcomer, whose position is before everything there is, jumps in', () => {
  assert.deepEqual(at(0, [[0.5, 1.5]]), { lag: 1.5, rate: 1, jumpTo: 1.2005, why: 'outside' });
});

test('in front of a gap it jumps over it, as soon as the browser has nothing more to play', () => {
  const ranges = [[0, 5], [5.1, 5.3]];
  assert.equal(at(4.8, ranges).jumpTo, null, 'there is still something to play');
  assert.deepEqual([at(4.95, ranges).why, at(4.95, ranges).jumpTo], ['gap', 5.1005]);
  assert.equal(at(4.88, ranges, { starved: true }).why, 'gap', 'one track may end before the range does');
});

test('at the end of everything it waits', () => {
  assert.equal(at(5, [[0, 5]], { starved: true, stalledMs: 60_000 }).jumpTo, null);
  assert.equal(at(4.95, [[0, 5]], { starved: true, stalledMs: 60_000 }).jumpTo, null);
  assert.equal(at(6, [[0, 5]], { stalledMs: 60_000 }).jumpTo, null);
  assert.equal(at(0, [], { stalledMs: 60_000 }).jumpTo, null);
});

test('standing still for more than 300 ms with media ahead is a stall, and patience doubles', () => {
  const ranges = [[0, 10]];
  assert.equal(at(9.5, ranges, { stalledMs: 300 }).jumpTo, null);
  assert.deepEqual([at(9.5, ranges, { stalledMs: 301 }).why, at(9.5, ranges, { stalledMs: 301 }).jumpTo], ['stall', 9.7005]);
  assert.equal(at(9.5, ranges, { stalledMs: 600, nudges: 1 }).jumpTo, null);
  assert.equal(at(9.5, ranges, { stalledMs: 601, nudges: 1 }).why, 'stall');
  assert.equal(at(9.5, ranges, { stalledMs: 5001, nudges: 30 }).why, 'stall', 'but not without end');
});

test('a jump that does not arrive is given up', () => {
  const ranges = [[0, 5], [6, 20]];
  assert.equal(at(4, ranges, { seeking: true, stalledMs: 200 }).jumpTo, null);
  assert.equal(at(4, ranges, { seeking: true, stalledMs: 301 }).why, 'lag');
});

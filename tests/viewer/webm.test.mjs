// Run with `node --test tests/viewer/`.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { clustersIn, isInit, mayBecomeInit, sameInit } from '../../src/relay/viewer/webm.js';

const EBML = [0x1a, 0x45, 0xdf, 0xa3, 0x80];
/** A cluster at a time in ms, with an 8-byte size and a 3-byte timestamp. */
const cluster = (ms) => [
  0x1f, 0x43, 0xb6, 0x75, 0x01, 0, 0, 0, 0, 0, 0, 0x05,
  0xe7, 0x83, (ms >> 16) & 0xff, (ms >> 8) & 0xff, ms & 0xff,
];

test('an init segment starts with an EBML header', () => {
  assert.equal(isInit(Uint8Array.from([...EBML, ...cluster(0)])), true);
  assert.equal(isInit(Uint8Array.from(cluster(0))), false);
  assert.equal(isInit(new Uint8Array()), false);
});

test('the first byte of an EBML header may become an init segment', () => {
  assert.equal(mayBecomeInit(Uint8Array.from([0x1a])), true);
  assert.equal(mayBecomeInit(Uint8Array.from(EBML)), true);
  assert.equal(mayBecomeInit(Uint8Array.from([0x1f])), false);
  assert.equal(mayBecomeInit(new Uint8Array()), false);
});

test('clusters are found with their place and time', () => {
  const bytes = Uint8Array.from([...EBML, ...cluster(100), 0x1f, 0x1f, ...cluster(70_000)]);
  assert.deepEqual(clustersIn(bytes), [{ at: 5, time: 0.1 }, { at: 24, time: 70 }]);
});

test('what only looks like a cluster, or is cut short, is none', () => {
  assert.deepEqual(clustersIn(Uint8Array.from([0x1f, 0x43, 0xb6, 0x75, 0x85, 0xa3, 0x81, 0])), []);
  assert.deepEqual(clustersIn(Uint8Array.from(cluster(100).slice(0, -1))), []);
  assert.deepEqual(clustersIn(Uint8Array.from([0x1f, 0x43, 0xb6, 0x75])), []);
});

test('init segments are compared up to where they end', () => {
  const one = Uint8Array.from([...EBML, ...cluster(0)]);
  const other = Uint8Array.from([...EBML, ...cluster(9)]);
  assert.equal(sameInit(one, 5, other, 5), true);
  assert.equal(sameInit(one, one.length, other, other.length), false);
});

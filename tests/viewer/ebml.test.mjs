// Run with `node --test tests/viewer/`.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { INVALID, element, readId, readSize, readUnsigned, writeSize, writeUnsigned } from '../../src/relay/viewer/ebml.js';
import { chance } from './bytes.mjs';

const of = (...bytes) => Uint8Array.from(bytes);

test('ids keep their marker bits, and have four bytes at most', () => {
  assert.deepEqual(readId(of(0xa3), 0), { value: 0xa3, length: 1 });
  assert.deepEqual(readId(of(0, 0x1a, 0x45, 0xdf, 0xa3), 1), { value: 0x1a45dfa3, length: 4 });
  assert.equal(readId(of(0x1a, 0x45), 0), null);
  assert.equal(readId(of(), 0), null);
  assert.equal(readId(of(0x08, 1, 2, 3, 4), 0), INVALID);
  assert.equal(readId(of(0x00), 0), INVALID);
});

test('sizes are read in every length, and all ones are unknown in each', () => {
  for (let length = 1; length <= 8; length += 1) {
    const ones = of(0xff >> (length - 1), ...Array(length - 1).fill(0xff));
    assert.deepEqual(readSize(ones, 0), { value: Infinity, length });
    const one = of(0x80 >> (length - 1), ...Array(length - 1).fill(0));
    one[length - 1] |= 1;
    assert.deepEqual(readSize(one, 0), { value: 1, length });
    assert.equal(readSize(ones.slice(0, length - 1), 0), null);
  }
  assert.equal(readSize(of(0x00, 1, 2, 3, 4, 5, 6, 7, 8), 0), INVALID);
});

test('every size is written as short as can be, but never as all ones', () => {
  for (const [value, length] of [[0, 1], [126, 1], [127, 2], [128, 2], [16_382, 2], [16_383, 3], [16_384, 3], [2_097_150, 3], [2_097_151, 4]]) {
    assert.deepEqual([readSize(writeSize(value), 0), writeSize(value).length], [{ value, length }, length]);
  }
  const random = chance(3);
  for (let tries = 0; tries < 2000; tries += 1) {
    const value = Math.floor(2 ** (random() * 48));
    assert.equal(readSize(writeSize(value), 0).value, value);
    assert.equal(readUnsigned(writeUnsigned(value)), value);
  }
});

test('an element is an id, a size and its parts', () => {
  assert.deepEqual(element(0xe7, of(1), of(2, 3)), of(0xe7, 0x83, 1, 2, 3));
  assert.deepEqual(element(0x1f43b675), of(0x1f, 0x43, 0xb6, 0x75, 0x80));
});

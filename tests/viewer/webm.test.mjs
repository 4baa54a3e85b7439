// Run with `node --test tests/viewer/`.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { WebmReader } from '../../src/relay/viewer/webm.js';
import { EBML, OPUS, UNKNOWN, VP8, block, bytes, chance, cluster, cut, element, init, openCluster, size } from './bytes.mjs';

/** What a reader makes of chunks, in short: `init 1,2` or `track@ms`, with a K if it is a key frame. */
function read(reader, chunks) {
  return chunks.flatMap((chunk) => reader.push(chunk)).map(brief);
}

function brief({ init: start, block: one }) {
  if (start) return `init ${start.tracks.map(({ number }) => number)}`;
  return `${one.track}@${Math.round(one.time * 1000)}${one.key ? 'K' : ''}`;
}

test('tracks and blocks come out of chunks as roomcam sends them', () => {
  const reader = new WebmReader();
  const first = reader.push(bytes(init(VP8, OPUS), cluster(1000, block(1, 0), block(2, 7), block(1, 33, { key: false }))));
  const [{ init: start }] = first;
  assert.deepEqual(
    start.tracks.map(({ number, kind, codecId, defaultDuration }) => ({ number, kind, codecId, defaultDuration })),
    [
      { number: 1, kind: 'video', codecId: 'V_VP8', defaultDuration: null },
      // Zeros at the end of a string are padding.
      { number: 2, kind: 'audio', codecId: 'A_OPUS', defaultDuration: null },
    ],
  );
  assert.deepEqual(start.tracks[0].entry, VP8);
  assert.deepEqual(start.header, EBML);
  assert.deepEqual(first.slice(1).map(brief), ['1@1000K', '2@1007K', '1@1033']);
  assert.deepEqual(first[1].block.bytes, block(1, 0));
  assert.deepEqual(read(reader, [cluster(1100, block(2, 0))]), ['2@1100K']);
});

test('a stream that is cut anywhere gives the same blocks', () => {
  const whole = bytes(
    init(VP8, OPUS),
    openCluster(0, block(1, 0), block(2, 3)),
    openCluster(120, block(2, 0), block(1, 10, { key: false })),
    element([0x1c, 0x53, 0xbb, 0x6b], new Uint8Array(50)),
    cluster(240, block(1, 0)),
  );
  const expected = ['init 1,2', '1@0K', '2@3K', '2@120K', '1@130', '1@240K'];
  assert.deepEqual(read(new WebmReader(), [whole]), expected);
  for (let seed = 1; seed <= 150; seed += 1) {
    const random = chance(seed);
    const most = 1 + Math.floor(random() * 40);
    assert.deepEqual(read(new WebmReader(), cut(whole, random, most)), expected, `seed ${seed}`);
  }
});

test('a viewer that joins in the middle of a recording waits for the next one, which begins with a chunk of one byte', () => {
  const random = chance(5);
  // The end of some block, in which anything may stand, also what looks like an element of an endless size.
  const middle = [bytes(0x43, 0x01, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), Uint8Array.from({ length: 4000 }, () => random() * 256)];
  const next = bytes(init(VP8), openCluster(0, block(1, 0)));
  assert.deepEqual(read(new WebmReader(), [...middle, next.slice(0, 1), next.slice(1)]), ['init 1', '1@0K']);
});

test('a sender that begins anew in the middle of a block is followed', () => {
  const one = bytes(init(VP8), openCluster(0, block(1, 0), block(1, 50).slice(0, -2)));
  const other = bytes(init(OPUS), openCluster(0, block(2, 0)));
  for (const split of [1, 2, 3, 4, 40]) {
    const chunks = [one, other.slice(0, split), other.slice(split)];
    assert.deepEqual(read(new WebmReader(), chunks), ['init 1', '1@0K', 'init 2', '2@0K'], `split after ${split}`);
  }
});

test('a lost chunk costs what was in it', () => {
  const reader = new WebmReader();
  const started = [bytes(init(VP8), openCluster(0, block(1, 0).slice(0, -2)))];
  assert.deepEqual(read(reader, [...started, openCluster(100, block(1, 0))]), ['init 1', '1@100K']);
});

test('sizes next to all ones are sizes, and all ones are unknown', () => {
  for (const [total, length] of [[126, 1], [127, 2], [128, 2], [16_382, 2], [16_383, 3], [16_384, 3], [2_097_150, 3], [2_097_151, 8], [2_097_152, 8]]) {
    const content = bytes(0x81, 0, 0, 0x80, new Uint8Array(total - 4));
    const simple = bytes([0xa3], size(total, length), content);
    const [, { block: read1 }] = new WebmReader().push(bytes(init(VP8), openCluster(5, simple)));
    assert.equal(read1.body.length, total, `a block of ${total} bytes`);
  }
  // An unknown size where none may be: 1, 2 and 8 bytes.
  for (const unknown of [[0xff], [0x7f, 0xff], UNKNOWN]) {
    const stream = bytes(init(VP8), openCluster(0, bytes([0xa3], unknown, 0x81, 0, 0, 0x80)), cluster(7, block(1, 0)));
    assert.deepEqual(read(new WebmReader(), [stream]), ['init 1', '1@7K']);
  }
});

test('a block of a group is a key frame if it refers to none', () => {
  const inner = element([0xa1], bytes(0x81, 0, 9, 0, 1, 2));
  const key = element([0xa0], inner);
  const delta = element([0xa0], bytes(inner, element([0xfb], [0xff])));
  assert.deepEqual(read(new WebmReader(), [bytes(init(VP8), cluster(0, key, delta))]), ['init 1', '1@9K', '1@9']);
});

test('another scale of time is understood', () => {
  const info = element([0x15, 0x49, 0xa9, 0x66], bytes([0x2a, 0xd7, 0xb1], 0x82, 0x27, 0x10)); // 10 000 ns
  const start = bytes(EBML, info, element([0x16, 0x54, 0xae, 0x6b], VP8));
  const [, { block: one }] = new WebmReader().push(bytes(start, cluster(100_000, block(1, 100))));
  assert.equal(one.time.toFixed(6), '1.001000');
  assert.equal(one.ticks, 100_100);
});

test('whatever byte of a stream is spoilt, the reader comes back with the next recording', () => {
  const random = chance(9);
  const whole = bytes(init(VP8, OPUS), openCluster(0, block(1, 0), block(2, 3)), cluster(120, block(2, 0), block(1, 10)));
  for (let at = 0; at < whole.length; at += 1) {
    const spoilt = whole.slice();
    spoilt[at] = random() * 256;
    const reader = new WebmReader();
    for (const chunk of cut(spoilt, random, 30)) reader.push(chunk);
    assert.deepEqual(read(reader, [bytes(init(VP8), cluster(1, block(1, 0)))]), ['init 1', '1@1K'], `byte ${at}`);
  }
});

test('what is kept of a stream is bounded', () => {
  // A block that claims 100 MB, and one of an id nobody knows: both are no such thing.
  for (const id of [[0xa3], [0xec]]) {
    const reader = new WebmReader();
    reader.push(bytes(init(VP8), openCluster(0, bytes(id, size(100_000_000)))));
    for (let chunk = 0; chunk < 100; chunk += 1) reader.push(new Uint8Array(10_000));
    assert.deepEqual(read(reader, [cluster(9, block(1, 0))]), ['1@9K']);
  }
});

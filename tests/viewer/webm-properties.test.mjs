// Properties of the page's WebM reader and writer, on streams that fast-check makes up: whole, spoilt, and cut anywhere.
// Run with `node --test tests/viewer/`; FAST_CHECK_SEED and FAST_CHECK_RUNS look at others.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import { TrackWriter, initOf } from '../../src/relay/viewer/tracks.js';
import { WebmReader } from '../../src/relay/viewer/webm.js';
import { DEFAULT_DURATION, EBML, OPUS, UNKNOWN, VP8, block, bytes, cluster, element, init, openCluster, size, trackEntry } from './bytes.mjs';

// The packages of the tests are those of tests/package.json.
const fc = createRequire(new URL('../package.json', import.meta.url))('fast-check');

const { FAST_CHECK_SEED: seed = '1', FAST_CHECK_RUNS: numRuns = '500' } = process.env;
const holds = (...property) => fc.assert(fc.property(...property), { seed: Number(seed), numRuns: Number(numRuns) });

const EBML_ID = [0x1a, 0x45, 0xdf, 0xa3];
/** An empty element that nobody needs. What could be the beginning of a recording waits for what follows. */
const VOID = [0xec, 0x80];
const CLUSTER_ID = [0x1f, 0x43, 0xb6, 0x75];

const some = (most) => fc.uint8Array({ maxLength: most });
const tracks = fc.constantFrom(1, 2);

/** A block, well formed, with any payload and any time that a block can say. */
const blocks = fc
  .record({ track: tracks, ms: fc.integer({ min: -0x8000, max: 0x7fff }), key: fc.boolean(), payload: some(40) })
  .map(({ track, ms, ...more }) => block(track, ms, more));

/** A BlockGroup, a key frame or not. */
const groups = fc.record({ track: tracks, refers: fc.boolean(), payload: some(20) }).map(({ track, refers, payload }) => {
  const inner = element([0xa1], bytes(0x80 | track, 0, 9, 0, payload));
  return element([0xa0], refers ? bytes(inner, element([0xfb], [0xff])) : inner);
});

const contents = fc.array(fc.oneof(blocks, groups), { maxLength: 5 });
const clusters = fc
  .record({ ms: fc.integer({ min: 0, max: 0xffffff }), contents, open: fc.boolean() })
  .map(({ ms, contents: inner, open }) => (open ? openCluster : cluster)(ms, ...inner));

const starts = fc.constantFrom(init(VP8), init(OPUS), init(VP8, OPUS), init(trackEntry(1, 1, 'V_VP8', DEFAULT_DURATION), OPUS));

/** A stream whose scale of time is a number of any length. */
const scaled = fc.tuple(fc.uint8Array({ maxLength: 300, size: 'max' }), clusters).map(([scale, more]) => {
  const info = element([0x15, 0x49, 0xa9, 0x66], element([0x2a, 0xd7, 0xb1], scale));
  return bytes(EBML, info, element([0x16, 0x54, 0xae, 0x6b], VP8), more);
});

/** A stream as senders make it. */
const streams = fc.tuple(starts, fc.array(clusters, { maxLength: 6 })).map(([start, more]) => bytes(start, ...more));

/** Ids that the reader knows, without their content: of any size, also one that is unknown, or longer than what follows. */
const knownIds = [
  EBML_ID, CLUSTER_ID, [0x18, 0x53, 0x80, 0x67], [0x15, 0x49, 0xa9, 0x66], [0x2a, 0xd7, 0xb1], [0x16, 0x54, 0xae, 0x6b], [0xae], [0xd7],
  [0xe7], [0xa3], [0xa0], [0xa1], [0xfb], [0xec], [0x1c, 0x53, 0xbb, 0x6b],
];
const sizes = fc.oneof(
  fc.constantFrom(UNKNOWN, [0xff], [0x7f, 0xff], [0x80]),
  fc.integer({ min: 0, max: 100 }).map((value) => size(value)),
  fc.maxSafeNat().map((value) => size(value)),
);
const strange = fc.tuple(fc.constantFrom(...knownIds), sizes, some(30)).map((parts) => bytes(...parts));

/** A stream with parts that are missing, cut off, spoilt or none of WebM. */
const spoilt = fc
  .array(fc.oneof({ weight: 3, arbitrary: streams }, { weight: 2, arbitrary: strange }, scaled, some(60)), { maxLength: 5 })
  .chain((parts) => fc.tuple(fc.constant(bytes(...parts)), fc.nat(), fc.nat()))
  .map(([whole, from, length]) => {
    const at = from % (whole.length + 1);
    return bytes(whole.slice(0, at), whole.slice(at + (length % 30)));
  });

/** Where to cut: shares of the whole. */
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), { maxLength: 40 });

/** `whole` in pieces. A chunk that starts with a recording or a cluster follows nothing, by the reader's contract; so
 *  nothing is cut there. */
function cut(whole, shares) {
  const places = [...new Set(shares.map((share) => Math.floor(share * whole.length)))].sort((a, b) => a - b);
  const inner = places.filter((at) => at > 0 && !startsAt(whole, at, EBML_ID) && !startsAt(whole, at, CLUSTER_ID));
  return [0, ...inner].map((at, index) => whole.slice(at, inner[index] ?? whole.length));
}

const startsAt = (whole, at, id) => id.every((byte, index) => whole[at + index] === byte);

const read = (chunks, reader = new WebmReader()) => chunks.flatMap((chunk) => reader.push(chunk));

test('a stream gives the same, however it is cut, and whatever is spoilt of it', () => {
  holds(fc.oneof(streams, spoilt), cuts, (start, shares) => {
    const whole = bytes(start, VOID);
    assert.deepEqual(read(cut(whole, shares)), read([whole]));
  });
});

test('a stream gives the same if each byte is a chunk', () => {
  holds(fc.oneof(streams, spoilt), (start) => {
    const whole = bytes(start, VOID);
    const everywhere = Array.from(whole, (_, at) => (at + 0.5) / whole.length);
    assert.deepEqual(read(cut(whole, everywhere)), read([whole]));
  });
});

test('whatever comes, in whatever pieces, nothing is thrown, and what comes out makes sense', () => {
  holds(fc.array(fc.oneof(spoilt, streams, some(200)), { maxLength: 6 }), cuts, (wholes, shares) => {
    for (const { init: start, block: one } of read(wholes.flatMap((whole) => cut(whole, shares)))) {
      for (const track of start?.tracks ?? []) {
        assert.ok(['video', 'audio'].includes(track.kind));
        initOf(start, track);
      }
      if (one) assert.ok(Number.isFinite(one.time) && Number.isFinite(one.ticks), `time ${one.time}, ticks ${one.ticks}`);
    }
  });
});

test('whatever came before, a recording that begins anew is read, also if its first byte comes alone', () => {
  // Chromium's MediaRecorder begins so; it may be stopped then.
  const befores = fc.tuple(spoilt, fc.constantFrom([], [0x1a], [0x1a, 0x45])).map((parts) => bytes(...parts));
  holds(befores, cuts, streams, fc.constantFrom(1, 2, 3, Infinity), (before, shares, stream, first) => {
    const reader = new WebmReader();
    read(cut(before, shares), reader);
    assert.deepEqual(read([stream.slice(0, first), stream.slice(first)], reader), read([stream]));
  });
});

test('a track that is written alone has the blocks, the times and the key frames that it had among others', () => {
  const brief = ({ block: { ticks, key, body } }) => ({ ticks, key, payload: body.slice(4) });
  holds(streams, (whole) => {
    const [{ init: start }, ...all] = read([whole]);
    for (const track of start.tracks) {
      const own = all.filter(({ block: { track: number } }) => number === track.number);
      const writer = new TrackWriter({ ...track, defaultDuration: 1 });
      const alone = read([initOf(start, track), ...own.map(({ block: one }) => writer.write([one]))]);
      assert.deepEqual(alone.slice(1).map(brief), own.map(brief));
    }
  });
});

// Run with `node --test tests/viewer/`.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TrackWriter, initOf, mimeOf } from '../../src/relay/viewer/tracks.js';
import { WebmReader } from '../../src/relay/viewer/webm.js';
import { DEFAULT_DURATION, OPUS, VP8, block, bytes, cluster, element, init, openCluster, trackEntry } from './bytes.mjs';

function read(...chunks) {
  const reader = new WebmReader();
  const events = chunks.flatMap((chunk) => reader.push(chunk));
  return { start: events.find((event) => event.init).init, blocks: events.flatMap((event) => event.block ?? []) };
}

const times = (chunk) => read(init(VP8), chunk).blocks.map(({ time }) => Math.round(time * 1000));

test('each track has a type of its own', () => {
  assert.equal(mimeOf({ kind: 'video', codecId: 'V_VP8' }), 'video/webm; codecs="vp8"');
  assert.equal(mimeOf({ kind: 'audio', codecId: 'A_OPUS' }), 'audio/webm; codecs="opus"');
  assert.equal(mimeOf({ kind: 'video', codecId: 'V_MPEG4/ISO/AVC' }), 'video/webm; codecs="v_mpeg4/iso/avc"');
});

test('an init segment of one track has nothing of the other', () => {
  const { start } = read(init(VP8, OPUS));
  const { start: alone } = read(initOf(start, start.tracks[1]));
  const facts = ({ number, kind, codecId, defaultDuration }) => ({ number, kind, codecId, defaultDuration });
  assert.deepEqual(alone.tracks.map(facts), [facts(start.tracks[1])]);
  assert.deepEqual(alone.info, start.info);
});

test('an init segment promises no transparency, as records of Chromium do', () => {
  const video = (...fields) => element([0xe0], bytes(element([0xb0], [0x02, 0x80]), ...fields));
  const alpha = element([0x53, 0xc0], [1]);
  const { start } = read(init(trackEntry(1, 1, 'V_VP8', video(alpha))));
  const written = Buffer.from(initOf(start, start.tracks[0]));
  assert.equal(written.includes(Buffer.from([0x53, 0xc0])), false);
  assert.ok(written.includes(element([0xb0], [0x02, 0x80])), 'the width is still there');
});

test('blocks of a sender that tells how long they last go on as they are', () => {
  const video = trackEntry(1, 1, 'V_VP8', DEFAULT_DURATION);
  const { start, blocks } = read(init(video, OPUS), cluster(100, block(1, 0), block(2, 5), block(1, 33)), cluster(200, block(1, 0)));
  assert.equal(start.tracks[0].defaultDuration, 33_333_333);
  const written = new TrackWriter(start.tracks[0]).write(blocks.filter(({ track }) => track === 1));
  const again = read(init(video), written).blocks;
  assert.deepEqual(again.map(({ ticks, clusterTicks }) => [ticks, clusterTicks]), [[100, 100], [133, 100], [200, 200]]);
  assert.deepEqual(again[1].bytes, block(1, 33));
});

test('pictures of a browser wait for the next, and say that they last until then', () => {
  const { start, blocks } = read(init(VP8), openCluster(100, block(1, 0), block(1, 49, { key: false })), openCluster(180, block(1, 3, { key: false })));
  const writer = new TrackWriter(start.tracks[0]);
  assert.deepEqual(times(writer.write(blocks.slice(0, 1))), []);
  assert.deepEqual(times(writer.write(blocks.slice(1))), [100, 149]);

  const again = read(init(VP8), new TrackWriter(start.tracks[0]).write(blocks)).blocks;
  assert.deepEqual(again.map(({ key }) => key), [true, false]);
  // BlockDuration (9b), 49 and 34 ms; the block's own flag of a key frame is gone.
  assert.ok(Buffer.from(again[0].bytes).includes(bytes(0x9b, 0x81, 49)));
  assert.ok(Buffer.from(again[1].bytes).includes(bytes(0x9b, 0x81, 34)));
  assert.deepEqual(again[0].body, bytes(0x81, 0, 0, 0, 1, 2, 3));
});

test('sound waits for nothing', () => {
  const { start, blocks } = read(init(OPUS), openCluster(0, block(2, 3)));
  assert.deepEqual(times(new TrackWriter(start.tracks[0]).write(blocks)), [3]);
});

test('a picture that stands where the last one stood replaces it', () => {
  const { start, blocks } = read(init(VP8), openCluster(0, block(1, 0), block(1, 0), block(1, 20)));
  assert.deepEqual(times(new TrackWriter(start.tracks[0]).write(blocks)), [0]);
});

test('nothing to write is nothing', () => {
  assert.equal(new TrackWriter({ kind: 'video', defaultDuration: 1 }).write([]).length, 0);
});

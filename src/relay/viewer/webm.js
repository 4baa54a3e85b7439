// Reads a sender's WebM as it comes: tracks and blocks, out of chunks that may be cut anywhere. Pure.

import { INVALID, joined, readId, readSize, readUnsigned } from './ebml.js';

/** Ids of elements (RFC 9559). */
export const ID = Object.freeze({
  EBML: 0x1a45dfa3,
  SEGMENT: 0x18538067,
  SEEK_HEAD: 0x114d9b74,
  INFO: 0x1549a966,
  TIMESTAMP_SCALE: 0x2ad7b1,
  TRACKS: 0x1654ae6b,
  TRACK_ENTRY: 0xae,
  TRACK_NUMBER: 0xd7,
  TRACK_TYPE: 0x83,
  CODEC_ID: 0x86,
  CLUSTER: 0x1f43b675,
  TIMESTAMP: 0xe7,
  SIMPLE_BLOCK: 0xa3,
  BLOCK_GROUP: 0xa0,
  BLOCK: 0xa1,
  REFERENCE_BLOCK: 0xfb,
  CUES: 0x1c53bb6b,
  TAGS: 0x1254c367,
  CHAPTERS: 0x1043a770,
  ATTACHMENTS: 0x1941a469,
});

/** What may stand beside a cluster. In a cluster of unknown size, any of these is its end. */
const TOP_LEVEL = new Set([
  ID.EBML, ID.SEGMENT, ID.SEEK_HEAD, ID.INFO, ID.TRACKS, ID.CLUSTER, ID.CUES, ID.TAGS, ID.CHAPTERS, ID.ATTACHMENTS,
]);
/** Elements that are read whole. All others are stepped over, or into. */
const WHOLE = new Set([ID.EBML, ID.INFO, ID.TRACKS, ID.TIMESTAMP, ID.SIMPLE_BLOCK, ID.BLOCK_GROUP]);
/** An element to be read whole that claims more than this is no such element (bytes). */
const MAX_ELEMENT = 8 * 1024 * 1024;
const MAX_TIMESTAMP = 8;
/** Bytes of the id that a recording, and a cluster, starts with. */
const ID_LENGTH = 4;
const KINDS = { 1: 'video', 2: 'audio' };

/**
 * @typedef {{number: number, kind: 'video'|'audio', codecId: string, entry: Uint8Array}} Track
 *   `entry` is its whole TrackEntry.
 * @typedef {{header: Uint8Array, info: Uint8Array, tracks: Track[]}} Init
 *   Whole elements EBML and Info, and the tracks of audio and video.
 * @typedef {{track: number, time: number, clusterTicks: number, key: boolean, bytes: Uint8Array}} Block
 *   `time` in seconds; `bytes` the whole SimpleBlock or BlockGroup, whose times are relative to a cluster at
 *   `clusterTicks`.
 */

/** Reads one sender's stream. Whatever the bytes, it neither throws nor keeps more than one element. */
export class WebmReader {
  #rest = new Uint8Array();
  /** Bytes of an element nobody needs that are still to come. */
  #skip = 0;
  /** Bytes left of the cluster being read: `Infinity` if its size is unknown, 0 outside of one. */
  #cluster = 0;
  #clusterTicks = null;
  #header = null;
  #info = null;
  #secondsPerTick = 0.001;
  /** What was read and not yet returned. */
  #out = [];

  /**
   * Takes the next chunk of the stream.
   *
   * @param {Uint8Array} bytes kept, so not to be changed afterwards
   * @returns {({init: Init}|{block: Block})[]} what it completes, in order
   */
  push(bytes) {
    this.#rest = this.#rest.length ? this.#resume(bytes) : bytes;
    if (startsAt(bytes, ID.EBML) || startsAt(bytes, ID.CLUSTER)) this.#leave();
    this.#out = [];
    let at = 0;
    for (let next = this.#step(at); next !== null; next = this.#step(at)) at = next;
    this.#rest = this.#rest.subarray(at);
    return this.#out;
  }

  /** The bytes to go on with. A chunk that starts a recording or a cluster follows nothing: what came
   *  before was cut off. */
  #resume(bytes) {
    const whole = joined([this.#rest, bytes]);
    // Chromium's MediaRecorder sends the first byte of its stream as a chunk of its own.
    const head = ID_LENGTH - 1;
    for (let taken = Math.min(head, this.#rest.length); taken > 0; taken -= 1) {
      const from = this.#rest.length - taken;
      if (startsAt(whole.subarray(from), ID.EBML)) {
        this.#leave();
        return whole.subarray(from);
      }
    }
    return startsAt(bytes, ID.EBML) || startsAt(bytes, ID.CLUSTER) ? bytes : whole;
  }

  #leave() {
    this.#skip = 0;
    this.#cluster = 0;
  }

  /** Reads one element, or steps into it, at `at` of the rest. Returns where to go on; null when more bytes
   *  are needed. */
  #step(at) {
    const bytes = this.#rest;
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, bytes.length - at);
      if (skipped === 0) return null;
      this.#skip -= skipped;
      return at + skipped;
    }
    const id = readId(bytes, at);
    if (id === null) return null;
    const size = id === INVALID ? INVALID : readSize(bytes, at + id.length);
    if (size === null) return null;
    if (size === INVALID) return this.#resynchronise(at);

    const body = at + id.length + size.length;
    if (this.#cluster === Infinity && TOP_LEVEL.has(id.value)) this.#cluster = 0;
    if (id.value === ID.SEGMENT) return body;
    if (id.value === ID.CLUSTER) {
      this.#cluster = size.value;
      this.#clusterTicks = null;
      return body;
    }
    if (this.#cluster > 0 && size.value + body - at > this.#cluster) return this.#resynchronise(at);
    if (size.value === Infinity) return this.#resynchronise(at);
    if (WHOLE.has(id.value)) {
      if (size.value > (id.value === ID.TIMESTAMP ? MAX_TIMESTAMP : MAX_ELEMENT)) return this.#resynchronise(at);
      if (body + size.value > bytes.length) return null;
      this.#element(id.value, bytes.subarray(at, body + size.value), bytes.subarray(body, body + size.value));
    } else {
      this.#skip = size.value;
    }
    if (this.#cluster > 0) this.#cluster -= body - at + size.value;
    return WHOLE.has(id.value) ? body + size.value : body;
  }

  /** After something that is no WebM, goes on at what looks like the next recording or cluster. */
  #resynchronise(at) {
    this.#leave();
    const { length } = this.#rest;
    for (let next = at + 1; next < length; next += 1) {
      const left = this.#rest.subarray(next, next + ID_LENGTH);
      if (mayStart(left, ID.EBML) || mayStart(left, ID.CLUSTER)) return next;
    }
    return at < length ? length : null;
  }

  #element(id, whole, body) {
    switch (id) {
      case ID.EBML:
        this.#header = whole;
        this.#info = null;
        this.#secondsPerTick = 0.001;
        break;
      case ID.INFO:
        this.#info = whole;
        for (const [child, value] of childrenOf(body)) {
          if (child === ID.TIMESTAMP_SCALE) this.#secondsPerTick = readUnsigned(value) / 1e9 || 0.001;
        }
        break;
      case ID.TRACKS:
        if (this.#header && this.#info) {
          this.#out.push({ init: { header: this.#header, info: this.#info, tracks: tracksIn(body) } });
        }
        break;
      case ID.TIMESTAMP:
        if (this.#cluster > 0) this.#clusterTicks = readUnsigned(body);
        break;
      default:
        this.#block(id, whole, body);
    }
  }

  #block(id, whole, body) {
    if (this.#cluster === 0 || this.#clusterTicks === null) return;
    const { block, key } = id === ID.SIMPLE_BLOCK ? simple(body) : grouped(body);
    const track = block && readSize(block, 0);
    if (!track || track === INVALID || block.length < track.length + 3) return;
    const ticks = this.#clusterTicks + new DataView(block.buffer, block.byteOffset + track.length).getInt16(0);
    this.#out.push({
      block: { track: track.value, time: ticks * this.#secondsPerTick, clusterTicks: this.#clusterTicks, key, bytes: whole },
    });
  }
}

/** A SimpleBlock says of itself whether it is a key frame: track, time (2 bytes), flags. */
function simple(body) {
  const track = readSize(body, 0);
  return { block: body, key: Boolean(track && body[track.length + 2] & 0x80) };
}

/** The block of a BlockGroup is a key frame if it refers to no other. */
function grouped(body) {
  const children = childrenOf(body);
  return {
    block: children.find(([id]) => id === ID.BLOCK)?.[1],
    key: !children.some(([id]) => id === ID.REFERENCE_BLOCK),
  };
}

function tracksIn(body) {
  return childrenOf(body)
    .filter(([id]) => id === ID.TRACK_ENTRY)
    .map(([, fields, entry]) => {
      const of = (wanted) => childrenOf(fields).find(([id]) => id === wanted)?.[1] ?? new Uint8Array();
      return {
        number: readUnsigned(of(ID.TRACK_NUMBER)),
        kind: KINDS[readUnsigned(of(ID.TRACK_TYPE))],
        codecId: String.fromCharCode(...of(ID.CODEC_ID).subarray(0, 32)),
        entry,
      };
    })
    .filter(({ kind }) => kind !== undefined);
}

/** The elements in `body` as [id, content, whole element]; ends at the first that is cut off or none. */
function childrenOf(body) {
  const children = [];
  let at = 0;
  for (;;) {
    const id = readId(body, at);
    if (id === null || id === INVALID) return children;
    const size = readSize(body, at + id.length);
    if (size === null || size === INVALID) return children;
    const start = at + id.length + size.length;
    const end = start + size.value;
    if (end > body.length) return children;
    children.push([id.value, body.subarray(start, end), body.subarray(at, end)]);
    at = end;
  }
}

function startsAt(bytes, id) {
  return bytes.length >= ID_LENGTH && readId(bytes, 0)?.value === id;
}

/** Whether up to four bytes are the start of an id of four. */
function mayStart(bytes, id) {
  return bytes.every((byte, index) => byte === (id >>> (24 - 8 * index)) % 256);
}

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
  DEFAULT_DURATION: 0x23e383,
  CODEC_ID: 0x86,
  VIDEO: 0xe0,
  ALPHA_MODE: 0x53c0,
  CLUSTER: 0x1f43b675,
  TIMESTAMP: 0xe7,
  SIMPLE_BLOCK: 0xa3,
  BLOCK_GROUP: 0xa0,
  BLOCK: 0xa1,
  BLOCK_DURATION: 0x9b,
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
/** A number has at most this many bytes (RFC 8794, section 7.2). */
const MAX_UNSIGNED = 8;
const MAX_CODEC_ID = 64;
/** Bytes of the id that a recording, and a cluster, starts with. */
const ID_LENGTH = 4;
/** How long a tick is where nobody says otherwise (seconds). */
const DEFAULT_TICK = 0.001;
const KINDS = { 1: 'video', 2: 'audio' };

/**
 * @typedef {{number: number, kind: 'video'|'audio', codecId: string, defaultDuration: number|null,
 *   entry: Uint8Array}} Track
 *   `defaultDuration` in nanoseconds, `entry` the whole TrackEntry.
 * @typedef {{header: Uint8Array, info: Uint8Array, tracks: Track[]}} Init
 *   Whole elements EBML and Info, and the tracks of audio and video.
 * @typedef {{track: number, time: number, ticks: number, clusterTicks: number, key: boolean, body: Uint8Array,
 *   bytes: Uint8Array}} Block
 *   When it starts, in seconds and in ticks, and when its cluster does. `bytes` is the whole SimpleBlock or
 *   BlockGroup, `body` the content of the SimpleBlock or Block.
 */

/** Reads one sender's stream, from wherever it is joined. Whatever the bytes, it neither throws nor keeps more
 *  than one element. */
export class WebmReader {
  /** Bytes of an element that is not complete. */
  #rest = new Uint8Array();
  /** Not within the structure of a stream: waits for something to begin. */
  #lost = true;
  /** Bytes of an element nobody needs that are still to come. */
  #skip = 0;
  /** Bytes left of the cluster being read: `Infinity` if its size is unknown, 0 outside of one. */
  #cluster = 0;
  #clusterTicks = null;
  #header = null;
  #info = null;
  #secondsPerTick = DEFAULT_TICK;
  /** The last chunk, if it is so short that it may start a recording or not. */
  #head = new Uint8Array();
  /** What was read and not yet returned. */
  #out = [];

  /**
   * Takes the next chunk of the stream.
   *
   * @param {Uint8Array} bytes kept, so not to be changed afterwards
   * @returns {({init: Init}|{block: Block})[]} what it completes, in order
   */
  push(bytes) {
    this.#out = [];
    const withHead = joined([this.#head, bytes]);
    if (mayStart(withHead.subarray(0, ID_LENGTH), ID.EBML)) bytes = withHead;
    else this.#rest = joined([this.#rest, this.#head]);
    this.#head = new Uint8Array();
    // Chromium's MediaRecorder sends the first byte of its stream as a chunk of its own.
    if (bytes.length < ID_LENGTH && mayStart(bytes, ID.EBML)) {
      this.#head = bytes;
      return this.#out;
    }
    if (startsAt(bytes, ID.EBML) || startsAt(bytes, ID.CLUSTER)) {
      // It follows nothing: what came before was cut off.
      this.#rest = bytes;
      this.#loseTrack();
    } else {
      this.#rest = this.#rest.length ? joined([this.#rest, bytes]) : bytes;
    }
    let at = 0;
    for (let next = this.#step(at); next !== null; next = this.#step(at)) at = next;
    this.#rest = this.#rest.subarray(at);
    return this.#out;
  }

  #loseTrack() {
    this.#lost = true;
    this.#skip = 0;
    this.#cluster = 0;
    this.#clusterTicks = null;
  }

  /** Reads one element, or steps into it, at `at` of the rest. Returns where to go on; null when more bytes
   *  are needed. */
  #step(at) {
    const bytes = this.#rest;
    if (this.#lost) return this.#findBeginning(at);
    if (this.#skip > 0) return this.#skipFrom(at);
    const id = readId(bytes, at);
    const size = id && id !== INVALID ? readSize(bytes, at + id.length) : id;
    if (size === null) return null;
    if (size === INVALID) return this.#stumble(at);

    const body = at + id.length + size.length;
    const end = body + size.value;
    if (this.#cluster === Infinity && TOP_LEVEL.has(id.value)) this.#cluster = 0;
    if (id.value === ID.SEGMENT) return body;
    if (id.value === ID.CLUSTER) {
      this.#cluster = size.value;
      this.#clusterTicks = null;
      return body;
    }
    const most = id.value === ID.TIMESTAMP ? MAX_UNSIGNED : MAX_ELEMENT;
    const outgrows = this.#cluster > 0 && end - at > this.#cluster;
    if (size.value > most || outgrows) return this.#stumble(at);
    const whole = WHOLE.has(id.value);
    if (whole && end > bytes.length) return null;
    if (this.#cluster > 0) this.#cluster -= end - at;
    if (whole) this.#element(id.value, bytes.subarray(at, end), bytes.subarray(body, end));
    else this.#skip = size.value;
    return whole ? end : body;
  }

  #skipFrom(at) {
    const skipped = Math.min(this.#skip, this.#rest.length - at);
    this.#skip -= skipped;
    return skipped > 0 ? at + skipped : null;
  }

  /** What stands at `at` is no WebM. */
  #stumble(at) {
    this.#loseTrack();
    return at + 1;
  }

  /** Goes on at what begins a recording or, if one has been seen to begin, a cluster. */
  #findBeginning(at) {
    const { length } = this.#rest;
    for (let next = at; next < length; next += 1) {
      // Almost no byte begins anything.
      if (this.#rest[next] !== 0x1a && this.#rest[next] !== 0x1f) continue;
      const here = this.#rest.subarray(next, next + ID_LENGTH);
      if (!mayStart(here, ID.EBML) && !(this.#header && mayStart(here, ID.CLUSTER))) continue;
      if (here.length === ID_LENGTH) this.#lost = false;
      return here.length === ID_LENGTH || next > at ? next : null;
    }
    return at < length ? length : null;
  }

  #element(id, whole, body) {
    switch (id) {
      case ID.EBML:
        this.#header = whole;
        this.#info = null;
        this.#secondsPerTick = DEFAULT_TICK;
        break;
      case ID.INFO:
        this.#info = whole;
        for (const [child, value] of childrenOf(body)) {
          if (child !== ID.TIMESTAMP_SCALE || value.length > MAX_UNSIGNED) continue;
          this.#secondsPerTick = readUnsigned(value) / 1e9 || DEFAULT_TICK;
        }
        break;
      case ID.TRACKS:
        if (this.#header && this.#info) {
          this.#out.push({ init: { header: this.#header, info: this.#info, tracks: tracksIn(body) } });
        }
        break;
      case ID.TIMESTAMP:
        this.#clusterTicks = readUnsigned(body);
        break;
      default:
        this.#block(id, whole, body);
    }
  }

  #block(id, whole, body) {
    if (this.#clusterTicks === null) return;
    const { block, key } = id === ID.SIMPLE_BLOCK ? simple(body) : grouped(body);
    const track = block && readSize(block, 0);
    if (!track || track === INVALID || block.length < track.length + 3) return;
    const ticks = this.#clusterTicks + new DataView(block.buffer, block.byteOffset + track.length).getInt16(0);
    const time = ticks * this.#secondsPerTick;
    this.#out.push({
      block: { track: track.value, time, ticks, clusterTicks: this.#clusterTicks, key, body: block, bytes: whole },
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
        codecId: textOf(of(ID.CODEC_ID)),
        defaultDuration: readUnsigned(of(ID.DEFAULT_DURATION)) || null,
        entry,
      };
    })
    .filter(({ kind }) => kind !== undefined);
}

/** A string element may be padded with zeros (RFC 8794, section 7.4). */
function textOf(bytes) {
  return String.fromCharCode(...bytes.subarray(0, MAX_CODEC_ID)).replace(/\0.*$/s, '');
}

/** The elements that `body` consists of, as [id, content, whole element]; ends at the first that is cut off or none. */
export function childrenOf(body) {
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

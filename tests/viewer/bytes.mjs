// Bytes for the tests of the page's WebM reader: written by hand, so that no reader and writer agree on a mistake;
// and a source of chance that is the same in every run.

/** Concatenates numbers and arrays of bytes. */
export const bytes = (...parts) => Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...part])));

/** An element size in a given number of bytes (1, 2, 3 or 8). */
export function size(value, length = 8) {
  const out = [];
  for (let index = length - 1; index >= 0; index -= 1) out.push(Math.floor(value / 256 ** index) % 256);
  out[0] |= 0x80 >> (length - 1);
  return out;
}

export const UNKNOWN = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/** An element of an id (array of bytes), with an 8-byte size unless another is given. */
export const element = (id, content, encodedSize = size(content.length)) => bytes(id, encodedSize, content);

export const EBML = element([0x1a, 0x45, 0xdf, 0xa3], bytes(0x42, 0x82, 0x84, 0x77, 0x65, 0x62, 0x6d));
const SEGMENT = bytes([0x18, 0x53, 0x80, 0x67], UNKNOWN);
const INFO = element([0x15, 0x49, 0xa9, 0x66], bytes([0x2a, 0xd7, 0xb1], 0x83, 0x0f, 0x42, 0x40));

const text = (string) => [...string].map((char) => char.charCodeAt(0));

/** A TrackEntry. `extra`: further elements of it. */
export function trackEntry(number, type, codec, extra = []) {
  return element([0xae], bytes(element([0xd7], [number]), element([0x83], [type]), element([0x86], text(codec)), extra));
}

export const VP8 = trackEntry(1, 1, 'V_VP8');
export const OPUS = trackEntry(2, 2, 'A_OPUS\0');
export const DEFAULT_DURATION = element([0x23, 0xe3, 0x83], [0x01, 0xfc, 0xa0, 0x55]);

/** An init segment with these tracks. */
export const init = (...entries) => bytes(EBML, SEGMENT, INFO, element([0x16, 0x54, 0xae, 0x6b], bytes(...entries)));

/** A SimpleBlock `ms` after its cluster. */
export function block(track, ms, { key = true, payload = [1, 2, 3] } = {}) {
  return element([0xa3], bytes(0x80 | track, (ms >> 8) & 0xff, ms & 0xff, key ? 0x80 : 0, payload));
}

const CLUSTER = [0x1f, 0x43, 0xb6, 0x75];
const timestamp = (ms) => element([0xe7], [(ms >> 16) & 0xff, (ms >> 8) & 0xff, ms & 0xff]);

/** A cluster at `ms`, of known size, or of unknown size as browsers record. */
export const cluster = (ms, ...blocks) => element(CLUSTER, bytes(timestamp(ms), ...blocks));
export const openCluster = (ms, ...blocks) => bytes(CLUSTER, UNKNOWN, timestamp(ms), ...blocks);

/** Numbers of [0, 1), the same for the same seed (mulberry32). */
export function chance(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Cuts bytes at random places into pieces of up to `most`. */
export function cut(whole, random, most) {
  const pieces = [];
  for (let at = 0; at < whole.length; ) {
    const end = Math.min(whole.length, at + 1 + Math.floor(random() * most));
    pieces.push(whole.slice(at, end));
    at = end;
  }
  return pieces;
}

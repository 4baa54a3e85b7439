// Writes one track of a sender's stream as a WebM stream of its own, for a SourceBuffer of its own. Pure.
//
// To Firefox, a cluster whose first block starts before the end of any block before it, on whichever track,
// is a seek: it drops video up to the next key frame. What browsers record is of that kind (docs/receivers.md).
// Alone, no track overlaps itself, if only each block says where it ends.

import { ID, childrenOf } from './webm.js';
import { element, joined, readSize, writeUnsigned } from './ebml.js';

/** What codecs are called in a mime type, by WebM's codec id. Of AV1 more would have to be said: its main
 *  profile at a level that suffices for 1080p. */
const CODECS = { V_VP8: 'vp8', V_VP9: 'vp09.00.41.08', V_AV1: 'av01.0.09M.08', A_OPUS: 'opus', A_VORBIS: 'vorbis' };

/** A Segment of unknown size, to which there is no end. */
const SEGMENT_START = Uint8Array.of(0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
/** In a block's flags: its lacing, which a SimpleBlock and a Block have in common. */
const LACING = 0x06;

/** The mime type of one track's stream, for `addSourceBuffer`. */
export function mimeOf({ kind, codecId }) {
  return `${kind}/webm; codecs="${CODECS[codecId] ?? codecId.toLowerCase()}"`;
}

/** The init segment of one track's stream. */
export function initOf({ header, info }, track) {
  return joined([header, SEGMENT_START, info, element(ID.TRACKS, opaque(track.entry))]);
}

/** A TrackEntry that promises no transparency. Chromium records always do, and never keep it; WebKitGTK believes
 *  them, and its decoder for transparent VP8 crashes at the first seek (2.50, GStreamer 1.22). */
function opaque(entry) {
  const [[, fields]] = childrenOf(entry);
  const parts = childrenOf(fields).map(([id, content, whole]) => {
    if (id !== ID.VIDEO) return whole;
    const kept = childrenOf(content).filter(([inner]) => inner !== ID.ALPHA_MODE);
    return element(ID.VIDEO, ...kept.map(([, , inner]) => inner));
  });
  return element(ID.TRACK_ENTRY, ...parts);
}

/** Writes the blocks of one track, in the order in which they come. */
export class TrackWriter {
  #holds;
  #held = null;

  /** @param {import('./webm.js').Track} track */
  constructor({ kind, defaultDuration }) {
    // Nobody says how long a picture of such a sender lasts, and what browsers guess leaves holes or overlaps.
    // So each waits for the next, which costs a frame of latency. A packet of sound tells its duration itself.
    this.#holds = kind === 'video' && defaultDuration === null;
  }

  /** Takes blocks and returns clusters of known size; empty bytes if there is nothing to write yet. */
  write(blocks) {
    const clusters = [];
    for (const { ticks, bytes } of this.#holds ? this.#timed(blocks) : blocks.map(asItIs)) {
      if (clusters.at(-1)?.ticks === ticks) clusters.at(-1).blocks.push(bytes);
      else clusters.push({ ticks, blocks: [bytes] });
    }
    return joined(clusters.map(({ ticks, blocks: own }) => element(ID.CLUSTER, element(ID.TIMESTAMP, writeUnsigned(ticks)), ...own)));
  }

  #timed(blocks) {
    const timed = [];
    for (const block of blocks) {
      const duration = this.#held && block.ticks - this.#held.ticks;
      if (duration > 0) timed.push({ ticks: this.#held.clusterTicks, bytes: lasting(this.#held, duration) });
      this.#held = block;
    }
    return timed;
  }
}

function asItIs({ clusterTicks, bytes }) {
  return { ticks: clusterTicks, bytes };
}

/** A block as a BlockGroup that says how many ticks it lasts. */
function lasting({ body, key }, duration) {
  const bytes = body.slice();
  bytes[readSize(body, 0).length + 2] &= LACING;
  const reference = key ? [] : [element(ID.REFERENCE_BLOCK, Uint8Array.of(0xff))];
  return element(ID.BLOCK_GROUP, element(ID.BLOCK, bytes), element(ID.BLOCK_DURATION, writeUnsigned(duration)), ...reference);
}

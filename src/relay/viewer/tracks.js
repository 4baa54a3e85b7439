// Writes one track of a sender's stream as a WebM stream of its own, for a SourceBuffer of its own. Pure.
//
// To Firefox, a cluster whose first block starts before the end of any block before it, on whichever track,
// is a seek: it drops video up to the next key frame. What browsers record is of that kind, and so was every
// cluster of roomcam's before its cut was made for it (docs/receivers.md). Alone, no track overlaps itself.

import { ID } from './webm.js';
import { element, joined, writeUnsigned } from './ebml.js';

/** What codecs are called in a mime type, by WebM's codec id. Of AV1 more would have to be said: its main
 *  profile at a level that suffices for 1080p. */
const CODECS = { V_VP8: 'vp8', V_VP9: 'vp09.00.41.08', V_AV1: 'av01.0.09M.08', A_OPUS: 'opus', A_VORBIS: 'vorbis' };

/** A Segment of unknown size, to which there is no end. */
const SEGMENT_START = Uint8Array.of(0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);

/** The mime type of one track's stream, for `addSourceBuffer`. */
export function mimeOf({ kind, codecId }) {
  return `${kind}/webm; codecs="${CODECS[codecId] ?? codecId.toLowerCase()}"`;
}

/** The init segment of one track's stream. */
export function initOf({ header, info }, track) {
  return joined([header, SEGMENT_START, info, element(ID.TRACKS, track.entry)]);
}

/** Blocks of one track, in order, as clusters of known size. */
export function clustersOf(blocks) {
  const clusters = [];
  for (let from = 0, to = 0; from < blocks.length; from = to) {
    const { clusterTicks } = blocks[from];
    while (to < blocks.length && blocks[to].clusterTicks === clusterTicks) to += 1;
    const time = element(ID.TIMESTAMP, writeUnsigned(clusterTicks));
    clusters.push(element(ID.CLUSTER, time, ...blocks.slice(from, to).map(({ bytes }) => bytes)));
  }
  return clusters.length ? joined(clusters) : new Uint8Array();
}

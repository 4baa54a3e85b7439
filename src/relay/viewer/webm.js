// The little of WebM that a player has to see for itself. Pure.

const EBML = [0x1a, 0x45, 0xdf, 0xa3];
const CLUSTER = [0x1f, 0x43, 0xb6, 0x75];
const TIMESTAMP = 0xe7;

function has(bytes, at, signature) {
  return signature.every((byte, index) => bytes[at + index] === byte);
}

/** Whether a chunk starts with an EBML header, and so with an init segment. */
export function isInit(bytes) {
  return has(bytes, 0, EBML);
}

/** Whether bytes are, or could with more bytes become, something that starts with an EBML header. Chromium's
 *  MediaRecorder sends the first byte of its stream as a chunk of its own. */
export function mayBecomeInit(bytes) {
  return bytes.length > 0 && has(bytes, 0, EBML.slice(0, bytes.length));
}

/** Length of the variable-size integer that starts with `first` (RFC 8794, section 4). */
function vintLength(first) {
  return first ? Math.clz32(first) - 23 : 9;
}

/**
 * The clusters that start in a chunk: where (byte offset) and when (seconds, assuming the default timestamp
 * scale of 1 ms).
 *
 * @returns {{at: number, time: number}[]}
 */
export function clustersIn(bytes) {
  const clusters = [];
  for (let at = bytes.indexOf(CLUSTER[0]); at >= 0; at = bytes.indexOf(CLUSTER[0], at + 1)) {
    if (!has(bytes, at, CLUSTER)) continue;
    const timestamp = at + CLUSTER.length + vintLength(bytes[at + CLUSTER.length]);
    // The Timestamp is a cluster's first element; anything else here is payload that looks like a cluster.
    if (bytes[timestamp] !== TIMESTAMP) continue;
    const length = bytes[timestamp + 1] & 0x7f;
    if (length > 8 || timestamp + 2 + length > bytes.length) continue;
    let ms = 0;
    for (let index = 0; index < length; index += 1) ms = ms * 256 + bytes[timestamp + 2 + index];
    clusters.push({ at, time: ms / 1000 });
  }
  return clusters;
}

/** Whether two chunks start with the same init segments, given where those end. */
export function sameInit(one, oneEnd, other, otherEnd) {
  return oneEnd === otherEnd && one.subarray(0, oneEnd).every((byte, index) => byte === other[index]);
}

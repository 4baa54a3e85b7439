// The little of WebM that tells clusters apart.

const CLUSTER = [0x1f, 0x43, 0xb6, 0x75];
const TIMESTAMP = 0xe7;

function has(bytes, at, signature) {
  return signature.every((byte, index) => bytes[at + index] === byte);
}

/** Length of the variable-size integer that starts with `first` (RFC 8794, section 4). */
function vintLength(first) {
  return first ? Math.clz32(first) - 23 : 9;
}

/** When the clusters of a chunk start: {time} in seconds, at the default timestamp scale of 1 ms. */
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
    clusters.push({ time: ms / 1000 });
  }
  return clusters;
}

// What happened in a client, in order: the report of a viewer that sees nothing.

const KEPT = 3_000;

export class Log {
  /** [ms on the page's clock, what, details] */
  lines = [];

  add(what, details = {}) {
    this.lines.push([Math.round(performance.now() * 10) / 10, what, details]);
    if (this.lines.length > KEPT) this.lines.shift();
  }

  clear() {
    this.lines = [];
  }
}

const EBML = [0x1a, 0x45, 0xdf, 0xa3];
const CLUSTER = [0x1f, 0x43, 0xb6, 0x75];

/** What is in a chunk, as far as a log needs it: whether it begins with an init segment, and the timestamp of its
 *  first cluster in ms. */
export function contentsOf(chunk) {
  const bytes = new Uint8Array(chunk);
  const starts = (at, id) => id.every((byte, index) => bytes[at + index] === byte);
  const init = starts(0, EBML);
  const limit = Math.min(bytes.length, 2_000);
  let at = 0;
  while (at < limit && !starts(at, CLUSTER)) at += 1;
  // The Timestamp element (E7) is the first of a cluster, behind a size of up to 8 bytes.
  for (let id = at + 5; at < limit && id < at + 13; id += 1) {
    if (bytes[id] !== 0xe7) continue;
    const length = bytes[id + 1] & 0x7f;
    let ms = 0;
    for (const byte of bytes.subarray(id + 2, id + 2 + length)) ms = ms * 256 + byte;
    return { bytes: bytes.length, init, clusterMs: ms };
  }
  return { bytes: bytes.length, init };
}

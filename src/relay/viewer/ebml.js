// EBML, the encoding below WebM (RFC 8794): element ids and sizes, read and written. Pure.

/** What [`readId`] and [`readSize`] return for bytes that cannot be one, whatever follows them. */
export const INVALID = Object.freeze({ length: 0, value: NaN });

/** Longest element id in bytes that WebM uses, and longest size. */
const MAX_ID = 4;
const MAX_SIZE = 8;

/** Length of the variable-size integer that starts with the byte `first` (RFC 8794, section 4); 9 for none. */
function vintLength(first) {
  return Math.clz32(first) - 23;
}

/**
 * The element id at `at`, with its marker bits, as WebM's documents write it.
 *
 * @returns {{value: number, length: number}|null} null if `bytes` end before it does
 */
export function readId(bytes, at) {
  if (at >= bytes.length) return null;
  const length = vintLength(bytes[at]);
  if (length > MAX_ID) return INVALID;
  if (at + length > bytes.length) return null;
  let value = 0;
  for (let index = 0; index < length; index += 1) value = value * 256 + bytes[at + index];
  return { value, length };
}

/**
 * The element size, or other variable-size integer, at `at`. One whose bits are all ones means "unknown"
 * (RFC 8794, section 6.2), and so has the value `Infinity`. Values above 2^53 are rounded.
 *
 * @returns {{value: number, length: number}|null} null if `bytes` end before it does
 */
export function readSize(bytes, at) {
  if (at >= bytes.length) return null;
  const length = vintLength(bytes[at]);
  if (length > MAX_SIZE) return INVALID;
  if (at + length > bytes.length) return null;
  const first = bytes[at] & (0xff >> length);
  let value = first;
  let ones = first === 0xff >> length;
  for (let index = 1; index < length; index += 1) {
    value = value * 256 + bytes[at + index];
    ones &&= bytes[at + index] === 0xff;
  }
  return { value: ones ? Infinity : value, length };
}

/** The unsigned integer that all of `bytes` are (big-endian; none is 0). */
export function readUnsigned(bytes) {
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

/** The shortest encoding of a size below 2^49. All ones are left to the unknown size. */
export function writeSize(value) {
  let length = 1;
  while (value >= 2 ** (7 * length) - 1) length += 1;
  const bytes = writeUnsigned(value, length);
  bytes[0] |= 0x80 >> (length - 1);
  return bytes;
}

/** `value` in `length` bytes, by default as few as it needs. */
export function writeUnsigned(value, length = shortest(value)) {
  const bytes = new Uint8Array(length);
  for (let index = length - 1, rest = value; index >= 0; index -= 1, rest = Math.floor(rest / 256)) {
    bytes[index] = rest % 256;
  }
  return bytes;
}

function shortest(value) {
  let length = 1;
  while (length < MAX_SIZE && value >= 256 ** length) length += 1;
  return length;
}

/** An element of known size around `parts`. */
export function element(id, ...parts) {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  return joined([writeUnsigned(id), writeSize(size), ...parts]);
}

/** The parts one after the other; a single one as it is, no bytes for none. */
export function joined(parts) {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

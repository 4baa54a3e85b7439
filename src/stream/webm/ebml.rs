//! Ids, sizes and integers of EBML elements (RFC 8794).

use bytes::{BufMut, BytesMut};
use mkv_element::prelude::VInt64;

/// The most that a size of eight bytes can say.
const LARGEST_SIZE: u64 = (1 << 56) - 2;

/// Appends an element's id as it is registered, its length marker included (RFC 8794 §5).
pub fn put_id(out: &mut BytesMut, id: VInt64) {
    let id = id.as_encoded();
    out.put_uint(id, uint_len(id));
}

/// Appends a size in as few bytes as it takes. A size whose bits are all ones would say "unknown size" (RFC 8794
/// §6.2), so 127 takes two bytes, 16 383 three, and so on. `VInt64::as_encoded` of mkv-element 0.4 knows that of 127
/// only.
pub fn put_size(out: &mut BytesMut, size: usize) {
    let len = size_len(size);
    out.put_uint(1 << (7 * len) | size as u64, len);
}

/// Bytes that [`put_size`] takes for a size.
pub fn size_len(size: usize) -> usize {
    let size = (size as u64).min(LARGEST_SIZE);
    // One more, because the value of all ones is taken.
    let bits = u64::BITS - (size + 1).leading_zeros();
    (bits as usize).div_ceil(7).max(1)
}

/// Bytes that an unsigned integer takes; one for zero (RFC 8794 §7.2).
pub fn uint_len(value: u64) -> usize {
    (u64::BITS - value.leading_zeros()).div_ceil(8).max(1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a size by the text of RFC 8794 §4: the marker's place is the length, what follows it the value.
    fn read_size(bytes: &[u8]) -> (Option<u64>, usize) {
        let len = bytes[0].leading_zeros() as usize + 1;
        let all = bytes[..len].iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
        let value = all & !(1 << (7 * len));
        let unknown = value == (1 << (7 * len)) - 1;
        ((!unknown).then_some(value), len)
    }

    #[test]
    fn no_size_is_taken_for_the_unknown_one() {
        let edges = [126, 127, 128, 16_382, 16_383, 16_384, 2_097_150, 2_097_151, 2_097_152];
        for size in (0..70_000).chain(edges) {
            let mut out = BytesMut::new();
            put_size(&mut out, size);
            assert_eq!(out.len(), size_len(size), "{size}");
            assert_eq!(read_size(&out), (Some(size as u64), out.len()), "{size}: {out:02x?}");
        }
    }

    #[test]
    fn a_size_takes_one_byte_more_where_the_shorter_form_is_reserved() {
        let lens = [126, 127, 16_382, 16_383, 2_097_150, 2_097_151].map(size_len);
        assert_eq!(lens, [1, 2, 2, 3, 3, 4]);
    }
}

//! The VP8 frame that says "the same picture again" (RFC 6386).
//!
//! When the camera hiccups, the video track must go on (docs/receivers.md §3: a track that stops takes the other one
//! with it), and yet nothing may come between an encoder's frames that changes what the next one is predicted
//! from. So we write the one inter frame that leaves a decoder exactly as it was: every macroblock is copied
//! from the last frame with a zero motion vector and no residue, no loop filter runs, no reference buffer and
//! no probability is updated. It can stand anywhere after a key frame, any number of times, and takes some
//! 50 bytes at 640x480.

use bytes::Bytes;

/// The repeat frame for a stream of `width` x `height` pixels.
pub fn repeat_frame(width: u16, height: u16) -> Bytes {
    let columns = usize::from(width).div_ceil(16);
    let rows = usize::from(height).div_ceil(16);

    let mut first = BoolEncoder::default();
    write_header(&mut first);
    for row in 0..rows {
        for column in 0..columns {
            write_macroblock(&mut first, row, column);
        }
    }
    let first = first.finish();

    // Frame tag (§9.1): bit 0 inter frame, bits 1-3 version 0, bit 4 show_frame, then the partition's size.
    let tag = 1 | 1 << 4 | (first.len() as u32) << 5;
    let mut frame = tag.to_le_bytes()[..3].to_vec();
    frame.extend_from_slice(&first);
    // The second partition would hold residue; there is none, but some decoders refuse an empty one.
    frame.extend_from_slice(&[0; 4]);
    frame.into()
}

/// Probability that a macroblock has residue, out of 256: as good as none has.
const PROB_NOT_SKIPPED: u8 = 1;
/// Probability that a macroblock is intra coded, out of 256.
const PROB_INTRA: u8 = 1;
/// Probability that an inter macroblock refers to the last frame, out of 256.
const PROB_LAST_FRAME: u8 = 255;

/// The frame header (§9.3 to §9.11, §19.2), field by field.
fn write_header(out: &mut BoolEncoder) {
    out.literal(0, 1); // segmentation_enabled
    out.literal(0, 1); // filter_type
    out.literal(0, 6); // loop_filter_level: off
    out.literal(0, 3); // sharpness_level
    out.literal(0, 1); // loop_filter_adj_enable
    out.literal(0, 2); // log2_nbr_of_dct_partitions
    out.literal(0, 7); // y_ac_qi
    out.literal(0, 5); // no delta for y_dc, y2_dc, y2_ac, uv_dc, uv_ac
    out.literal(0, 1); // refresh_golden_frame
    out.literal(0, 1); // refresh_alternate_frame
    out.literal(0, 2); // copy_buffer_to_golden
    out.literal(0, 2); // copy_buffer_to_alternate
    out.literal(0, 1); // sign_bias_golden
    out.literal(0, 1); // sign_bias_alternate
    out.literal(0, 1); // refresh_entropy_probs: forget this frame's probabilities
    out.literal(0, 1); // refresh_last: the encoder's last frame stays the reference
    for &prob in &COEFF_UPDATE_PROBS {
        out.bool(false, prob);
    }
    out.literal(1, 1); // mb_no_skip_coeff
    out.literal(PROB_NOT_SKIPPED.into(), 8);
    out.literal(PROB_INTRA.into(), 8);
    out.literal(PROB_LAST_FRAME.into(), 8);
    out.literal(128, 8); // prob_gf: never used
    out.literal(0, 1); // intra_16x16_prob_update_flag
    out.literal(0, 1); // intra_chroma_prob_update_flag
    for &prob in &MV_UPDATE_PROBS {
        out.bool(false, prob);
    }
}

/// One macroblock: no residue, inter, last frame, zero motion vector (§19.3).
fn write_macroblock(out: &mut BoolEncoder, row: usize, column: usize) {
    out.bool(true, PROB_NOT_SKIPPED);
    out.bool(true, PROB_INTRA);
    out.bool(false, PROB_LAST_FRAME);
    // The mode's probability depends on how many neighbours (above and left weigh 2, above left 1) have a
    // zero motion vector themselves (§18.3): all that exist.
    let neighbours = match (row > 0, column > 0) {
        (false, false) => 0,
        (true, true) => 5,
        _ => 2,
    };
    out.bool(false, ZERO_MV_PROBS[neighbours]);
}

/// The boolean entropy encoder of §7.3.
struct BoolEncoder {
    bytes: Vec<u8>,
    range: u32,
    bottom: u32,
    bits_until_byte: u32,
}

impl Default for BoolEncoder {
    fn default() -> Self {
        Self { bytes: Vec::new(), range: 255, bottom: 0, bits_until_byte: 24 }
    }
}

impl BoolEncoder {
    /// Writes `value`, whose probability of being false is `prob` out of 256.
    fn bool(&mut self, value: bool, prob: u8) {
        let split = 1 + (((self.range - 1) * u32::from(prob)) >> 8);
        if value {
            self.bottom = self.bottom.wrapping_add(split);
            if self.bottom < split {
                self.carry();
            }
            self.range -= split;
        } else {
            self.range = split;
        }
        while self.range < 128 {
            self.range <<= 1;
            self.shift();
        }
    }

    /// Writes the low `bits` bits of `value`, the highest first, each as likely as not.
    fn literal(&mut self, value: u32, bits: u32) {
        for bit in (0..bits).rev() {
            self.bool(value >> bit & 1 == 1, 128);
        }
    }

    fn shift(&mut self) {
        if self.bottom & 1 << 31 != 0 {
            self.carry();
        }
        self.bottom <<= 1;
        self.bits_until_byte -= 1;
        if self.bits_until_byte == 0 {
            self.bytes.push((self.bottom >> 24) as u8);
            self.bottom &= (1 << 24) - 1;
            self.bits_until_byte = 8;
        }
    }

    fn carry(&mut self) {
        for byte in self.bytes.iter_mut().rev() {
            let (sum, overflow) = byte.overflowing_add(1);
            *byte = sum;
            if !overflow {
                return;
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        for _ in 0..32 {
            self.shift();
        }
        self.bytes
    }
}

/// First entry of each row of `vp8_mode_contexts` (§18.3): how likely the motion vector is not zero, by the weight of
/// neighbours whose vector is zero.
const ZERO_MV_PROBS: [u8; 6] = [7, 14, 135, 60, 159, 234];

/// Probabilities that a motion vector probability is not updated (§17.2).
#[rustfmt::skip]
const MV_UPDATE_PROBS: [u8; 38] = [
    237, 246, 253, 253, 254, 254, 254, 254, 254, 254, 254, 254, 254, 254, 250, 250, 252, 254, 254,
    231, 243, 245, 253, 254, 254, 254, 254, 254, 254, 254, 254, 254, 254, 251, 251, 254, 254, 254,
];

/// Probabilities that a coefficient probability is not updated (§13.4), in the order in which they are read.
#[rustfmt::skip]
const COEFF_UPDATE_PROBS: [u8; 1056] = [
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    176, 246, 255, 255, 255, 255, 255, 255, 255, 255, 255, 223, 241, 252, 255, 255, 255, 255, 255, 255, 255, 255, 249, 253, 253, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 244, 252, 255, 255, 255, 255, 255, 255, 255, 255, 234, 254, 254, 255, 255, 255, 255, 255, 255, 255, 255, 253, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 246, 254, 255, 255, 255, 255, 255, 255, 255, 255, 239, 253, 254, 255, 255, 255, 255, 255, 255, 255, 255, 254, 255, 254, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 248, 254, 255, 255, 255, 255, 255, 255, 255, 255, 251, 255, 254, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 253, 254, 255, 255, 255, 255, 255, 255, 255, 255, 251, 254, 254, 255, 255, 255, 255, 255, 255, 255, 255, 254, 255, 254, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 254, 253, 255, 254, 255, 255, 255, 255, 255, 255, 250, 255, 254, 255, 254, 255, 255, 255, 255, 255, 255, 254, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    217, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 225, 252, 241, 253, 255, 255, 254, 255, 255, 255, 255, 234, 250, 241, 250, 253, 255, 253, 254, 255, 255, 255,
    255, 254, 255, 255, 255, 255, 255, 255, 255, 255, 255, 223, 254, 254, 255, 255, 255, 255, 255, 255, 255, 255, 238, 253, 254, 254, 255, 255, 255, 255, 255, 255, 255,
    255, 248, 254, 255, 255, 255, 255, 255, 255, 255, 255, 249, 254, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 253, 255, 255, 255, 255, 255, 255, 255, 255, 255, 247, 254, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 253, 254, 255, 255, 255, 255, 255, 255, 255, 255, 252, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 254, 254, 255, 255, 255, 255, 255, 255, 255, 255, 253, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 254, 253, 255, 255, 255, 255, 255, 255, 255, 255, 250, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 254, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    186, 251, 250, 255, 255, 255, 255, 255, 255, 255, 255, 234, 251, 244, 254, 255, 255, 255, 255, 255, 255, 255, 251, 251, 243, 253, 254, 255, 254, 255, 255, 255, 255,
    255, 253, 254, 255, 255, 255, 255, 255, 255, 255, 255, 236, 253, 254, 255, 255, 255, 255, 255, 255, 255, 255, 251, 253, 253, 254, 254, 255, 255, 255, 255, 255, 255,
    255, 254, 254, 255, 255, 255, 255, 255, 255, 255, 255, 254, 254, 254, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 254, 255, 255, 255, 255, 255, 255, 255, 255, 255, 254, 254, 255, 255, 255, 255, 255, 255, 255, 255, 255, 254, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 254, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    248, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 250, 254, 252, 254, 255, 255, 255, 255, 255, 255, 255, 248, 254, 249, 253, 255, 255, 255, 255, 255, 255, 255,
    255, 253, 253, 255, 255, 255, 255, 255, 255, 255, 255, 246, 253, 253, 255, 255, 255, 255, 255, 255, 255, 255, 252, 254, 251, 254, 254, 255, 255, 255, 255, 255, 255,
    255, 254, 252, 255, 255, 255, 255, 255, 255, 255, 255, 248, 254, 253, 255, 255, 255, 255, 255, 255, 255, 255, 253, 255, 254, 254, 255, 255, 255, 255, 255, 255, 255,
    255, 251, 254, 255, 255, 255, 255, 255, 255, 255, 255, 245, 251, 254, 255, 255, 255, 255, 255, 255, 255, 255, 253, 253, 254, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 251, 253, 255, 255, 255, 255, 255, 255, 255, 255, 252, 253, 254, 255, 255, 255, 255, 255, 255, 255, 255, 255, 254, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 252, 255, 255, 255, 255, 255, 255, 255, 255, 255, 249, 255, 254, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 254, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 253, 255, 255, 255, 255, 255, 255, 255, 255, 250, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 254, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
];

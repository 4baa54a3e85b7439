//! Temporal layers of a VP8 encoder (RFC 6386 §9.7 has what they are made of): one picture of four is the base layer, and
//! no picture is decoded from any other. So whoever gets fewer pictures can decode what it gets.
//!
//! `vp8enc` takes layers on and off while it runs, without a key frame. They cost some of the quality, the more the less
//! the base layer has: see `Encoding::base_bitrate`.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

/// One picture of so many is in the base layer. libvpx halves the frame rate from layer to layer, but for the last two.
const PERIOD: i32 = 4;
/// What a picture of the base layer refers to, and changes: the one of the base layer before it, which it replaces.
const BASE: &str = "no-ref-golden+no-ref-alt+no-upd-golden+no-upd-alt";
/// The others refer to the same picture, and change nothing that a later one is decoded from.
const DROPPABLE: &str = "no-ref-golden+no-ref-alt+no-upd-last+no-upd-golden+no-upd-alt+no-upd-entropy";

const NUMBER: &str = "temporal-scalability-number-layers";
const PERIODICITY: &str = "temporal-scalability-periodicity";
const LAYER_IDS: &str = "temporal-scalability-layer-id";
const DECIMATORS: &str = "temporal-scalability-rate-decimator";
/// Cumulative, in bits per second. libvpx refuses one that is not above the one before.
const TARGETS: &str = "temporal-scalability-target-bitrate";
const FLAGS: &str = "temporal-scalability-layer-flags";
/// What a key frame is of the bytes of an average picture at most, in percent; 0 for no limit.
const MAX_KEY_FRAME: &str = "max-intra-bitrate";
/// GStreamer reads one for each picture, and divides by their number.
const SYNC_FLAGS: &str = "temporal-scalability-layer-sync-flags";

/// Gives the base layer `base` of `bitrate`, both in bits per second; or ends the layers. Nothing happens where the encoder
/// has none.
pub(super) fn set(encoder: &gst::Element, bitrate: u32, base: Option<u32>) {
    if encoder.find_property(NUMBER).is_none() {
        return;
    }
    let layered = encoder.property::<i32>(NUMBER) > 1;
    // Each property takes effect at once, so the number of layers is set when all else fits to it.
    match base {
        Some(base) => {
            encoder.set_property(TARGETS, numbers([base.min(bitrate / 2), bitrate].map(number)));
            if !layered {
                encoder.set_property(DECIMATORS, numbers([PERIOD, 1]));
                encoder.set_property(LAYER_IDS, numbers((0..PERIOD).map(|at| i32::from(at > 0))));
                let sync = (0..PERIOD).map(|at| (at > 0).to_send_value());
                encoder.set_property(SYNC_FLAGS, gst::Array::new(sync));
                let flags: Vec<&str> = (0..PERIOD).map(|at| if at > 0 { DROPPABLE } else { BASE }).collect();
                encoder.set_property_from_str(FLAGS, &format!("<{}>", flags.join(",")));
                encoder.set_property(PERIODICITY, PERIOD);
                // It is of the average in the base layer now. Key frames half as large take half as long over a narrow link.
                scale_key_frames(encoder, |percent| percent / 2);
                encoder.set_property(NUMBER, 2);
            }
        }
        None if layered => {
            encoder.set_property(NUMBER, 1);
            encoder.set_property(PERIODICITY, 0);
            scale_key_frames(encoder, |percent| percent * 2);
            encoder.set_property_from_str(FLAGS, "<>");
        }
        None => {}
    }
}

fn scale_key_frames(encoder: &gst::Element, scale: impl FnOnce(i32) -> i32) {
    encoder.set_property(MAX_KEY_FRAME, scale(encoder.property(MAX_KEY_FRAME)));
}

fn number(bits_per_second: u32) -> i32 {
    i32::try_from(bits_per_second).unwrap_or(i32::MAX)
}

fn numbers(numbers: impl IntoIterator<Item = i32>) -> glib::ValueArray {
    glib::ValueArray::new(numbers.into_iter().map(|number| number.to_value()))
}

/// Whether no other picture is decoded from a delta frame, as `vp8enc` notes it on the buffer since GStreamer 1.20.
pub(super) fn is_droppable(buffer: &gst::BufferRef) -> bool {
    gst::meta::CustomMeta::from_buffer(buffer, "GstVP8Meta").is_ok_and(|meta| {
        let noted = meta.structure();
        noted.get("use-temporal-scaling") == Ok(true) && noted.get::<u32>("layer-id").is_ok_and(|id| id > 0)
    })
}

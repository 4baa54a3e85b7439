//! Frames of a hostile server, from the wire to the event the agent sees.
//!
//! The input is a list of frames, split at 0xFF (which no UTF-8 text contains); a frame that begins with 0xFE
//! is binary, any other is text. Seeds in `seeds/packet/`.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use roomcam::meeting::ServerEvent;
use roomcam::socketio::{Body, Decoder, EnginePacket};

const LIMIT: usize = 4096;

fuzz_target!(|input: &[u8]| {
    let mut decoder = Decoder::new(LIMIT);
    for frame in input.split(|byte| *byte == 0xff) {
        let read = match frame.split_first() {
            Some((0xfe, bytes)) => decoder.binary(Bytes::copy_from_slice(bytes)),
            _ => decoder.text(&String::from_utf8_lossy(frame)),
        };
        // The connection ends at the first error.
        let Ok(read) = read else { return };
        let Some(packet) = read else { continue };

        let wire = packet.encode();
        let attached: usize = wire.attachments.iter().map(Bytes::len).sum();
        assert!(attached <= LIMIT, "{attached} bytes of attachments are held");
        if let EnginePacket::Message(message) = &packet
            && let Body::Event(event) = &message.body
        {
            let _ = ServerEvent::read(event);
        }
        // What was understood is written so that it is understood the same way.
        let mut again = Decoder::new(usize::MAX);
        let mut reread = again.text(&wire.text);
        for attachment in wire.attachments {
            assert_eq!(reread, Ok(None));
            reread = again.binary(attachment);
        }
        assert_eq!(reread, Ok(Some(packet)));
    }
});

//! What hostile participants send to the embedded relay, from the wire to what the others hear.
//!
//! The input is a list of frames, split at 0xFF. The first byte of each says who sends it; if the second is 0xFE it
//! is binary, else text. Seeds in `seeds/relay/`.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use roomcam::relay::rehearsal::Rehearsal;
use roomcam::socketio::Decoder;
use tokio::runtime::Builder;

const CLIENTS: u64 = 3;
/// Between the packets of one answer to a poll.
const SEPARATOR: char = '\u{1e}';
/// Clients hear of what others say, once each, with a name and a few ids around it.
const MOST_PER_BYTE: usize = 3 * 512;

fuzz_target!(|input: &[u8]| {
    // Time passes at once where nothing else is to be done.
    let Ok(runtime) = Builder::new_current_thread().enable_time().start_paused(true).build() else { return };
    runtime.block_on(async {
        let relay = Rehearsal::new(CLIENTS);
        for frame in input.split(|byte| *byte == 0xff) {
            match frame {
                [client, 0xfe, bytes @ ..] => {
                    relay.binary((*client).into(), Bytes::copy_from_slice(bytes)).await
                }
                // A client that polls, as these do, has no way to send the separator.
                [client, text @ ..] => {
                    for text in String::from_utf8_lossy(text).split(SEPARATOR) {
                        relay.text((*client).into(), text).await;
                    }
                }
                [] => {}
            }
        }
        let (waiting, heard) = relay.heard();
        assert!(waiting <= (input.len() + 64) * MOST_PER_BYTE, "{waiting} bytes from {}", input.len());
        for packets in heard {
            let mut decoder = Decoder::new(usize::MAX);
            for packet in packets.split(SEPARATOR).filter(|packet| !packet.is_empty()) {
                let read = match packet.strip_prefix('b') {
                    Some(_) => decoder.binary(Bytes::new()),
                    None => decoder.text(packet),
                };
                assert!(read.is_ok(), "{packet}: {read:?}");
            }
        }
    });
});

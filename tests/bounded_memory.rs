//! A 50 MB chat message costs no memory to speak of. Alone in its file, because it looks at the peak of the
//! whole process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Relay, config, next};
use roomcam::meeting::{OutboxLimits, Presence, SessionError, SessionEvent, outbox, session};
use roomcam::socketio::Fault;
use tokio::io::AsyncWriteExt;

const MIB: usize = 1 << 20;
const MESSAGE: usize = 50_000_000;
const LIMIT: usize = 4 * MIB;

/// The most resident memory this process ever had, in bytes (proc(5), VmHWM).
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
}

/// WebSocket frame headers (RFC 6455 §5.2) with a 64-bit length.
fn header(first: u8, len: usize) -> [u8; 10] {
    let mut header = [first, 127, 0, 0, 0, 0, 0, 0, 0, 0];
    header[2..].copy_from_slice(&(len as u64).to_be_bytes());
    header
}

const TEXT: u8 = 0x01;
const BINARY: u8 = 0x02;
const FIN: u8 = 0x80;

/// How the relay wraps its 50 MB: what it writes first, then again and again.
enum Wrapping {
    OneFrame,
    Fragments,
    Attachments,
}

async fn size_in_error(wrapping: Wrapping) -> usize {
    let relay = Relay::listen().await;
    let (_outbox, receiver) = outbox(OutboxLimits::default());
    let mut session = session::spawn(config(&relay), Presence { has_video: true, is_muted: false }, receiver);
    let mut server = relay.accept().await;
    server.join("room-1").await;
    assert!(matches!(next(&mut session).await, SessionEvent::Joined(_)));

    let start = br#"42["chat-message",{"message":""#;
    let piece = vec![b'x'; MIB];
    let sending = tokio::spawn(async move {
        let stream = server.0.get_mut();
        // Writing fails as soon as the client hangs up, which is what is to happen.
        match wrapping {
            Wrapping::OneFrame => {
                stream.write_all(&header(FIN | TEXT, MESSAGE)).await?;
                stream.write_all(start).await?;
                for _ in 0..MESSAGE / MIB {
                    stream.write_all(&piece).await?;
                }
            }
            Wrapping::Fragments => {
                stream.write_all(&header(TEXT, start.len())).await?;
                stream.write_all(start).await?;
                for _ in 0..MESSAGE / MIB {
                    stream.write_all(&header(0, MIB)).await?;
                    stream.write_all(&piece).await?;
                }
            }
            Wrapping::Attachments => {
                let event = br#"4510-["chat-message"]"#;
                stream.write_all(&header(FIN | TEXT, event.len())).await?;
                stream.write_all(event).await?;
                for _ in 0..10 {
                    stream.write_all(&header(FIN | BINARY, MIB)).await?;
                    stream.write_all(&piece).await?;
                }
            }
        }
        std::io::Result::Ok(())
    });
    let SessionEvent::Ended(SessionError::Lost(error)) = next(&mut session).await else {
        panic!("the session goes on")
    };
    drop(session);
    // Ends either way, now that nobody reads.
    let _ = sending.await.unwrap();
    let text = error.to_string();
    match error.fault {
        Fault::TooLarge { size, max } => {
            assert_eq!(max, LIMIT);
            let told = format!(
                "sent a message of {size} bytes, above the limit of 4194304; closed to keep memory bounded"
            );
            assert!(text.ends_with(&told), "{text}");
            size
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn fifty_megabytes_however_wrapped_are_refused_within_bounded_memory() {
    let before = peak();
    assert_eq!(size_in_error(Wrapping::OneFrame).await, MESSAGE);
    let fragments = size_in_error(Wrapping::Fragments).await;
    assert!(fragments > LIMIT && fragments <= LIMIT + MIB, "{fragments}");
    let attachments = size_in_error(Wrapping::Attachments).await;
    assert!(attachments > LIMIT && attachments <= LIMIT + MIB, "{attachments}");
    // The message up to the limit, its growth by doubling, and the test's own piece.
    let grown = peak() - before;
    assert!(grown < 20 * MIB, "the peak grew by {} MiB", grown / MIB);
}

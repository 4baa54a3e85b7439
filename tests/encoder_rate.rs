//! The encoder keeps to the frame rate that it is given while it runs.

// Helpers of tests may panic like tests do; clippy knows that only of functions marked #[test].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use roomcam::capture::{CameraSettings, CaptureEvent, Encoding, MediaClock, Pipeline, Profiles, open_camera};
use roomcam::media::Frame;
use tokio::sync::mpsc::Receiver;

/// Far longer than a frame takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(10);

async fn open() -> (Pipeline, Receiver<CaptureEvent>) {
    let profile = Profiles::usual(None).load("test-pattern").unwrap();
    let settings =
        CameraSettings { device: "auto".to_owned(), width: 640, height: 480, fps: 30, bitrate: 800_000 };
    open_camera(&MediaClock::new().unwrap(), &profile, &settings).await.unwrap()
}

/// The frames of the next `span` of capture time.
async fn frames(events: &mut Receiver<CaptureEvent>, span: Duration) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    loop {
        let event = tokio::time::timeout(PATIENCE, events.recv()).await.expect("no frame in time").unwrap();
        if let CaptureEvent::Frame(frame) = event {
            if frames.first().is_some_and(|first| frame.captured.since(first.captured) >= span) {
                return frames;
            }
            frames.push(frame);
        }
    }
}

fn bits(frames: &[Frame]) -> usize {
    frames.iter().map(|frame| frame.data.len() * 8).sum()
}

#[tokio::test]
async fn a_frame_rate_is_kept_without_a_new_key_frame_and_its_pictures_get_more_bits() {
    let (pipeline, mut events) = open().await;
    frames(&mut events, Duration::from_secs(1)).await;

    pipeline.set_encoding(Encoding { bitrate: 800_000, frame_rate: 10, halved: false, hold: false });
    frames(&mut events, Duration::from_millis(500)).await;
    let slow = frames(&mut events, Duration::from_secs(2)).await;

    assert!((18..=22).contains(&slow.len()), "{} frames in 2 s", slow.len());
    assert!(slow.iter().all(|frame| !frame.key), "a key frame");
    assert!(bits(&slow) / 2 > 500_000, "{} bit/s for 800000 asked", bits(&slow) / 2);
}

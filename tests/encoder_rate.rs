//! The encoder keeps to the frame rate that it is given while it runs.

// Helpers of tests may panic like tests do; clippy knows that only of functions marked #[test].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use roomcam::capture::{
    CameraSettings, CaptureEvent, Encoding, MediaClock, Pipeline, Profile, Profiles, open_camera,
};
use roomcam::media::Frame;
use tokio::sync::mpsc::Receiver;

/// Far longer than a frame takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(10);

async fn open() -> (Pipeline, Receiver<CaptureEvent>) {
    open_profile(&Profiles::usual(None).load("test-pattern").unwrap()).await
}

/// The test picture's encoder with another pattern before it.
async fn open_pattern(pattern: &str) -> (Pipeline, Receiver<CaptureEvent>) {
    let profiles = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string("pipelines/test-pattern.toml").unwrap();
    let text = text.replace("pattern=smpte", pattern).replace("overlay = \"clock\"\n", "");
    std::fs::write(profiles.path().join("pattern.toml"), text).unwrap();
    open_profile(&Profiles::usual(Some(profiles.path().into())).load("pattern").unwrap()).await
}

async fn open_profile(profile: &Profile) -> (Pipeline, Receiver<CaptureEvent>) {
    let settings =
        CameraSettings { device: "auto".to_owned(), width: 640, height: 480, fps: 30, bitrate: 800_000 };
    open_camera(&MediaClock::new().unwrap(), profile, &settings).await.unwrap()
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

    pipeline.set_encoding(Encoding {
        bitrate: 800_000,
        base_bitrate: None,
        frame_rate: 10,
        drop: true,
        halved: false,
        hold: false,
    });
    frames(&mut events, Duration::from_millis(500)).await;
    let slow = frames(&mut events, Duration::from_secs(2)).await;

    assert!((18..=22).contains(&slow.len()), "{} frames in 2 s", slow.len());
    assert!(slow.iter().all(|frame| !frame.key), "a key frame");
    assert!(bits(&slow) / 2 > 500_000, "{} bit/s for 800000 asked", bits(&slow) / 2);
}

/// Below its coarsest quantizer the encoder keeps to a target by leaving out pictures alone.
#[tokio::test]
async fn the_bitrate_asked_for_is_the_one_that_comes_whatever_is_seen() {
    // What moves, what flickers, and noise, of which no picture is like the one before.
    for pattern in ["pattern=smpte", "pattern=zone-plate kx2=20 ky2=20 kt=5", "pattern=snow"] {
        let (pipeline, mut events) = open_pattern(pattern).await;
        for bitrate in [400_000, 800_000] {
            pipeline.set_encoding(Encoding {
                bitrate,
                base_bitrate: None,
                frame_rate: 0,
                drop: true,
                halved: false,
                hold: false,
            });
            frames(&mut events, Duration::from_secs(1)).await;
            let made = frames(&mut events, Duration::from_secs(4)).await;
            let rate = bits(&made) as f64 / 4.0 / f64::from(bitrate);
            // One picture of the noise is a third of a second at 800 kbit/s.
            assert!(rate < 1.35, "{pattern}: {rate} of {bitrate} bit/s");
            assert!(rate > 0.6, "{pattern}: {rate} of {bitrate} bit/s");
        }
    }
}

#[tokio::test]
async fn a_still_picture_takes_next_to_nothing() {
    let (pipeline, mut events) = open_pattern("pattern=smpte75").await;
    pipeline.set_encoding(Encoding {
        bitrate: 400_000,
        base_bitrate: None,
        frame_rate: 0,
        drop: true,
        halved: false,
        hold: false,
    });
    frames(&mut events, Duration::from_secs(1)).await;

    let still = frames(&mut events, Duration::from_secs(2)).await;

    assert!(bits(&still) / 2 < 100_000, "{} bit/s", bits(&still) / 2);
}

#[tokio::test]
async fn a_halved_picture_is_another_format_and_begins_with_a_key_frame() {
    let (pipeline, mut events) = open().await;
    frames(&mut events, Duration::from_millis(500)).await;

    pipeline.set_encoding(Encoding {
        bitrate: 200_000,
        base_bitrate: None,
        frame_rate: 0,
        drop: true,
        halved: true,
        hold: false,
    });

    let format = loop {
        match tokio::time::timeout(PATIENCE, events.recv()).await.expect("no other format in time").unwrap() {
            CaptureEvent::Format(format) => break format,
            _ => continue,
        }
    };
    assert_eq!((format.width, format.height), (320, 240));
    let halved = frames(&mut events, Duration::from_millis(500)).await;
    assert!(halved[0].key && halved[1..].iter().all(|frame| !frame.key));
}

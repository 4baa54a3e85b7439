//! The capture room with real GStreamer: test pictures, tones, files, and devices that are not there.

use std::time::Duration;

use roomcam::capture::{
    CameraSettings, CaptureError, CaptureEvent, MediaClock, MicSettings, Pipeline, Profile, Profiles,
};
use roomcam::media::{Frame, Track, VideoCodec, VideoFormat};
use tokio::sync::mpsc::Receiver;

/// Far longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(10);

fn profile(name: &str) -> Profile {
    Profiles::usual(None).load(name).unwrap()
}

fn camera(device: &str) -> CameraSettings {
    CameraSettings { device: device.to_owned(), width: 320, height: 240, fps: 30, bitrate: 300_000 }
}

fn mic(device: &str) -> MicSettings {
    MicSettings { device: device.to_owned(), bitrate: 32_000 }
}

async fn next(events: &mut Receiver<CaptureEvent>) -> CaptureEvent {
    tokio::time::timeout(PATIENCE, events.recv()).await.expect("no event in time").expect("the channel ended")
}

async fn next_frame(events: &mut Receiver<CaptureEvent>) -> Frame {
    loop {
        match next(events).await {
            CaptureEvent::Frame(frame) => return frame,
            CaptureEvent::Failed(error) => panic!("{error}"),
            CaptureEvent::Format(_) | CaptureEvent::Overrun { .. } => {}
        }
    }
}

async fn frames(events: &mut Receiver<CaptureEvent>, count: usize) -> Vec<Frame> {
    let mut frames = Vec::with_capacity(count);
    while frames.len() < count {
        frames.push(next_frame(events).await);
    }
    frames
}

#[tokio::test]
async fn the_test_picture_starts_with_its_format_and_a_key_frame_and_time_goes_forward() {
    let clock = MediaClock::new().unwrap();
    let before = clock.now();
    let (pipeline, mut events) =
        Pipeline::open_camera(&clock, &profile("test-pattern"), &camera("auto")).await.unwrap();

    let format = VideoFormat { codec: VideoCodec::Vp8, width: 320, height: 240, fps: 30 };
    assert_eq!(next(&mut events).await, CaptureEvent::Format(format));
    let frames = frames(&mut events, 30).await;

    assert!(frames[0].key);
    assert!(frames.iter().all(|frame| frame.track == Track::Video && !frame.data.is_empty()));
    assert!(frames[1..].iter().all(|frame| !frame.key), "only the first is a key frame, unforced");
    assert!(frames[0].captured >= before);
    assert!(frames.last().unwrap().captured <= clock.now());
    for pair in frames.windows(2) {
        let step = pair[1].captured.since(pair[0].captured);
        assert!((Duration::from_millis(33)..=Duration::from_millis(34)).contains(&step), "{step:?}");
    }
    pipeline.close().await.unwrap();
    while let Ok(Some(event)) = tokio::time::timeout(PATIENCE, events.recv()).await {
        assert!(matches!(event, CaptureEvent::Frame(_)), "{event:?}");
    }
}

#[tokio::test]
async fn the_tone_comes_as_packets_on_a_grid_of_exactly_20_ms() {
    let clock = MediaClock::new().unwrap();
    let (pipeline, mut events) =
        Pipeline::open_mic(&clock, &profile("test-pattern"), &mic("auto")).await.unwrap();

    let packets = frames(&mut events, 20).await;

    for pair in packets.windows(2) {
        let step = pair[1].captured.since(pair[0].captured).as_nanos().abs_diff(20_000_000);
        assert!(step <= 1, "off the grid by {step} ns");
    }
    assert!(packets.iter().all(|packet| packet.key && packet.track == Track::Audio));
    pipeline.close().await.unwrap();
}

#[tokio::test]
async fn a_device_that_is_not_there_is_named() {
    let clock = MediaClock::new().unwrap();

    let error =
        Pipeline::open_camera(&clock, &profile("usb-webcam"), &camera("/dev/video99")).await.unwrap_err();

    assert_eq!(error, CaptureError::NotFound { device: "/dev/video99".to_owned() });
}

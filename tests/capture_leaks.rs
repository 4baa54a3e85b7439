//! A camera that is turned on and off all day leaves nothing behind. Alone in its file: it counts the
//! process's threads, which other tests would add to.

// Helpers of tests may panic like tests do; clippy knows that only of functions marked #[test].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use roomcam::capture::{
    CameraSettings, CaptureEvent, MediaClock, MicSettings, Profile, Profiles, open_camera, open_mic,
};

/// Far longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Open files and threads of this process.
fn held() -> (usize, usize) {
    let count = |what: &str| std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
    (count("fd"), count("task"))
}

async fn on_and_off(clock: &MediaClock, profile: &Profile) {
    let camera =
        CameraSettings { device: "auto".to_owned(), width: 160, height: 120, fps: 30, bitrate: 100_000 };
    let mic = MicSettings { device: "auto".to_owned(), bitrate: 32_000, loss: 0 };
    let (camera, mut pictures) = open_camera(clock, profile, &camera).await.unwrap();
    let (mic, mut packets) = open_mic(clock, profile, &mic).await.unwrap();
    let format = tokio::time::timeout(PATIENCE, pictures.recv()).await.unwrap();
    let packet = tokio::time::timeout(PATIENCE, packets.recv()).await.unwrap();
    assert!(matches!((format, packet), (Some(CaptureEvent::Format(_)), Some(CaptureEvent::Frame(_)))));
    camera.close().await.unwrap();
    mic.close().await.unwrap();
}

#[tokio::test]
async fn twenty_times_on_and_off_leave_no_thread_and_no_file_open() {
    let clock = MediaClock::new().unwrap();
    let profile = Profiles::usual(None).load("test-pattern").unwrap();
    // The first rounds load plugins and fill GStreamer's thread pools.
    for _ in 0..3 {
        on_and_off(&clock, &profile).await;
    }
    let before = held();

    for _ in 0..20 {
        on_and_off(&clock, &profile).await;
    }

    // An idle thread of a pool needs a moment to go.
    let deadline = Instant::now() + PATIENCE;
    let more = |(files, threads)| files > before.0 || threads > before.1;
    while more(held()) && Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    let after = held();
    assert!(!more(after), "files and threads: {before:?}, then {after:?}");
}

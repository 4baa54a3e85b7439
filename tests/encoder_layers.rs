//! The encoder takes up temporal layers while it runs, and whoever gets the base layer alone decodes it as others do.

// Helpers of tests may panic like tests do; clippy knows that only of functions marked #[test].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use roomcam::capture::{CameraSettings, CaptureEvent, Encoding, MediaClock, Pipeline, Profiles, open_camera};
use roomcam::media::{CaptureTime, Frame};
use tokio::sync::mpsc::Receiver;

/// Far longer than a frame takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(10);

struct Camera {
    pipeline: Pipeline,
    events: Receiver<CaptureEvent>,
}

impl Camera {
    async fn open() -> Self {
        let profile = Profiles::usual(None).load("test-pattern").unwrap();
        let settings =
            CameraSettings { device: "auto".to_owned(), width: 640, height: 480, fps: 30, bitrate: 800_000 };
        let (pipeline, events) = open_camera(&MediaClock::new().unwrap(), &profile, &settings).await.unwrap();
        Self { pipeline, events }
    }

    fn encode(&self, bitrate: u32, base_bitrate: Option<u32>) {
        let drop = base_bitrate.is_some();
        self.pipeline.set_encoding(Encoding {
            bitrate,
            base_bitrate,
            frame_rate: 0,
            drop,
            halved: false,
            hold: false,
        });
    }

    async fn frame(&mut self) -> Frame {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("no frame in time");
            if let CaptureEvent::Frame(frame) = event.unwrap() {
                return frame;
            }
        }
    }

    /// The frames of the next `span` of capture time.
    async fn frames(&mut self, span: Duration) -> Vec<Frame> {
        let mut frames = vec![self.frame().await];
        while frames.last().unwrap().captured.since(frames[0].captured) < span {
            frames.push(self.frame().await);
        }
        frames
    }

    /// The frames up to the one that is droppable, or the one after four that are not.
    async fn frames_until_layers(&mut self, wanted: bool) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            frames.push(self.frame().await);
            assert!(frames.len() < 90, "droppable pictures after 3 s: {}", !wanted);
            let last = frames.iter().rev().take(5);
            if (wanted && frames.last().unwrap().droppable)
                || (!wanted && frames.len() >= 5 && last.into_iter().all(|frame| !frame.droppable))
            {
                return frames;
            }
        }
    }
}

/// The luma and chroma of each frame, as libvpx decodes them, by the time of capture.
fn decode<'a>(frames: impl IntoIterator<Item = &'a Frame>) -> BTreeMap<CaptureTime, Vec<u8>> {
    let line = "appsrc name=in format=time caps=video/x-vp8 ! vp8dec ! appsink name=out sync=false";
    let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let input = pipeline.by_name("in").unwrap().downcast::<gst_app::AppSrc>().unwrap();
    let output = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    for frame in frames {
        let mut buffer = gst::Buffer::from_slice(frame.data.clone());
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_nseconds(frame.captured.as_nanos()));
        input.push_buffer(buffer).unwrap();
    }
    input.end_of_stream().unwrap();
    let mut pictures = BTreeMap::new();
    while let Ok(sample) = output.pull_sample() {
        let buffer = sample.buffer().unwrap();
        let captured = CaptureTime::from_nanos(buffer.pts().unwrap().nseconds());
        pictures.insert(captured, buffer.map_readable().unwrap().to_vec());
    }
    pipeline.set_state(gst::State::Null).unwrap();
    pictures
}

fn rate(frames: &[Frame], droppable: bool) -> f64 {
    let span = frames.last().unwrap().captured.since(frames[0].captured).as_secs_f64();
    let bits = frames.iter().filter(|frame| frame.droppable == droppable).map(|frame| frame.data.len() * 8);
    bits.sum::<usize>() as f64 / span
}

#[tokio::test]
async fn layers_come_and_go_without_a_key_frame_and_their_rates_follow() {
    let mut camera = Camera::open().await;
    let plain = camera.frames(Duration::from_millis(500)).await;
    assert!(plain.iter().all(|frame| !frame.droppable));

    for (bitrate, base) in [(800_000, 200_000), (500_000, 160_000), (800_000, 120_000)] {
        camera.encode(bitrate, Some(base));
        let begun = camera.frames_until_layers(true).await;
        let settling = camera.frames(Duration::from_secs(1)).await;
        let layered = camera.frames(Duration::from_secs(2)).await;
        let (base_rate, rest) = (rate(&layered, false), rate(&layered, true));
        assert!(base_rate < f64::from(base) * 1.35, "{base_rate} bit/s of {base} in the base layer");
        assert!(
            (0.6..1.35).contains(&((base_rate + rest) / f64::from(bitrate))),
            "{} bit/s",
            base_rate + rest
        );
        let pictures = layered.iter().filter(|frame| !frame.droppable).count();
        assert!((9..=17).contains(&pictures), "{pictures} pictures of the base layer in 2 s");
        let keys = [begun, settling, layered].concat().iter().filter(|frame| frame.key).count();
        assert!(keys <= 1, "{keys} key frames, of which one may be the one of every 4 s");
    }

    camera.encode(800_000, None);
    camera.frames_until_layers(false).await;
    let plain = camera.frames(Duration::from_millis(500)).await;
    assert!(plain.iter().all(|frame| !frame.droppable));
}

#[tokio::test]
async fn the_base_layer_alone_is_decoded_to_the_same_pictures() {
    let mut camera = Camera::open().await;
    let mut frames = camera.frames(Duration::from_millis(500)).await;
    camera.encode(800_000, Some(160_000));
    frames.extend(camera.frames_until_layers(true).await);
    frames.extend(camera.frames(Duration::from_secs(2)).await);
    camera.pipeline.force_key_frame();
    frames.extend(camera.frames(Duration::from_secs(1)).await);
    camera.encode(400_000, Some(100_000));
    frames.extend(camera.frames(Duration::from_secs(1)).await);

    let all = decode(&frames);
    let base: Vec<&Frame> = frames.iter().filter(|frame| !frame.droppable).collect();
    let of_base = decode(base.iter().copied());

    assert_eq!(all.len(), frames.len(), "each frame is decoded");
    assert_eq!(of_base.len(), base.len(), "each frame of the base layer is decoded");
    assert!(base.len() < frames.len() * 3 / 5, "{} of {} frames", base.len(), frames.len());
    let keys: Vec<usize> = base.iter().filter(|frame| frame.key).map(|frame| frame.data.len()).collect();
    assert!(keys.len() >= 2, "the forced key frame is in the base layer");
    // 2.25 times the average picture of the base layer, which is 160 kbit in 7.5 pictures, but for the first.
    assert!(keys[1..].iter().all(|bytes| *bytes < 7_000), "{keys:?}");
    for (captured, picture) in &of_base {
        assert!(all[captured] == *picture, "the picture of {captured:?} is another one");
    }
    // Any of the droppable ones may be left out, not only all of them.
    let some: Vec<&Frame> = (0..)
        .zip(&frames)
        .filter(|(n, frame)| !frame.droppable || n % 2 == 0)
        .map(|(_, frame)| frame)
        .collect();
    for (captured, picture) in decode(some.iter().copied()) {
        assert!(all[&captured] == picture, "the picture of {captured:?} is another one");
    }
}

//! Encoders that send headers, forget the time, or have few buffers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::str::FromStr;
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gstreamer as gst;
use tokio::sync::mpsc;

use super::MediaClock;
use super::event::CaptureEvent;
use super::sink::{Intake, Outlet};
use crate::media::{Track, VideoCodec, VideoFormat};

const FORMAT: VideoFormat = VideoFormat { codec: VideoCodec::Vp8, width: 320, height: 240, fps: 30 };
const HEADER: gst::BufferFlags = gst::BufferFlags::HEADER;
const DELTA: gst::BufferFlags = gst::BufferFlags::DELTA_UNIT;

/// An intake of pictures, and what comes out of it.
struct Encoder {
    intake: Intake,
    events: mpsc::Receiver<CaptureEvent>,
    caps: gst::Caps,
}

impl Encoder {
    fn new(caps: &str) -> Self {
        let clock = MediaClock::new().unwrap();
        let (sender, events) = mpsc::channel(32);
        let outlet = Arc::new(Mutex::new(Outlet::new(sender)));
        let intake = Intake::new(Track::Video, clock, outlet, Some(FORMAT));
        Self { intake, events, caps: gst::Caps::from_str(caps).unwrap() }
    }

    fn push(&mut self, buffer: &gst::Buffer) {
        let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
        segment.set_start(gst::ClockTime::ZERO);
        let sample = gst::Sample::builder().buffer(buffer).caps(&self.caps).segment(&segment).build();
        self.intake.take(sample, gst::ClockTime::ZERO);
    }

    /// What came out: a frame as its data, a loss as its count.
    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            match event {
                CaptureEvent::Format(format) => assert_eq!(format, FORMAT),
                CaptureEvent::Frame(frame) => {
                    let kind = if frame.key { "key" } else { "delta" };
                    told.push(format!("{kind} {}", String::from_utf8_lossy(&frame.data)));
                }
                CaptureEvent::Overrun { lost } => told.push(format!("{lost} lost")),
                other => panic!("{other:?}"),
            }
        }
        told
    }
}

fn buffer(data: &'static str, millis: Option<u64>, flags: gst::BufferFlags) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice(data);
    let writable = buffer.get_mut().unwrap();
    writable.set_pts(millis.map(gst::ClockTime::from_mseconds));
    writable.set_flags(flags);
    buffer
}

#[test]
fn a_frame_without_a_time_or_outside_of_the_segment_is_counted_as_lost() {
    let mut encoder = Encoder::new("video/x-vp8, width=320, height=240, framerate=30/1");

    encoder.push(&buffer("a", Some(0), gst::BufferFlags::empty()));
    encoder.push(&buffer("b", None, DELTA));
    encoder.push(&buffer("c", Some(66), DELTA));
    let mut bytes = gst::FormattedSegment::<gst::format::Bytes>::new();
    bytes.set_start(gst::format::Bytes::ZERO);
    let unmapped = buffer("d", Some(100), DELTA);
    let sample = gst::Sample::builder().buffer(&unmapped).caps(&encoder.caps).segment(&bytes).build();
    encoder.intake.take(sample, gst::ClockTime::ZERO);
    encoder.push(&buffer("e", Some(133), gst::BufferFlags::empty()));

    assert_eq!(encoder.told(), ["key a", "1 lost", "delta c", "1 lost", "key e"]);
}

#[test]
fn a_key_frame_with_headers_in_front_is_a_frame_and_the_headers_alone_are_none() {
    // 6161 is "aa" in hexadecimal: an encoder that lists its headers in the caps also sends them as buffers.
    let mut encoder =
        Encoder::new("video/x-vp8, width=320, height=240, framerate=30/1, streamheader=(buffer)< 6161 >");

    encoder.push(&buffer("aa", Some(0), HEADER));
    encoder.push(&buffer("ab", None, HEADER));
    encoder.push(&buffer("aa and a picture", Some(0), HEADER));
    encoder.push(&buffer("a picture", Some(33), DELTA));

    assert_eq!(encoder.told(), ["key aa and a picture", "delta a picture"]);
}

#[test]
fn an_encoder_with_two_buffers_has_one_free_while_twenty_frames_wait() {
    let mut encoder = Encoder::new("video/x-vp8, width=320, height=240, framerate=30/1");
    let pool = gst::BufferPool::new();
    let mut config = pool.config();
    config.set_params(Some(&encoder.caps), 8, 2, 2);
    pool.set_config(config).unwrap();
    pool.set_active(true).unwrap();
    let at_once = gst::BufferPoolAcquireParams::with_flags(gst::BufferPoolAcquireFlags::DONTWAIT);

    for at in 0..20 {
        let mut buffer = pool.acquire_buffer(Some(&at_once)).unwrap_or_else(|error| panic!("{at}: {error}"));
        let writable = buffer.get_mut().unwrap();
        writable.copy_from_slice(0, b"12345678").unwrap();
        writable.set_pts(gst::ClockTime::from_mseconds(33 * at));
        encoder.push(&buffer);
    }

    assert_eq!(encoder.told(), ["key 12345678"; 20]);
    pool.set_active(false).unwrap();
}

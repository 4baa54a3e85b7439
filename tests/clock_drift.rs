//! Crystals that disagree for an hour: picture and sound stay together, through the segmenter and through the profiles.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/webm.rs"]
mod webm;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use roomcam::media::{CaptureTime, Frame, StreamFormat, Track, VideoCodec, VideoFormat};
use roomcam::stream::Segmenter;
use webm::read_chunk;

/// As far as the crystals of cheap devices are off.
const PPM: f64 = 200.0;
const HOUR: Duration = Duration::from_secs(3600);
/// How far picture and sound may be apart: 40 ms. A part of that is left to the profiles, which correct the time of sound in
/// steps of 20 ms (`audiorate`), and the rest to the segmenter.
const PROFILE_MS: f64 = 25.0;
const SEGMENTER_MS: i64 = 15;
const CADENCE: Duration = Duration::from_millis(100);

/// A device that delivers at its own idea of a rate, each frame stamped by the clock that all share.
struct Device {
    track: Track,
    period: Duration,
    late: Duration,
    next: CaptureTime,
    delivered: u64,
}

impl Device {
    fn new(track: Track, period: Duration, ppm: f64, late_ms: u64) -> Self {
        let period = period.mul_f64(1.0 + ppm / 1e6);
        let late = Duration::from_millis(late_ms);
        Self { track, period, late, next: CaptureTime::from_millis(1000), delivered: 0 }
    }

    /// The next frame, if it has come by now. It carries when it was captured.
    fn deliver(&mut self, now: CaptureTime, wants_key: bool) -> Option<Frame> {
        let captured = self.next;
        if captured.after(self.late) > now {
            return None;
        }
        self.delivered += 1;
        self.next = CaptureTime::from_millis(1000).after(self.period.mul_f64(self.delivered as f64));
        let data = Bytes::copy_from_slice(&captured.as_nanos().to_be_bytes());
        Some(Frame {
            track: self.track,
            captured,
            key: self.track == Track::Audio || wants_key,
            droppable: false,
            data,
        })
    }
}

/// The greatest and the least difference between where the blocks of a track are played and when they were captured, in
/// milliseconds.
#[derive(Debug, Clone, Copy)]
struct Shift {
    least: i64,
    most: i64,
}

impl Shift {
    fn of(shifts: &[i64]) -> Self {
        Self { least: *shifts.iter().min().unwrap(), most: *shifts.iter().max().unwrap() }
    }
}

#[test]
fn picture_and_sound_stay_together_for_an_hour_whose_crystal_is_fast() {
    for ppm in [PPM, -PPM] {
        let format = VideoFormat { codec: VideoCodec::Vp8, width: 64, height: 48, fps: 30 };
        let mut segmenter = Segmenter::new(StreamFormat { video: Some(format) }, 1 << 20);
        let mut devices = [
            Device::new(Track::Video, Duration::from_secs(1) / 30, ppm, 10),
            Device::new(Track::Audio, Duration::from_millis(20), -ppm, 30),
        ];
        let mut now = CaptureTime::from_millis(1000);
        let end = now.after(HOUR);
        let mut next_cut = now.after(CADENCE);
        let (mut pictures, mut packets) = (Vec::new(), Vec::new());
        while now < end {
            for device in &mut devices {
                if let Some(frame) = device.deliver(now, segmenter.wants_key_frame()) {
                    segmenter.push(frame);
                }
            }
            if now >= next_cut {
                next_cut = next_cut.after(CADENCE);
                let chunk = segmenter.cut(now);
                for block in chunk.iter().flat_map(|chunk| read_chunk(chunk).clusters).flatten() {
                    // Filler carries no time.
                    let Ok(captured) = block.data.try_into() else { continue };
                    let captured_ms = u64::from_be_bytes(captured) / 1_000_000;
                    let shifts = if block.track == 1 { &mut pictures } else { &mut packets };
                    shifts.push(block.at as i64 - captured_ms as i64);
                }
            }
            now = now.after(Duration::from_millis(5));
        }

        assert!(pictures.len() > 107_000 && packets.len() > 179_000, "{} {}", pictures.len(), packets.len());
        // Over the whole hour: nothing adds up.
        let (video, audio) = (Shift::of(&pictures), Shift::of(&packets));
        println!("{ppm} ppm: pictures are moved by {video:?} ms, packets by {audio:?} ms");
        let apart = (video.most - audio.least).max(audio.most - video.least);
        assert!(apart <= SEGMENTER_MS, "{ppm} ppm: {apart} ms apart; pictures {video:?}, packets {audio:?}");
        let counters = segmenter.counters();
        assert!(counters.filler + counters.late < 100, "{counters:?}");
    }
}

/// Sends samples through the audio part of a profile, between the sound card and the encoder. Each sample says when it was
/// taken; the card's crystal is `ppm` slow. Returns, for each buffer that comes out, how many milliseconds its time is
/// behind its first sample's.
fn through_profile(card: &str, rate: u32, seconds: u64, ppm: f64) -> Vec<f64> {
    const BLOCK: Duration = Duration::from_millis(10);
    // Without the queue, which throws away what comes faster than it is taken.
    let elements = card.split('!').skip(1).filter(|element| !element.trim().starts_with("queue"));
    let elements = elements.collect::<Vec<_>>().join("!");
    let launched =
        format!("appsrc name=card format=time block=true ! {elements} ! appsink name=out sync=false");
    let pipeline = gst::parse::launch(&launched);
    let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
    let card = pipeline.by_name("card").unwrap().downcast::<gst_app::AppSrc>().unwrap();
    let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    let caps = format!("audio/x-raw,format=F64LE,layout=interleaved,channels=1,rate={rate}");
    card.set_caps(Some(&caps.parse().unwrap()));
    pipeline.set_state(gst::State::Playing).unwrap();

    let samples = u64::from(rate / 100);
    // What a sample holds is a time as a fraction of this.
    let whole = seconds as f64 * 2.0;
    let taken = move |sample: u64| sample as f64 / f64::from(rate) * (1.0 + ppm / 1e6);
    let feeder = std::thread::spawn(move || {
        for block in 0..seconds * 100 {
            let first = block * samples;
            let data: Vec<u8> =
                (first..first + samples).flat_map(|sample| (taken(sample) / whole).to_le_bytes()).collect();
            let mut buffer = gst::Buffer::from_mut_slice(data);
            let buffer_ref = buffer.get_mut().unwrap();
            buffer_ref.set_pts(gst::ClockTime::from_nseconds((taken(first) * 1e9) as u64));
            buffer_ref.set_duration(gst::ClockTime::from_nseconds(BLOCK.as_nanos() as u64));
            card.push_buffer(buffer).unwrap();
        }
        card.end_of_stream().unwrap();
    });
    let mut behind = Vec::new();
    while let Ok(sample) = out.pull_sample() {
        let buffer = sample.buffer().unwrap();
        let data = buffer.map_readable().unwrap();
        // A resampler that begins anew fades out in a short buffer and rings at the start of the next.
        let middle = data.len() / 16;
        if middle < 200 {
            continue;
        }
        let value = f64::from_le_bytes(data[8 * middle..8 * middle + 8].try_into().unwrap());
        // Silence is what nobody has recorded.
        if value > 0.0 {
            let at = buffer.pts().unwrap().nseconds() as f64 / 1e9 + middle as f64 / 48_000.0;
            behind.push((at - value * whole) * 1e3);
        }
    }
    feeder.join().unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    behind
}

/// An hour's drift in three minutes.
#[test]
fn a_sound_cards_crystal_drifts_and_its_sound_is_in_time() {
    gst::init().unwrap();
    let mut sources = BTreeSet::new();
    for name in ["usb-webcam", "usb-webcam-mjpeg", "pi-camera", "audio-only"] {
        let path = format!("{}/pipelines/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let profile: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
        sources.insert(profile["audio"]["source"].as_str().unwrap().to_owned());
    }
    for source in sources {
        for (rate, ppm) in [(48_000, 20.0), (48_000, -20.0), (44_100, 20.0), (44_100, -20.0)] {
            let behind = through_profile(&source, rate, HOUR.as_secs() / 20, ppm * PPM);
            let least = behind.iter().copied().fold(f64::MAX, f64::min);
            let most = behind.iter().copied().fold(f64::MIN, f64::max);
            println!("{rate} Hz, {ppm} x {PPM} ppm: {} buffers, {least:.1} to {most:.1} ms", behind.len());
            assert!(behind.len() > 15_000, "{} buffers", behind.len());
            assert!(least > -PROFILE_MS && most < PROFILE_MS, "{least} to {most} ms with {source}");
        }
    }
}

//! The state in Prometheus' text format (version 0.0.4), by its naming conventions: base units, `_total` for
//! what only grows, one series per state of which exactly one is 1.

use std::collections::BTreeMap;

use prometheus::{Gauge, GaugeVec, IntCounter, Opts, Registry, TextEncoder};
use serde::Serialize;

use super::{CameraState, MeetingState, MicState, Status};

/// What the text is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text for one scrape. No name of a person, room or relay is in it.
pub(super) fn render(status: &Status) -> Result<String, prometheus::Error> {
    let sheet = Sheet(Registry::new());
    let (state, stream, queue) = (&status.state, &status.stream, &status.queue);

    sheet.labelled(
        "roomcam_build_info",
        "What is running; always 1.",
        &["version", "gstreamer_version"],
        [(vec![status.versions.roomcam.as_str(), status.versions.gstreamer.as_str()], 1.0)],
    )?;
    sheet.gauge("roomcam_uptime_seconds", "Time since the daemon started.", status.uptime_seconds)?;

    sheet.states("roomcam_meeting_state", "The place in the meeting.", &MeetingState::ALL, state.meeting)?;
    sheet.gauge("roomcam_participants", "Others in the room.", state.participants.len() as f64)?;
    sheet.flag("roomcam_camera_wanted_on", "Whether the camera is to be on.", state.camera.wanted_on)?;
    sheet.states(
        "roomcam_camera_state",
        "What the camera is doing.",
        &CameraState::ALL,
        state.camera.state,
    )?;
    sheet.flag(
        "roomcam_mic_wanted_live",
        "Whether the microphone is to be live.",
        !state.mic.wanted_muted,
    )?;
    sheet.states("roomcam_mic_state", "What the microphone is doing.", &MicState::ALL, state.mic.state)?;
    sheet.flag("roomcam_mic_speaking", "Whether the microphone hears somebody.", state.mic.speaking)?;
    sheet.flag("roomcam_media_flowing", "Whether media leave at all.", state.flowing)?;
    let lit = state.lamps.iter().map(|lamp| {
        (vec![lamp.place.as_str(), lamp.shows.as_str()], f64::from(u8::from(lamp.pattern != "off")))
    });
    sheet.labelled("roomcam_lamp_lit", "Whether a lamp is lit or blinks.", &["lamp", "shows"], lit)?;
    let mut faults = BTreeMap::new();
    for fault in &state.faults {
        let latest = faults.entry(fault.part.as_str()).or_insert(fault.at);
        *latest = fault.at.max(*latest);
    }
    sheet.labelled(
        "roomcam_last_fault_timestamp_seconds",
        "When something went wrong last, since 1970.",
        &["part"],
        faults.into_iter().map(|(part, at)| (vec![part], at as f64)),
    )?;

    sheet.counter("roomcam_epochs_total", "Epochs begun.", u64::from(state.epoch))?;
    sheet.counter("roomcam_sent_chunks_total", "Chunks sent.", stream.chunks_sent)?;
    sheet.counter("roomcam_sent_bytes_total", "Bytes of the chunks sent.", stream.bytes_sent)?;
    sheet.counter("roomcam_captured_frames_total", "Frames from the devices.", stream.frames_captured)?;
    sheet.counter("roomcam_sent_frames_total", "Frames of the devices sent.", stream.frames_sent)?;
    sheet.counter("roomcam_skipped_frames_total", "Frames given up.", stream.frames_skipped)?;
    sheet.counter(
        "roomcam_filled_frames_total",
        "Frames sent that nobody captured.",
        stream.frames_filled,
    )?;
    sheet.labelled(
        "roomcam_encoder_target_bytes_per_second",
        "What the encoders aim at.",
        &["track"],
        [("audio", stream.audio_bitrate), ("video", stream.video_bitrate)]
            .map(|(track, bits)| (vec![track], f64::from(bits) / 8.0)),
    )?;
    let uplink = &status.uplink;
    sheet.gauge(
        "roomcam_uplink_video_bytes_per_second",
        "What the video encoder may make, as far as the network carries it.",
        f64::from(uplink.video_bitrate) / 8.0,
    )?;
    sheet.flag(
        "roomcam_uplink_picture_held",
        "Whether the picture stands still, so that the voice gets through.",
        uplink.picture_held,
    )?;
    sheet.gauge("roomcam_queue_chunks", "Chunks that wait to be sent.", queue.chunks as f64)?;
    sheet.gauge("roomcam_queue_bytes", "Bytes that wait to be sent.", queue.bytes as f64)?;
    sheet.gauge(
        "roomcam_queue_seconds",
        "Media that wait to be sent.",
        queue.milliseconds as f64 / 1000.0,
    )?;
    TextEncoder::new().encode_to_string(&sheet.0.gather())
}

/// The metrics of one scrape.
struct Sheet(Registry);

impl Sheet {
    fn gauge(&self, name: &str, help: &str, value: f64) -> Result<(), prometheus::Error> {
        let gauge = Gauge::new(name, help)?;
        gauge.set(value);
        self.0.register(Box::new(gauge))
    }

    fn flag(&self, name: &str, help: &str, set: bool) -> Result<(), prometheus::Error> {
        self.gauge(name, help, f64::from(u8::from(set)))
    }

    fn counter(&self, name: &str, help: &str, value: u64) -> Result<(), prometheus::Error> {
        let counter = IntCounter::new(name, help)?;
        counter.inc_by(value);
        self.0.register(Box::new(counter))
    }

    fn labelled<'a>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        series: impl IntoIterator<Item = (Vec<&'a str>, f64)>,
    ) -> Result<(), prometheus::Error> {
        let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
        for (values, value) in series {
            gauges.get_metric_with_label_values(&values)?.set(value);
        }
        self.0.register(Box::new(gauges))
    }

    fn states<T: Serialize + PartialEq + Copy>(
        &self,
        name: &str,
        help: &str,
        all: &[T],
        present: T,
    ) -> Result<(), prometheus::Error> {
        let gauges = GaugeVec::new(Opts::new(name, help), &["state"])?;
        for state in all {
            let word =
                serde_json::to_value(state).map_err(|error| prometheus::Error::Msg(error.to_string()))?;
            let word = word.as_str().unwrap_or_default();
            gauges.get_metric_with_label_values(&[word])?.set(f64::from(u8::from(*state == present)));
        }
        self.0.register(Box::new(gauges))
    }
}

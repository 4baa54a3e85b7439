//! Where GStreamer's threads hand frames over: the appsink's callback and the way out of the room.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::event::CaptureEvent;
use super::{CaptureError, MediaClock, layers};
use crate::log_limit::LogLimit;
use crate::media::{CaptureTime, Frame, Track, VideoFormat};

/// What one Opus packet lasts; the profiles set it (`opusenc frame-size=20`).
const OPUS_PACKET: Duration = Duration::from_millis(20);
/// `GST_ALLOCATOR_SYSMEM`: memory that is only memory.
const SYSTEM_MEMORY: &str = "SystemMemory";

/// The way out: a bounded channel, and the count of what was lost before it.
///
/// It sits behind a mutex that the streaming thread takes per frame and nobody else takes but [`Outlet::cut`],
/// once: after it has returned, no frame can be on its way (law 1). A flag alone would leave that gap.
#[derive(Debug)]
pub(super) struct Outlet {
    /// `None` once cut.
    channel: Option<mpsc::Sender<CaptureEvent>>,
    /// A format that has not been told yet.
    format_due: Option<VideoFormat>,
    /// Lost frames that have not been told yet.
    lost_due: u64,
    /// All lost frames.
    lost: u64,
}

/// An [`Outlet`] shared between the streaming thread and the pipeline's owner.
pub(super) type SharedOutlet = Arc<Mutex<Outlet>>;

/// Takes the outlet; a panic elsewhere leaves nothing half-done in it, so poison does not matter.
pub(super) fn lock(outlet: &SharedOutlet) -> MutexGuard<'_, Outlet> {
    outlet.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Outlet {
    pub(super) fn new(channel: mpsc::Sender<CaptureEvent>) -> Self {
        Self { channel: Some(channel), format_due: None, lost_due: 0, lost: 0 }
    }

    /// Lets nothing out any more, from now on.
    pub(super) fn cut(&mut self) {
        self.channel = None;
    }

    /// How many frames were lost.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    fn announce(&mut self, format: VideoFormat) {
        self.format_due = Some(format);
    }

    /// Sends the frame, after whatever has to be known before it; without room for all of that the frame is
    /// lost.
    fn push(&mut self, frame: Frame) {
        if self.channel.is_none() {
            return;
        }
        let told = self.tell_due() && self.send(CaptureEvent::Frame(frame));
        if !told {
            self.lose();
        }
    }

    /// A frame is lost here.
    fn lose(&mut self) {
        self.lost += 1;
        self.lost_due += 1;
    }

    /// Tells how loud it is.
    pub(super) fn level(&self, dbfs: f64) {
        self.send(CaptureEvent::Level { dbfs });
    }

    fn tell_due(&mut self) -> bool {
        if let Some(format) = self.format_due {
            if !self.send(CaptureEvent::Format(format)) {
                return false;
            }
            self.format_due = None;
        }
        if self.lost_due > 0 {
            if !self.send(CaptureEvent::Overrun { lost: self.lost_due }) {
                return false;
            }
            self.lost_due = 0;
        }
        true
    }

    /// Whether there was room. Nobody listening any more counts as room: there is nobody to miss the frame.
    fn send(&self, event: CaptureEvent) -> bool {
        let Some(channel) = &self.channel else { return true };
        !matches!(channel.try_send(event), Err(TrySendError::Full(_)))
    }
}

/// Turns samples of the appsink into frames on the shared clock.
pub(super) struct Intake {
    track: Track,
    clock: MediaClock,
    outlet: SharedOutlet,
    /// What was asked of a camera; codec and fallback for the frame rate.
    wanted: Option<VideoFormat>,
    /// The caps that what follows, and `wanted`, were last read from.
    caps: Option<gst::Caps>,
    /// The stream's headers. An encoder may also send them as buffers.
    headers: Vec<gst::Buffer>,
    /// The Opus encoder's delay, from the `OpusHead` among them.
    lookahead: Duration,
    unusable: LogLimit,
}

impl Intake {
    pub(super) fn new(
        track: Track,
        clock: MediaClock,
        outlet: SharedOutlet,
        wanted: Option<VideoFormat>,
    ) -> Self {
        Self {
            track,
            clock,
            outlet,
            wanted,
            caps: None,
            headers: Vec::new(),
            lookahead: Duration::ZERO,
            unusable: LogLimit::default(),
        }
    }

    /// Makes `sink` hand its samples to this intake.
    pub(super) fn attach(mut self, sink: &gst_app::AppSink) {
        sink.set_callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    let base = sink.base_time().unwrap_or(gst::ClockTime::ZERO);
                    self.take(sample, base);
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        );
    }

    pub(super) fn take(&mut self, sample: gst::Sample, base: gst::ClockTime) {
        self.notice_caps(&sample);
        if sample.buffer().is_none_or(|buffer| self.is_header(buffer)) {
            return;
        }
        match self.frame(sample, base) {
            Ok(frame) => lock(&self.outlet).push(frame),
            Err(reason) => {
                lock(&self.outlet).lose();
                if let Some(more) = self.unusable.admit(Instant::now()) {
                    tracing::warn!("a frame of the {} track is lost: {reason}{more}", self.track);
                }
            }
        }
    }

    /// Whether a buffer is a stream header and no frame. The flag alone does not tell: a key frame that repeats the
    /// headers in front of its picture carries it too (H.264).
    fn is_header(&self, buffer: &gst::BufferRef) -> bool {
        if !buffer.flags().contains(gst::BufferFlags::HEADER) {
            return false;
        }
        let listed = |header: &gst::Buffer| {
            let (header, buffer) = (header.map_readable(), buffer.map_readable());
            matches!((header, buffer), (Ok(header), Ok(buffer)) if *header == *buffer)
        };
        buffer.pts().is_none() || self.headers.iter().any(listed)
    }

    /// A frame, or why it cannot be used.
    fn frame(&self, sample: gst::Sample, base: gst::ClockTime) -> Result<Frame, &'static str> {
        let captured = self.captured(&sample, base).ok_or("the encoder does not say when it was captured")?;
        let buffer = sample.buffer_owned().ok_or("it has no data")?;
        drop(sample);
        let key = self.track == Track::Audio || !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let droppable = !key && layers::is_droppable(&buffer);
        let unreadable = "its memory cannot be read";
        let data = if is_pooled(&buffer) {
            Bytes::copy_from_slice(&buffer.map_readable().map_err(|_| unreadable)?)
        } else {
            // The mapping lives as long as the Bytes do: the encoder's memory is shared, not copied.
            Bytes::from_owner(buffer.into_mapped_buffer_readable().map_err(|_| unreadable)?)
        };
        Ok(Frame { track: self.track, captured, key, droppable, data })
    }

    /// When the first sample that went into this frame was captured.
    ///
    /// `vp8enc` keeps a picture's time. `opusenc` (1.22) stamps packets with the time of what a decoder gets
    /// *out* of them, which lags by the encoder's look-ahead: the first packet has the input's time T and lasts
    /// 20 − 6.5 ms (the rest is clipped), and packet n has T + 20·n − 6.5 ms. A WebM block of a track with a
    /// `CodecDelay` wants the input's time (RFC 9559 §5.1.4.1.25: players subtract the delay), and the regular
    /// 20 ms grid: counting back from the packet's end gives T + 20·n for all of them.
    fn captured(&self, sample: &gst::Sample, base: gst::ClockTime) -> Option<CaptureTime> {
        let buffer = sample.buffer()?;
        let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
        let running = Duration::from(segment.to_running_time(buffer.pts()?)?);
        let running = match (self.track, buffer.duration()) {
            (Track::Audio, Some(duration)) => {
                (running + Duration::from(duration) + self.lookahead).saturating_sub(OPUS_PACKET)
            }
            _ => running,
        };
        Some(self.clock.offset_of(base).after(running))
    }

    fn notice_caps(&mut self, sample: &gst::Sample) {
        let Some(caps) = sample.caps() else { return };
        if self.caps.as_deref() == Some(caps) {
            return;
        }
        self.caps = Some(caps.to_owned());
        let Some(structure) = caps.structure(0) else { return };
        self.headers = stream_headers(structure);
        match self.wanted {
            Some(wanted) => {
                let format = actual_format(structure, wanted);
                self.wanted = Some(format);
                lock(&self.outlet).announce(format);
            }
            None => self.lookahead = opus_lookahead(&self.headers),
        }
    }
}

/// What the encoder's caps say, with `wanted` for what they leave open (a camera of variable rate says 0/1).
pub(super) fn actual_format(caps: &gst::StructureRef, wanted: VideoFormat) -> VideoFormat {
    let side = |name, otherwise| {
        caps.get::<i32>(name).ok().and_then(|pixels| u16::try_from(pixels).ok()).unwrap_or(otherwise)
    };
    let fps = caps
        .get::<gst::Fraction>("framerate")
        .ok()
        .filter(|rate| rate.numer() > 0 && rate.denom() > 0)
        .and_then(|rate| u8::try_from((rate.numer() + rate.denom() / 2) / rate.denom()).ok())
        .map_or(wanted.fps, |fps| fps.max(1));
    VideoFormat { width: side("width", wanted.width), height: side("height", wanted.height), fps, ..wanted }
}

/// Whether the encoder waits for its memory to come back: a hardware encoder has a handful of buffers, and hundreds of
/// frames may wait for the relay.
fn is_pooled(buffer: &gst::BufferRef) -> bool {
    // A piece of a pooled buffer does not know the pool, but its memory is the device's.
    let is_of_a_device = |memory: &gst::MemoryRef| !memory.is_type(SYSTEM_MEMORY);
    has_pool(buffer) || buffer.iter_memories().any(is_of_a_device)
}

#[allow(unsafe_code, reason = "gstreamer-rs has no accessor for this field")]
fn has_pool(buffer: &gst::BufferRef) -> bool {
    // SAFETY: the reference guarantees a valid GstBuffer. The field is set by the pool before it hands the buffer out,
    // and unset by it only when the last reference has gone.
    unsafe { !(*buffer.as_ptr()).pool.is_null() }
}

fn stream_headers(caps: &gst::StructureRef) -> Vec<gst::Buffer> {
    let headers = caps.get::<gst::Array>("streamheader").ok();
    let headers = headers.iter().flat_map(|headers| headers.iter());
    headers.filter_map(|header| header.get::<gst::Buffer>().ok()).collect()
}

/// The pre-skip of the `OpusHead` (RFC 7845 §5.1: little-endian samples at 48 kHz, at byte 10); zero where an
/// encoder does not tell, such an encoder does not shift its time stamps either.
fn opus_lookahead(headers: &[gst::Buffer]) -> Duration {
    let pre_skip = headers.first().and_then(|head| {
        let head = head.map_readable().ok()?;
        Some(u16::from_le_bytes([*head.get(10)?, *head.get(11)?]))
    });
    Duration::from_nanos(u64::from(pre_skip.unwrap_or(0)) * 1_000_000_000 / 48_000)
}

/// An appsink of that name in the pipeline.
pub(super) fn find(pipeline: &gst::Pipeline, name: &str) -> Result<gst_app::AppSink, CaptureError> {
    pipeline.by_name(name).and_then(|element| element.downcast().ok()).ok_or_else(|| {
        CaptureError::Gstreamer { reason: "the element appsink is not what it should be".to_owned() }
    })
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;
    use crate::media::VideoCodec;

    #[test]
    fn the_format_is_what_the_caps_say_and_else_what_was_asked_for() {
        crate::capture::init().unwrap();
        let wanted = VideoFormat { codec: VideoCodec::Vp8, width: 640, height: 480, fps: 30 };
        let format = |caps: &str| {
            let format = actual_format(gst::Caps::from_str(caps).unwrap().structure(0).unwrap(), wanted);
            (format.width, format.height, format.fps)
        };

        assert_eq!(format("video/x-vp8, width=320, height=180, framerate=15/1"), (320, 180, 15));
        assert_eq!(format("video/x-vp8, width=320, height=180, framerate=30000/1001"), (320, 180, 30));
        assert_eq!(format("video/x-vp8, width=320, height=180, framerate=0/1"), (320, 180, 30));
        assert_eq!(format("video/x-vp8, width=320, height=180, framerate=1/10"), (320, 180, 1));
        assert_eq!(format("video/x-vp8"), (640, 480, 30));
    }

    #[test]
    fn what_does_not_fit_is_counted_and_told_before_the_next_frame() {
        let frame = |millis| Frame {
            track: Track::Audio,
            captured: CaptureTime::from_millis(millis),
            key: true,
            droppable: false,
            data: Bytes::new(),
        };
        let (sender, mut events) = mpsc::channel(2);
        let mut outlet = Outlet::new(sender);

        (0..5).for_each(|at| outlet.push(frame(at)));
        let first = [events.try_recv(), events.try_recv()];
        outlet.push(frame(5));

        assert_eq!(first, [Ok(CaptureEvent::Frame(frame(0))), Ok(CaptureEvent::Frame(frame(1)))]);
        assert_eq!(events.try_recv(), Ok(CaptureEvent::Overrun { lost: 3 }));
        assert_eq!(events.try_recv(), Ok(CaptureEvent::Frame(frame(5))));
        assert_eq!(outlet.lost(), 3);

        outlet.cut();
        outlet.push(frame(6));
        assert_eq!(events.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
    }
}

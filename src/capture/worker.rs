//! The thread that owns a pipeline: it builds it, opens the device, watches the bus, closes the device.
//!
//! Opening and closing a device are system calls that can hang in a driver; here they hang nobody else.

use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;
use tokio::sync::{mpsc, oneshot};

use super::event::CaptureEvent;
use super::fault::{self, Phase};
use super::gate::{Encoding, FrameGate};
use super::launch::{Launch, Request, SINK, SIZE};
use super::profile::{self, Overlay, Profile};
use super::sink::{self, Intake, SharedOutlet};
use super::{CaptureError, MediaClock, layers, overlay};
use crate::log_limit::TextLimit;
use crate::media::{Track, VideoCodec};

/// How long a device may take to open and to deliver its first frame.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a failure that found the channel full is offered again.
const RETRY: Duration = Duration::from_millis(20);

/// How long a failed state change waits for its explanation.
pub(super) const EXPLANATION: Duration = Duration::from_millis(500);

/// How full, in percent, the encoder's buffer must be for it to leave out no picture.
const DROP_BELOW: u32 = 30;

/// How soon an attempt that is given up ends, where no driver holds the thread.
const ATTENTION: Duration = Duration::from_millis(20);

/// An attempt to open a device: how long it may take, and whether anybody still wants it.
struct Attempt<'a> {
    deadline: Instant,
    given_up: &'a dyn Fn() -> bool,
}

/// What wakes the thread.
#[derive(Debug)]
pub(super) enum Wake {
    /// The bus has something to say.
    Bus(gst::Message),
    /// Change what a camera's encoder makes.
    SetEncoding(Encoding),
    /// Close the device and end.
    Stop,
}

/// What the opener gets to know.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) device: String,
    /// The appsink's pad: events pushed into it travel upstream.
    pub(super) pad: Option<gst::Pad>,
}

/// Everything the thread is given.
pub(super) struct Worker {
    pub(super) clock: MediaClock,
    pub(super) profile: Profile,
    pub(super) request: Request,
    pub(super) outlet: SharedOutlet,
    pub(super) gate: FrameGate,
    pub(super) failures: mpsc::Sender<CaptureEvent>,
    pub(super) waker: std_mpsc::Sender<Wake>,
    pub(super) wakes: std_mpsc::Receiver<Wake>,
}

impl Worker {
    /// The life of the pipeline. Returns when told to stop, or when nobody waits for the opening any more.
    pub(super) fn run(self, opened: oneshot::Sender<Result<Opened, CaptureError>>) {
        let (launch, pipeline) = match self.open(&|| opened.is_closed()) {
            Ok(ready) => ready,
            Err(error) => {
                let _ = opened.send(Err(error));
                return;
            }
        };
        let pad = pipeline.0.by_name(SINK).and_then(|sink| sink.static_pad("sink"));
        if opened.send(Ok(Opened { device: launch.device.clone(), pad })).is_err() {
            return;
        }
        let Some(error) = self.watch(&launch, &pipeline.0) else { return };
        // The device is given back before anybody is told that it is lost, so that it can be tried again.
        sink::lock(&self.outlet).cut();
        drop(pipeline);
        self.report(error);
    }

    /// Opens the device and waits for its first frame, or until the attempt is given up.
    fn open(&self, given_up: &dyn Fn() -> bool) -> Result<(Launch, Running), CaptureError> {
        let attempt = Attempt { deadline: Instant::now() + OPEN_TIMEOUT, given_up };
        super::init()?;
        let launch = Launch::new(&self.profile, &self.request)?;
        tracing::debug!(track = %launch.track, device = launch.device, text = launch.text, "opening");
        let pipeline = Running(build(&launch)?);
        forward_bus(&pipeline.0, self.waker.clone(), self.outlet.clone());
        let appsink = sink::find(&pipeline.0, SINK)?;
        Intake::new(launch.track, self.clock.clone(), self.outlet.clone(), launch.wanted).attach(&appsink);
        pipeline.0.use_clock(Some(self.clock.gst()));
        if let (Track::Video, Some(pad)) = (launch.track, encoder_input(&pipeline.0)) {
            // Probes are called in this order, and none behind one that drops the picture may touch it.
            if let Some(Overlay::Clock) = launch.overlay {
                overlay::attach(&pad);
            }
            self.gate.attach(&pad);
        }
        // Running time is then clock minus base time, and stays so: nothing but us sets the base time.
        pipeline.0.set_start_time(gst::ClockTime::NONE);
        if launch.looped {
            self.prepare_loop(&launch, &pipeline.0, &attempt)?;
        }
        pipeline.0.set_base_time(self.clock.gst().time());
        self.change_state(&launch, &pipeline.0, gst::State::Playing, &attempt)?;
        Ok((launch, pipeline))
    }

    /// Makes the source report the end of its segment instead of ending, so that it can be sent back to its
    /// start without a flush, and running time goes on.
    fn prepare_loop(
        &self,
        launch: &Launch,
        pipeline: &gst::Pipeline,
        attempt: &Attempt<'_>,
    ) -> Result<(), CaptureError> {
        self.change_state(launch, pipeline, gst::State::Paused, attempt)?;
        if !rewind(pipeline, gst::SeekFlags::FLUSH) {
            return Err(CaptureError::Device {
                device: launch.device.clone(),
                reason: "the file cannot be sought in, so it cannot be looped; put it into a WebM, Matroska or WAV file".to_owned(),
            });
        }
        self.settle(launch, pipeline, attempt)
    }

    fn change_state(
        &self,
        launch: &Launch,
        pipeline: &gst::Pipeline,
        state: gst::State,
        attempt: &Attempt<'_>,
    ) -> Result<(), CaptureError> {
        if (attempt.given_up)() {
            return Err(no_frame(launch));
        }
        match pipeline.set_state(state) {
            Ok(_) => self.settle(launch, pipeline, attempt),
            Err(_) => Err(self.why_not(launch)),
        }
    }

    /// Waits until the pipeline has arrived in the state it was sent to. By then the device is open; what is
    /// waited for is the first frame's arrival at the sink.
    fn settle(
        &self,
        launch: &Launch,
        pipeline: &gst::Pipeline,
        attempt: &Attempt<'_>,
    ) -> Result<(), CaptureError> {
        loop {
            let left = attempt.deadline.saturating_duration_since(Instant::now());
            let (result, reached, pending) =
                pipeline.state(gst::ClockTime::try_from(left.min(ATTENTION)).ok());
            match result {
                Err(_) => return Err(self.why_not(launch)),
                Ok(gst::StateChangeSuccess::Async) if left.is_zero() || (attempt.given_up)() => {
                    tracing::debug!(?reached, ?pending, device = launch.device, "did not settle");
                    return Err(no_frame(launch));
                }
                Ok(gst::StateChangeSuccess::Async) => {}
                Ok(_) => return Ok(()),
            }
        }
    }

    /// The error that the bus has for a failed state change. An element may fail the change on one thread and
    /// explain itself on another, so the explanation is given a moment to arrive.
    fn why_not(&self, launch: &Launch) -> CaptureError {
        let deadline = Instant::now() + EXPLANATION;
        let left = || deadline.saturating_duration_since(Instant::now());
        while let Ok(wake) = self.wakes.recv_timeout(left()) {
            match wake {
                Wake::Bus(message) => {
                    if let gst::MessageView::Error(error) = message.view() {
                        return fault::explain(error, launch, Phase::Opening);
                    }
                }
                Wake::Stop => break,
                Wake::SetEncoding(_) => {}
            }
        }
        CaptureError::Device {
            device: launch.device.clone(),
            reason: "GStreamer could not start the pipeline and does not say why".to_owned(),
        }
    }

    /// Serves the pipeline until it fails (`Some`) or is to stop (`None`).
    fn watch(&self, launch: &Launch, pipeline: &gst::Pipeline) -> Option<CaptureError> {
        let mut warnings = TextLimit::default();
        loop {
            // The sending half is ours too, so the channel cannot end before `Stop` arrives.
            match self.wakes.recv().ok()? {
                Wake::Stop => return None,
                Wake::SetEncoding(encoding) => set_encoding(launch, pipeline, encoding),
                Wake::Bus(message) => match message.view() {
                    gst::MessageView::Error(error) => {
                        return Some(fault::explain(error, launch, Phase::Running));
                    }
                    gst::MessageView::SegmentDone(_) if rewind(pipeline, gst::SeekFlags::empty()) => {}
                    gst::MessageView::Eos(_) | gst::MessageView::SegmentDone(_) => {
                        return Some(CaptureError::Ended { device: launch.device.clone() });
                    }
                    gst::MessageView::Warning(warning) => {
                        let text = warning.error().to_string();
                        if let Some(more) = warnings.admit(&text, Instant::now()) {
                            tracing::warn!(device = launch.device, "{text}{more}");
                        }
                    }
                    _ => {}
                },
            }
        }
    }

    /// Delivers the failure: it is the last event, and the one that must not be lost to a full channel.
    fn report(&self, error: CaptureError) {
        let mut event = CaptureEvent::Failed(error);
        loop {
            match self.failures.try_send(event) {
                Err(mpsc::error::TrySendError::Full(back)) => event = back,
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => return,
            }
            if let Ok(Wake::Stop) | Err(std_mpsc::RecvTimeoutError::Disconnected) =
                self.wakes.recv_timeout(RETRY)
            {
                return;
            }
        }
    }
}

/// Also what an attempt ends with that was given up: nobody hears it.
fn no_frame(launch: &Launch) -> CaptureError {
    CaptureError::NoFrame { device: launch.device.clone(), after: OPEN_TIMEOUT }
}

/// A pipeline that is taken to `NULL`, which closes its device, when it goes out of scope.
pub(super) struct Running(pub(super) gst::Pipeline);

impl Drop for Running {
    fn drop(&mut self) {
        // To NULL a change cannot fail, only hang; then this thread hangs with it and nobody else.
        let _ = self.0.set_state(gst::State::Null);
    }
}

/// The pad where raw media enters the encoder.
pub(super) fn encoder_input(pipeline: &gst::Pipeline) -> Option<gst::Pad> {
    pipeline.by_name(profile::ENCODER)?.static_pad("sink")
}

/// Parses a launch line.
pub(super) fn build(launch: &Launch) -> Result<gst::Pipeline, CaptureError> {
    let mut context = gst::ParseContext::new();
    let parsed = gst::parse::launch_full(&launch.text, Some(&mut context), gst::ParseFlags::FATAL_ERRORS);
    // The context also lists elements that are there and were given a wrong property.
    let absent = |name: &&String| gst::ElementFactory::find(name).is_none();
    if let Some(element) = context.missing_elements().iter().find(absent) {
        return Err(fault::missing(&launch.profile, element));
    }
    let bad = |reason: String| CaptureError::BadProfile { profile: launch.profile.clone(), reason };
    let element = parsed.map_err(|error| bad(format!("{} (in: {})", error.message(), launch.text)))?;
    element.downcast::<gst::Pipeline>().map_err(|_| bad("it is not a pipeline".to_owned()))
}

/// Sends what matters on the bus to the worker, and levels straight out. No queue on the bus, no polling.
fn forward_bus(pipeline: &gst::Pipeline, waker: std_mpsc::Sender<Wake>, outlet: SharedOutlet) {
    let Some(bus) = pipeline.bus() else { return };
    bus.set_sync_handler(move |_, message| {
        let matters = matches!(
            message.type_(),
            gst::MessageType::Error
                | gst::MessageType::Warning
                | gst::MessageType::Eos
                | gst::MessageType::SegmentDone
        );
        if matters {
            let _ = waker.send(Wake::Bus(message.clone()));
        }
        if let gst::MessageView::Element(element) = message.view()
            && let Some(dbfs) = element.structure().and_then(loudest)
        {
            sink::lock(&outlet).level(dbfs);
        }
        gst::BusSyncReply::Drop
    });
}

/// The root mean square of the loudest channel in a message of the element `level`.
fn loudest(structure: &gst::StructureRef) -> Option<f64> {
    let channels = structure.get::<glib::ValueArray>("rms").ok()?;
    channels.iter().filter_map(|channel| channel.get::<f64>().ok()).reduce(f64::max)
}

fn rewind(pipeline: &gst::Pipeline, flags: gst::SeekFlags) -> bool {
    pipeline
        .seek(
            1.0,
            flags | gst::SeekFlags::SEGMENT,
            gst::SeekType::Set,
            gst::ClockTime::ZERO,
            gst::SeekType::None,
            gst::ClockTime::NONE,
        )
        .is_ok()
}

fn set_encoding(launch: &Launch, pipeline: &gst::Pipeline, encoding: Encoding) {
    set_encoder(launch, pipeline, &launch.bitrate_property, launch.scale_bitrate(encoding.target()));
    if let Some(property) = &launch.drop_property {
        set_encoder(launch, pipeline, property, if encoding.drop || encoding.hold { DROP_BELOW } else { 0 });
    }
    let encoder = pipeline.by_name(profile::ENCODER);
    if let (Some(encoder), Some(VideoCodec::Vp8)) = (encoder, launch.wanted.map(|wanted| wanted.codec)) {
        layers::set(&encoder, encoding.target(), encoding.base_bitrate);
    }
    set_halved(pipeline, encoding.halved);
}

/// Lets the scaler before the encoder halve the picture, whatever size the camera gives. Even sides stay even.
fn set_halved(pipeline: &gst::Pipeline, halved: bool) {
    let Some(size) = pipeline.by_name(SIZE) else { return };
    let camera = size.static_pad("sink").and_then(|pad| pad.peer()?.parent_element()?.static_pad("sink"));
    let side = |name| {
        let caps = camera.as_ref()?.current_caps()?;
        caps.structure(0)?.get::<i32>(name).ok().map(|pixels| (pixels / 4 * 2).max(2))
    };
    let caps = match (halved, side("width"), side("height")) {
        (true, Some(width), Some(height)) => {
            gst::Caps::builder("video/x-raw").field("width", width).field("height", height).build()
        }
        _ => gst::Caps::new_any(),
    };
    if size.property::<gst::Caps>("caps") != caps {
        size.set_property("caps", caps);
    }
}

fn set_encoder(launch: &Launch, pipeline: &gst::Pipeline, property: &str, value: u32) {
    let encoder = pipeline.by_name(profile::ENCODER);
    let set = encoder.ok_or("there is none");
    if let Err(reason) = set.and_then(|encoder| set_number(&encoder, property, value)) {
        tracing::warn!(
            profile = launch.profile,
            property,
            value,
            "the encoder's property stays as it is: {reason}"
        );
    }
}

/// Sets a property that a profile names. GObject's own setters panic on a value that does not fit.
fn set_number(element: &gst::Element, name: &str, number: u32) -> Result<(), &'static str> {
    let property = element.find_property(name).ok_or("it has no such property")?;
    if !property.flags().contains(glib::ParamFlags::WRITABLE)
        || property.flags().contains(glib::ParamFlags::CONSTRUCT_ONLY)
    {
        return Err("the property cannot be set");
    }
    let value = if let Some(range) = property.downcast_ref::<glib::ParamSpecInt>() {
        let fits = |number: &i32| (range.minimum()..=range.maximum()).contains(number);
        i32::try_from(number).ok().filter(fits).map(|number| number.to_value())
    } else if let Some(range) = property.downcast_ref::<glib::ParamSpecUInt>() {
        Some(number)
            .filter(|number| (range.minimum()..=range.maximum()).contains(number))
            .map(|n| n.to_value())
    } else {
        return Err("the property is no number");
    };
    element.set_property_from_value(name, &value.ok_or("the property does not go so far")?);
    Ok(())
}

//! One running pipeline: a device that is open and yields encoded frames.

use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;
use tokio::sync::{mpsc, oneshot};

use super::launch::Request;
use super::sink::{self, Outlet, SharedOutlet};
use super::worker::{EXPLANATION, Opened, Wake, Worker};
use super::{CaptureError, MediaClock, Profile};
use crate::media::{Frame, Track, VideoFormat};

/// How long a device may take to open and to deliver its first frame.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a device may take to close.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How many events wait for the consumer at most: a second of pictures at 30 fps, or 0.6 s of sound. A consumer
/// that is later than that has a problem that more memory does not solve.
const CHANNEL: usize = 32;

/// What a pipeline reports, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum CaptureEvent {
    /// What the camera really delivers; before the first frame, and again if it changes. It may differ from
    /// what was asked for. Never sent for a microphone.
    Format(VideoFormat),
    /// One encoded frame.
    Frame(Frame),
    /// How loud the microphone is: root mean square over the last 100 ms, in dB below full scale. One that
    /// finds the channel full is left out.
    Level {
        /// 0 is full scale, a quiet room about -60, silence minus infinity.
        dbfs: f64,
    },
    /// This many frames were dropped here, because the channel was full: skipped media (playback.md, rule 3).
    Overrun {
        /// At least 1.
        lost: u64,
    },
    /// The pipeline is dead and its device closed; nothing follows.
    Failed(CaptureError),
}

/// What is asked of a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraSettings {
    /// `auto`, or what the profile's `{device}` is: `/dev/video0`, a libcamera name, a file's path.
    pub device: String,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Frames per second.
    pub fps: u8,
    /// Bits per second.
    pub bitrate: u32,
}

/// What is asked of a microphone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MicSettings {
    /// `auto`, or what the profile's `{device}` is: an ALSA name like `plughw:1,0`, a file's path.
    pub device: String,
    /// Bits per second.
    pub bitrate: u32,
}

/// An open device and its encoder. Dropping it closes the device in the background; [`Pipeline::close`] waits
/// for that.
#[derive(Debug)]
pub struct Pipeline {
    track: Track,
    device: String,
    outlet: SharedOutlet,
    pad: Option<gst::Pad>,
    thread: WorkerThread,
}

impl Pipeline {
    /// Opens a camera. Never blocks the caller's thread; takes at most [`OPEN_TIMEOUT`] and a moment
    /// for the explanation.
    ///
    /// That the device delivered once does not mean that it goes on: watch for [`CaptureEvent::Frame`]s.
    pub async fn open_camera(
        clock: &MediaClock,
        profile: &Profile,
        settings: &CameraSettings,
    ) -> Result<(Self, mpsc::Receiver<CaptureEvent>), CaptureError> {
        Self::open(clock, profile, Request::Camera(settings.clone())).await
    }

    /// Opens a microphone. Never blocks the caller's thread; takes at most [`OPEN_TIMEOUT`] and a
    /// moment for the explanation.
    pub async fn open_mic(
        clock: &MediaClock,
        profile: &Profile,
        settings: &MicSettings,
    ) -> Result<(Self, mpsc::Receiver<CaptureEvent>), CaptureError> {
        Self::open(clock, profile, Request::Mic(settings.clone())).await
    }

    async fn open(
        clock: &MediaClock,
        profile: &Profile,
        request: Request,
    ) -> Result<(Self, mpsc::Receiver<CaptureEvent>), CaptureError> {
        let (events, receiver) = mpsc::channel(CHANNEL);
        let (waker, wakes) = std_mpsc::channel();
        let outlet = Arc::new(Mutex::new(Outlet::new(events.clone())));
        let track = request.track();
        let configured = request.device().to_owned();
        let worker = Worker {
            clock: clock.clone(),
            profile: profile.clone(),
            request,
            outlet: outlet.clone(),
            failures: events,
            waker: waker.clone(),
            wakes,
        };
        let (opened_sender, opened) = oneshot::channel();
        let thread = WorkerThread::spawn(worker, opened_sender, waker, &configured)?;
        let silent = || CaptureError::OpenTimeout { device: configured.clone(), after: OPEN_TIMEOUT };
        let Opened { device, pad } = match tokio::time::timeout(OPEN_TIMEOUT + EXPLANATION, opened).await {
            Ok(Ok(opened)) => opened?,
            // Too late, or the thread died. If it still gets somewhere it finds nobody waiting, and closes.
            Ok(Err(_)) | Err(_) => return Err(silent()),
        };
        Ok((Self { track, device, outlet, pad, thread }, receiver))
    }

    /// What it captures.
    pub fn track(&self) -> Track {
        self.track
    }

    /// The device it really uses (`auto` resolved), for messages.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Makes the next picture that enters the encoder a key frame. Nothing happens for a microphone.
    pub fn force_key_frame(&self) {
        if let (Track::Video, Some(pad)) = (self.track, &self.pad) {
            pad.push_event(gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build());
        }
    }

    /// Changes the encoder's target, in bits per second, without interrupting it.
    pub fn set_bitrate(&self, bits_per_second: u32) {
        self.thread.wake(Wake::SetBitrate(bits_per_second));
    }

    /// Frames dropped because the channel was full, since the pipeline was opened.
    pub fn overruns(&self) -> u64 {
        sink::lock(&self.outlet).lost()
    }

    /// From the return of this call on, no further frame enters the channel (law 1); what is in it already goes
    /// when the receiver is dropped. The device stays open until `close` or drop.
    pub fn cut(&self) {
        sink::lock(&self.outlet).cut();
    }

    /// Cuts, closes the device and waits for it, at most [`CLOSE_TIMEOUT`].
    pub async fn close(mut self) -> Result<(), CaptureError> {
        self.cut();
        // A pad keeps its element alive; the device's element must not outlive its thread.
        self.pad = None;
        let device = std::mem::take(&mut self.device);
        self.thread.finish(device).await
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.cut();
    }
}

/// The thread behind a pipeline. Dropping this tells it to close the device and end, and does not wait.
#[derive(Debug)]
struct WorkerThread {
    waker: std_mpsc::Sender<Wake>,
    handle: Option<JoinHandle<()>>,
    /// Fails as soon as the thread is through: its sender is the last thing the thread drops.
    ended: Option<oneshot::Receiver<()>>,
}

impl WorkerThread {
    fn spawn(
        worker: Worker,
        opened: oneshot::Sender<Result<Opened, CaptureError>>,
        waker: std_mpsc::Sender<Wake>,
        device: &str,
    ) -> Result<Self, CaptureError> {
        let (end, ended) = oneshot::channel::<()>();
        let handle = std::thread::Builder::new()
            .name(format!("capture-{}", worker.request.track()))
            .spawn(move || {
                worker.run(opened);
                drop(end);
            })
            .map_err(|error| CaptureError::Device {
                device: device.to_owned(),
                reason: format!("cannot start a thread: {error}"),
            })?;
        Ok(Self { waker, handle: Some(handle), ended: Some(ended) })
    }

    fn wake(&self, wake: Wake) {
        // A thread that is gone needs no waking: its pipeline has failed and said so.
        let _ = self.waker.send(wake);
    }

    async fn finish(&mut self, device: String) -> Result<(), CaptureError> {
        self.wake(Wake::Stop);
        if let Some(ended) = self.ended.take()
            && tokio::time::timeout(CLOSE_TIMEOUT, ended).await.is_err()
        {
            return Err(CaptureError::CloseTimeout { device, after: CLOSE_TIMEOUT });
        }
        if let Some(handle) = self.handle.take() {
            // Only its last instructions are left to wait for.
            let _ = handle.join();
        }
        Ok(())
    }
}

impl Drop for WorkerThread {
    fn drop(&mut self) {
        self.wake(Wake::Stop);
    }
}

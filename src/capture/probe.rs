//! The doctor's hands: open a device once, see whether anything comes out of it, close it again.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gstreamer as gst;
use serde::Serialize;
use tokio::sync::oneshot;

use super::launch::{Launch, Request};
use super::short_run::OneShotPipeline;
use super::sink;
use super::{CameraSettings, CaptureError, MicSettings, OPEN_TIMEOUT, Profile};

/// How much sound is listened to.
const LISTEN: Duration = Duration::from_secs(1);
/// The level of a sample that is off by one: what 16 bits cannot go below.
const FLOOR_DBFS: f32 = -90.3;

/// A camera that works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CameraReport {
    /// The device, `auto` resolved.
    pub device: String,
    /// Pixels, as delivered.
    pub width: u16,
    /// Pixels, as delivered.
    pub height: u16,
    /// Frames per second, as promised by the device.
    pub fps: u8,
    /// From opening to the first encoded frame, in milliseconds.
    pub first_frame_ms: u64,
}

/// A microphone that works.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MicReport {
    /// The device, `auto` resolved.
    pub device: String,
    /// Root mean square of a second, in dB below full scale: −90.3 is digital silence (a switch on the
    /// microphone?), a quiet room is about −60, speech −30.
    pub rms_dbfs: f32,
    /// From opening to the first encoded packet, in milliseconds.
    pub first_packet_ms: u64,
}

/// Whether GStreamer can build what the profile says: elements installed, properties known. Opens no device.
pub fn profile_builds(profile: &Profile) -> Result<(), CaptureError> {
    // Any name will do, other than `auto`, which would go looking.
    let device = "/dev/null".to_owned();
    if profile.video.is_some() {
        let settings =
            CameraSettings { device: device.clone(), width: 640, height: 480, fps: 30, bitrate: 800_000 };
        OneShotPipeline::build(&Launch::new(profile, &Request::Camera(settings))?)?;
    }
    if profile.audio.is_some() {
        let settings = MicSettings { device, bitrate: 32_000, loss: 0 };
        OneShotPipeline::build(&Launch::new(profile, &Request::Mic(settings))?)?;
    }
    Ok(())
}

/// Opens the camera and waits up to `timeout` for its first frame.
pub async fn camera(
    profile: &Profile,
    settings: &CameraSettings,
    timeout: Duration,
) -> Result<CameraReport, CaptureError> {
    let (profile, request) = (profile.clone(), Request::Camera(settings.clone()));
    let device = settings.device.clone();
    off_thread(device, timeout, move || {
        let launch = Launch::new(&profile, &request)?;
        let started = Instant::now();
        let mut found = None;
        OneShotPipeline::build(&launch)?.run(timeout, |sample| {
            found =
                sample.caps().and_then(|caps| Some(sink::actual_format(caps.structure(0)?, launch.wanted?)));
            ControlFlow::Break(())
        })?;
        let no_caps = || CaptureError::NoFrame { device: launch.device.clone(), after: timeout };
        let format = found.ok_or_else(no_caps)?;
        Ok(CameraReport {
            device: launch.device.clone(),
            width: format.width,
            height: format.height,
            fps: format.fps,
            first_frame_ms: started.elapsed().as_millis() as u64,
        })
    })
    .await
}

/// Opens the microphone, waits up to `timeout` for its first packet, and listens for a second.
pub async fn mic(
    profile: &Profile,
    settings: &MicSettings,
    timeout: Duration,
) -> Result<MicReport, CaptureError> {
    let (profile, request) = (profile.clone(), Request::Mic(settings.clone()));
    let device = settings.device.clone();
    off_thread(device, timeout + LISTEN, move || {
        let launch = Launch::new(&profile, &request)?;
        let pipeline = OneShotPipeline::build(&launch)?;
        let meter = Arc::new(Mutex::new(Meter::default()));
        if let Some(pad) = pipeline.encoder_input() {
            Meter::attach(&meter, &pad);
        }
        let started = Instant::now();
        let mut first = None;
        pipeline.run(timeout + LISTEN, |_| {
            let first = *first.get_or_insert_with(|| started.elapsed());
            match started.elapsed() >= first + LISTEN {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        let rms_dbfs = meter.lock().unwrap_or_else(PoisonError::into_inner).rms_dbfs();
        Ok(MicReport {
            device: launch.device.clone(),
            rms_dbfs,
            first_packet_ms: first.unwrap_or_default().as_millis() as u64,
        })
    })
    .await
}

/// Runs `work` on a thread of its own. A driver that hangs hangs that thread, and the caller gets an error.
async fn off_thread<T: Send + 'static>(
    device: String,
    timeout: Duration,
    work: impl FnOnce() -> Result<T, CaptureError> + Send + 'static,
) -> Result<T, CaptureError> {
    let (done, result) = oneshot::channel();
    let spawned = std::thread::Builder::new().name("capture-probe".to_owned()).spawn(move || {
        let _ = done.send(work());
    });
    if let Err(error) = spawned {
        return Err(CaptureError::Device { device, reason: format!("cannot start a thread: {error}") });
    }
    match tokio::time::timeout(timeout + OPEN_TIMEOUT, result).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) | Err(_) => Err(CaptureError::OpenTimeout { device, after: timeout + OPEN_TIMEOUT }),
    }
}

/// Adds up the squares of 16-bit samples.
#[derive(Debug, Default)]
struct Meter {
    squares: f64,
    samples: u64,
}

impl Meter {
    /// Listens at the encoder's input: `opusenc` takes 16-bit samples in this machine's byte order only.
    fn attach(meter: &Arc<Mutex<Self>>, pad: &gst::Pad) {
        use gst::prelude::*;
        let meter = meter.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            if let Some(mapped) = info.buffer().and_then(|buffer| buffer.map_readable().ok()) {
                meter.lock().unwrap_or_else(PoisonError::into_inner).add(&mapped);
            }
            gst::PadProbeReturn::Ok
        });
    }

    fn add(&mut self, bytes: &[u8]) {
        for sample in bytes.as_chunks::<2>().0 {
            self.squares += f64::from(i16::from_ne_bytes(*sample)).powi(2);
            self.samples += 1;
        }
    }

    fn rms_dbfs(&self) -> f32 {
        if self.samples == 0 {
            return FLOOR_DBFS;
        }
        let rms = (self.squares / self.samples as f64).sqrt() / 32_768.0;
        (20.0 * rms.log10()).max(f64::from(FLOOR_DBFS)) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meter_knows_full_scale_half_of_it_and_silence() {
        let level = |sample: i16| {
            let mut meter = Meter::default();
            meter.add(&sample.to_ne_bytes().repeat(480));
            (meter.rms_dbfs() * 10.0).round() / 10.0
        };

        assert_eq!(level(i16::MIN), 0.0);
        assert_eq!(level(16_384), -6.0);
        assert_eq!(level(0), FLOOR_DBFS);
    }
}

//! `roomcam check`: does everything that is configured work? One finding each, with what to do about a failure.

mod webrtc;
mod whip;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::agent::{DeviceSettings, dialect, session_config};
use crate::capture::{CaptureError, Profile, Profiles, probe};
use crate::config::{self, Config, MeetingUrl, Protocol};
use crate::meeting::{OutboxLimits, Presence, SessionEvent, outbox, session};
use crate::panel::Panel;

/// How long a device may take to deliver something.
const DEVICE_TIMEOUT: Duration = Duration::from_secs(10);
/// What the doctor appends to the user id and to the name: a second connection with the same id would throw the
/// running daemon out of its seat.
const CHECK_SUFFIX: &str = "-check";

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How it stands.
    pub status: Status,
    /// What was found or, after a failure, what happened and what to do.
    pub detail: String,
}

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It works.
    Ok,
    /// It is configured and does not work.
    Failed,
    /// It is not configured.
    Skipped,
}

impl Finding {
    /// From what a check returned.
    pub fn new(check: &'static str, result: Result<String, impl fmt::Display>) -> Self {
        match result {
            Ok(detail) => Self { check, status: Status::Ok, detail },
            Err(error) => Self { check, status: Status::Failed, detail: error.to_string() },
        }
    }

    fn skipped(check: &'static str, detail: &str) -> Self {
        Self { check, status: Status::Skipped, detail: detail.to_owned() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = match self.status {
            Status::Ok => "ok",
            Status::Failed => "FAILED",
            Status::Skipped => "-",
        };
        write!(f, "{status:<7} {:<14} {}", self.check, self.detail)
    }
}

/// Looks at everything that `config` asks for, and reports each finding as soon as it is there. `profiles` is
/// where to look for pipeline profiles before the usual places.
pub async fn examine(config: &Config, profiles: Option<PathBuf>, mut report: impl FnMut(Finding)) {
    let meeting = &config.meeting;
    report(Finding::new(
        "configuration",
        Ok::<_, CaptureError>(match &meeting.url {
            MeetingUrl::Relay(url) => {
                format!("room {:?} on {url} as {:?}", meeting.room.as_str(), meeting.username.as_str())
            }
            MeetingUrl::Whip(_) => format!("WHIP endpoint {}", meeting.url),
        }),
    ));
    let profile = Profiles::usual(profiles).load(config.capture.profile.as_str());
    let built = profile.and_then(|profile| probe::profile_builds(&profile).map(|()| profile));
    match built {
        Ok(profile) => {
            report(Finding::new("profile", Ok::<_, CaptureError>(profile.name.clone())));
            let devices = DeviceSettings::new(config, &profile);
            report(camera(&profile, &devices).await);
            report(microphone(&profile, &devices).await);
        }
        Err(error) => {
            report(Finding::new("profile", Err(error)));
            report(Finding::skipped("camera", "cannot be tried without a profile"));
            report(Finding::skipped("microphone", "cannot be tried without a profile"));
        }
    }
    match dialect(&config.meeting) {
        Ok(None) if config.meeting.protocol == Protocol::Whip => {
            report(Finding::new("whip", whip::endpoint(&config.meeting).await));
            webrtc::network(&config.meeting, &mut report).await;
        }
        Ok(None) => report(Finding::new("relay", relay(config).await)),
        Ok(Some(dialect)) => {
            report(Finding::new("signalling", webrtc::signalling(config, dialect).await));
            webrtc::network(&config.meeting, &mut report).await;
        }
        Err(error) => report(Finding::new("signalling", Err(error))),
    }
    report(panel(&config.panel));
}

/// Opens lamps and buttons, and lets them go again. What a running daemon holds is reported as held.
fn panel(config: &config::Panel) -> Finding {
    if config.lamps.is_empty() && config.buttons.is_empty() {
        return Finding::skipped("panel", "no lamp and no button is configured");
    }
    let found = format!("lamps: {}, buttons: {}", config.lamps.len(), config.buttons.len());
    Finding::new("panel", Panel::open(config).map(|_| found))
}

async fn camera(profile: &Profile, devices: &DeviceSettings) -> Finding {
    let Some(settings) = &devices.camera else {
        return Finding::skipped("camera", "none is configured");
    };
    let found = probe::camera(profile, settings, DEVICE_TIMEOUT).await;
    Finding::new(
        "camera",
        found.map(|found| {
            format!(
                "{}: {}x{} at {} fps, first picture after {} ms",
                found.device, found.width, found.height, found.fps, found.first_frame_ms
            )
        }),
    )
}

async fn microphone(profile: &Profile, devices: &DeviceSettings) -> Finding {
    let Some(settings) = &devices.mic else {
        return Finding::skipped("microphone", "none is configured");
    };
    let found = probe::mic(profile, settings, DEVICE_TIMEOUT).await;
    Finding::new(
        "microphone",
        found.map(|found| {
            format!(
                "{}: level {:.0} dBFS, first packet after {} ms",
                found.device, found.rms_dbfs, found.first_packet_ms
            )
        }),
    )
}

/// The meeting, under another user id and name.
fn check_identity(meeting: &config::Meeting) -> Result<config::Meeting, String> {
    let mut meeting = meeting.clone();
    for name in [&mut meeting.user_id, &mut meeting.username] {
        *name = format!("{}{CHECK_SUFFIX}", name.as_str()).parse().map_err(|error| format!("{error}"))?;
    }
    Ok(meeting)
}

/// Joins the room and leaves it again, under another user id, without publishing anything.
async fn relay(config: &Config) -> Result<String, String> {
    let meeting = check_identity(&config.meeting)?;
    let (_outbox, receiver) = outbox(OutboxLimits::default());
    let presence = Presence { has_video: false, is_muted: true };
    let seat = session_config(&meeting).map_err(|error| error.to_string())?;
    let mut session = session::spawn(seat, presence, receiver);
    let outcome = loop {
        match session.events.recv().await {
            Some(SessionEvent::Joined(joined)) => {
                break Ok(format!(
                    "{}: joined room {:?}, {} in it",
                    meeting.url.as_url(),
                    meeting.room.as_str(),
                    joined.room.participants.len()
                ));
            }
            Some(SessionEvent::Ended(error)) => break Err(error.to_string()),
            Some(_) => {}
            None => break Err("the session ended without saying why".to_owned()),
        }
    };
    session.shutdown().await;
    outcome
}

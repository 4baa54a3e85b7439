//! The state for a person at a terminal: everything that matters, on one page, the worst in colour.

use anstyle::{AnsiColor, Style};

use super::{
    CameraState, ChatLine, Delivery, DeviceFault, MeetingState, MicState, State, Status, StreamStatus,
    UplinkStatus,
};

const GOOD: Style = AnsiColor::Green.on_default();
const BUSY: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const QUIET: Style = Style::new().dimmed();

/// How the page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// As text alone.
    Plain,
    /// With the colours of a terminal.
    Colour,
}

impl Paint {
    fn on(self, style: Style, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("{style}{text}{style:#}"),
        }
    }
}

/// The whole page. `now` is in seconds since 1970.
pub fn page(status: &Status, now: u64, paint: Paint) -> String {
    let state = &status.state;
    let mut page = Page { text: String::new(), paint };
    let running = format!(
        "{}, up {}, GStreamer {}",
        clean(&status.versions.roomcam),
        span(status.uptime_seconds as u64),
        clean(&status.versions.gstreamer)
    );
    page.row("roomcam", &running);
    page.row("meeting", &meeting(state, paint));
    if let (MeetingState::Connecting, Some(absence)) = (state.meeting, &state.absence) {
        let next = match status.next_attempt_seconds {
            Some(wait) => format!("next attempt in {} s", wait.ceil()),
            None => "trying again now".to_owned(),
        };
        page.row("why", &format!("{}; {next}", paint.on(BAD, &clean(&absence.message))));
    }
    page.row("camera", &camera(state, paint));
    page.row("mic", &mic(state, paint));
    page.rows(
        "lamps",
        state.lamps.iter().map(|lamp| {
            let pattern = match lamp.pattern.as_str() {
                "off" => paint.on(QUIET, "off"),
                "on" => paint.on(GOOD, "on"),
                blinking => paint.on(BUSY, &format!("blinking ({})", clean(blinking))),
            };
            format!("{}: {}, {pattern}", clean(&lamp.place), clean(&lamp.shows))
        }),
    );
    // A media server does not tell who watches.
    let is_told = state.protocol != "whip";
    if is_told && matches!(state.meeting, MeetingState::Joined | MeetingState::WaitingForSeat) {
        let names: Vec<_> = state
            .participants
            .iter()
            .map(|one| {
                let name = clean(one.username.as_deref().unwrap_or(&one.user_id));
                match one.media {
                    None | Some(Delivery::Connected) => name,
                    Some(Delivery::Connecting) => paint.on(BUSY, &format!("{name} (connecting)")),
                    Some(Delivery::FewerPictures) => {
                        paint.on(BUSY, &format!("{name} (slow link: fewer pictures)"))
                    }
                    Some(Delivery::VoiceOnly) => paint.on(BUSY, &format!("{name} (slow link: voice only)")),
                    Some(Delivery::Refused) => paint.on(BAD, &format!("{name} (sees nothing: too many)")),
                }
            })
            .collect();
        page.row("here", &if names.is_empty() { "nobody else".to_owned() } else { names.join(", ") });
    }
    page.rows("chat", state.chat.iter().map(|line| one_line(line, now, paint)));
    page.row("stream", &stream(&status.stream, state, paint));
    page.row("network", &uplink(&status.uplink, paint));
    page.row("frames", &frames(&status.stream, paint));
    let queue = &status.queue;
    let waits = match queue.chunks {
        0 => "nothing waits to be sent".to_owned(),
        chunks => {
            let wait = if chunks == 1 { "chunk waits" } else { "chunks wait" };
            format!("{chunks} {wait}, {} of media, {}", millis(queue.milliseconds), bytes(queue.bytes))
        }
    };
    page.row("queue", &waits);
    page.rows("faults", state.faults.iter().map(|fault| one_fault(fault, now, paint)));
    page.text
}

fn one_line(line: &ChatLine, now: u64, paint: Paint) -> String {
    let from = line.from.as_deref().map_or_else(|| "somebody".to_owned(), clean);
    let age = format!("{} ago", span(now.saturating_sub(line.at)));
    format!("{} {from}: {}", paint.on(QUIET, &age), clean(&line.text))
}

/// What one line says about the meeting.
pub fn meeting(state: &State, paint: Paint) -> String {
    let word = match (state.meeting, &state.absence) {
        (MeetingState::Left, _) => paint.on(QUIET, "left (roomcam ctl join comes back)"),
        (MeetingState::Connecting, None) => paint.on(BUSY, "connecting"),
        (MeetingState::Connecting, Some(absence)) => paint.on(BAD, &format!("not in it: {}", absence.reason)),
        (MeetingState::Joined, _) => paint.on(GOOD, "joined"),
        (MeetingState::WaitingForSeat, _) => paint.on(BUSY, "waiting: somebody else presents"),
    };
    format!("{word}, {} at {}, as {}", clean(&state.room), clean(&state.relay), clean(&state.username))
}

/// What one line says about the camera.
pub fn camera(state: &State, paint: Paint) -> String {
    let camera = &state.camera;
    let wanted = if camera.wanted_on { "on" } else { "off" };
    let (style, word, is) = match camera.state {
        CameraState::Absent => return paint.on(QUIET, "none configured"),
        CameraState::Off => (QUIET, "off", "off"),
        CameraState::Opening => (BUSY, "opening", "opening"),
        CameraState::On => (GOOD, "on", "on"),
        CameraState::Fault => (BAD, "at fault, tried again", "at fault"),
    };
    device(paint.on(style, word), is, wanted, camera.device.as_deref())
}

/// What one line says about the microphone.
pub fn mic(state: &State, paint: Paint) -> String {
    let mic = &state.mic;
    let wanted = if mic.wanted_muted { "muted" } else { "live" };
    let (style, word, is) = match mic.state {
        MicState::Absent => return paint.on(QUIET, "none configured"),
        MicState::Muted => (QUIET, "muted", "muted"),
        MicState::Opening => (BUSY, "opening", "opening"),
        MicState::Live if mic.speaking => (GOOD, "live, somebody speaks", "live"),
        MicState::Live => (GOOD, "live", "live"),
        MicState::Fault => (BAD, "at fault, tried again", "at fault"),
    };
    device(paint.on(style, word), is, wanted, mic.device.as_deref())
}

fn device(word: String, is: &str, wanted: &str, name: Option<&str>) -> String {
    let mut line = word;
    if is != wanted {
        line += &format!(" (wanted: {wanted})");
    }
    if let Some(name) = name {
        line += &format!(", {}", clean(name));
    }
    line
}

fn stream(stream: &StreamStatus, state: &State, paint: Paint) -> String {
    format!(
        "{}, {} of {} kbit/s, epoch {}, {} sent in {} chunks",
        if state.flowing { paint.on(GOOD, "flowing") } else { paint.on(QUIET, "nothing leaves") },
        kilobits(stream.bits_per_second),
        kilobits(u64::from(stream.video_bitrate) + u64::from(stream.audio_bitrate)),
        state.epoch,
        bytes(stream.bytes_sent),
        stream.chunks_sent
    )
}

fn uplink(uplink: &UplinkStatus, paint: Paint) -> String {
    let video = format!("video of {} kbit/s", kilobits(u64::from(uplink.video_bitrate)));
    let carries = match uplink.reason.as_str() {
        "full" => "carries the whole picture".to_owned(),
        "link" => format!("carries {video} with {} fps", uplink.frame_rate),
        "minimum" => format!("carries no {video}"),
        "stall" => "carries nothing".to_owned(),
        "encoder" => format!("carries {video}, of which the encoder makes more than it is asked for"),
        other => format!("is in a state of another version: {}", clean(other)),
    };
    match uplink.picture_held {
        true => format!("{carries}, {}", paint.on(BUSY, "the picture stands still for the voice")),
        false => carries,
    }
}

fn frames(stream: &StreamStatus, paint: Paint) -> String {
    let skipped = format!("{} skipped", stream.frames_skipped);
    let skipped = if stream.frames_skipped == 0 { skipped } else { paint.on(BUSY, &skipped) };
    format!("{} captured, {skipped}, {} filled in", stream.frames_captured, stream.frames_filled)
}

fn one_fault(fault: &DeviceFault, now: u64, paint: Paint) -> String {
    let age = format!("{} ago", span(now.saturating_sub(fault.at)));
    let (ongoing, style) = if fault.ongoing { (" (goes on)", BAD) } else { ("", QUIET) };
    let message = paint.on(style, &clean(&fault.message));
    format!("{} {}{ongoing}: {message}", paint.on(QUIET, &age), clean(&fault.part))
}

struct Page {
    text: String,
    paint: Paint,
}

impl Page {
    fn row(&mut self, name: &str, value: &str) {
        self.text += &self.paint.on(QUIET, &format!("{name:<8}"));
        self.text += value;
        self.text.push('\n');
    }

    /// One row each; the name stands before the first.
    fn rows(&mut self, name: &str, values: impl Iterator<Item = String>) {
        for (number, value) in values.enumerate() {
            self.row(if number == 0 { name } else { "" }, &value);
        }
    }
}

/// Text from elsewhere, unable to move the cursor or to look like more than one line.
fn clean(text: &str) -> String {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if odd(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A length of time in its two largest units.
fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

fn millis(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds} ms"),
        _ => format!("{:.1} s", milliseconds as f64 / 1000.0),
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..1000 => format!("{count} B"),
        1000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

fn kilobits(bits: u64) -> u64 {
    bits.saturating_add(500) / 1000
}

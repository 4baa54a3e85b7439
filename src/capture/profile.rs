//! A pipeline profile: GStreamer launch fragments in a TOML file, with placeholders to fill in.

use serde::Deserialize;

use super::CaptureError;
use crate::media::{Track, VideoCodec};

/// The name that the encoder's element must have (`vp8enc name=encoder`), so that its bitrate can be changed.
pub(super) const ENCODER: &str = "encoder";

/// The placeholders that a video fragment may use.
const VIDEO_PLACEHOLDERS: &[&str] = &["device", "width", "height", "fps", "bitrate", "keyframe_interval"];
/// The placeholders that an audio fragment may use.
const AUDIO_PLACEHOLDERS: &[&str] = &["device", "bitrate", "loss"];

/// How a device's pictures and sound are captured and encoded; one file of `pipelines/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The file's name without `.toml`.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// How pictures are made; `None` for a device without a camera.
    pub video: Option<VideoProfile>,
    /// How sound is made; `None` for a device without a microphone.
    pub audio: Option<AudioProfile>,
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    description: String,
    video: Option<VideoProfile>,
    audio: Option<AudioProfile>,
}

/// What to do when the configuration says `auto` and the fragment has a `{device}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum AutoDevice {
    /// The first usable V4L2 camera.
    #[serde(rename = "first-v4l2")]
    FirstV4l2,
    /// The first ALSA card that can record.
    #[serde(rename = "first-alsa")]
    FirstAlsa,
}

/// What can be drawn onto the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlay {
    /// The time of day (UTC), and a moving block.
    Clock,
}

/// The `[video]` table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VideoProfile {
    /// Launch fragment that ends in raw video.
    pub source: String,
    /// Used instead of `source` when the device is `auto`.
    pub source_auto: Option<String>,
    /// How `auto` becomes a device.
    pub auto: Option<AutoDevice>,
    /// Whether the source is a file, to be played in real time and over again.
    #[serde(rename = "loop", default)]
    pub looped: bool,
    /// What is drawn onto the pictures (I420 only) before they are encoded.
    pub overlay: Option<Overlay>,
    /// Launch fragment from raw video to encoded frames; its encoder is named `encoder`.
    pub encoder: String,
    /// What the encoder makes.
    pub codec: VideoCodec,
    /// The encoder's property that takes the bitrate.
    pub bitrate_property: String,
    /// How many bits per second one unit of that property is: 1, or 1000 for kbit/s.
    #[serde(default = "one")]
    pub bitrate_scale: u32,
    /// The encoder's property that lets it leave out pictures to keep to its bitrate: how full its buffer must be in percent
    /// not to, or 0 for never.
    pub drop_property: Option<String>,
}

/// The `[audio]` table. The encoder makes Opus packets of 20 ms at 48 kHz.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioProfile {
    /// Launch fragment that ends in raw audio.
    pub source: String,
    /// Used instead of `source` when the device is `auto`.
    pub source_auto: Option<String>,
    /// How `auto` becomes a device.
    pub auto: Option<AutoDevice>,
    /// Whether the source is a file, to be played in real time and over again.
    #[serde(rename = "loop", default)]
    pub looped: bool,
    /// Launch fragment from raw audio to Opus packets; its encoder is named `encoder`.
    pub encoder: String,
    /// The encoder's property that takes the bitrate.
    pub bitrate_property: String,
    /// How many bits per second one unit of that property is: 1, or 1000 for kbit/s.
    #[serde(default = "one")]
    pub bitrate_scale: u32,
}

fn one() -> u32 {
    1
}

impl Profile {
    /// Reads a profile. Anything a typing error can cause (unknown keys, unknown placeholders, an encoder
    /// without its name) is refused here, not when the camera is turned on.
    pub fn parse(name: &str, text: &str) -> Result<Self, CaptureError> {
        let bad = |reason: String| CaptureError::BadProfile { profile: name.to_owned(), reason };
        let document: Document = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
        if document.video.is_none() && document.audio.is_none() {
            return Err(bad("it has neither a [video] nor an [audio] table".to_owned()));
        }
        if let Some(video) = &document.video {
            let sources = [Some(&video.source), video.source_auto.as_ref()];
            check_table("video", &sources, &video.encoder, video.bitrate_scale, VIDEO_PLACEHOLDERS)
                .map_err(bad)?;
        }
        if let Some(audio) = &document.audio {
            let sources = [Some(&audio.source), audio.source_auto.as_ref()];
            check_table("audio", &sources, &audio.encoder, audio.bitrate_scale, AUDIO_PLACEHOLDERS)
                .map_err(bad)?;
        }
        Ok(Self {
            name: name.to_owned(),
            description: document.description,
            video: document.video,
            audio: document.audio,
        })
    }

    /// The `[video]` table, or an error that says this profile has none.
    pub(super) fn video(&self) -> Result<&VideoProfile, CaptureError> {
        self.video.as_ref().ok_or_else(|| self.no_track(Track::Video))
    }

    /// The `[audio]` table, or an error that says this profile has none.
    pub(super) fn audio(&self) -> Result<&AudioProfile, CaptureError> {
        self.audio.as_ref().ok_or_else(|| self.no_track(Track::Audio))
    }

    fn no_track(&self, track: Track) -> CaptureError {
        CaptureError::NoTrack { profile: self.name.clone(), track }
    }
}

/// What [`Profile::parse`] asks of either table.
fn check_table(
    table: &str,
    sources: &[Option<&String>],
    encoder: &str,
    bitrate_scale: u32,
    allowed: &[&str],
) -> Result<(), String> {
    for source in sources.iter().flatten() {
        check_placeholders(source, allowed).map_err(|e| format!("[{table}] source: {e}"))?;
    }
    check_placeholders(encoder, allowed).map_err(|e| format!("[{table}] encoder: {e}"))?;
    if !encoder.split_whitespace().any(|word| word == "name=encoder") {
        return Err(format!("[{table}] encoder: its element must be named, e.g. `vp8enc name={ENCODER} …`"));
    }
    if bitrate_scale == 0 {
        return Err(format!("[{table}] bitrate_scale must be at least 1"));
    }
    Ok(())
}

fn check_placeholders(fragment: &str, allowed: &[&str]) -> Result<(), String> {
    for piece in pieces(fragment) {
        if let Piece::Placeholder(name) = piece
            && !allowed.contains(&name)
        {
            return Err(format!("unknown placeholder {{{name}}}; there are {{{}}}", allowed.join("} {")));
        }
    }
    Ok(())
}

/// Whether a fragment mentions `{device}`.
pub(super) fn needs_device(fragment: &str) -> bool {
    pieces(fragment).any(|piece| matches!(piece, Piece::Placeholder("device")))
}

/// Replaces each placeholder by its value; one without a value is an error that names it.
pub(super) fn fill(fragment: &str, values: &[(&str, String)]) -> Result<String, String> {
    let mut filled = String::with_capacity(fragment.len() + 32);
    for piece in pieces(fragment) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Placeholder(name) => match values.iter().find(|(known, _)| *known == name) {
                Some((_, value)) => filled.push_str(value),
                None => return Err(format!("nothing to put in place of {{{name}}}")),
            },
        }
    }
    Ok(filled)
}

/// A value as one quoted word of GStreamer's launch syntax: whatever it contains, it stays a value and cannot
/// become an element or a property.
pub(super) fn quote(value: &str) -> Result<String, CaptureError> {
    if value.chars().any(char::is_control) {
        return Err(CaptureError::BadDeviceName { device: value.to_owned() });
    }
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    Ok(quoted)
}

enum Piece<'a> {
    Text(&'a str),
    Placeholder(&'a str),
}

/// Cuts a fragment at its placeholders. Only `{lower_case}` is one: `{ I420, NV12 }` is a list in caps.
fn pieces(fragment: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = fragment;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((name, length)) = placeholder_at_start(rest) {
            rest = &rest[length..];
            return Some(Piece::Placeholder(name));
        }
        let text_length = rest
            .match_indices('{')
            .map(|(at, _)| at)
            .find(|&at| placeholder_at_start(&rest[at..]).is_some())
            .unwrap_or(rest.len());
        let (text, after) = rest.split_at(text_length);
        rest = after;
        Some(Piece::Text(text))
    })
}

fn placeholder_at_start(text: &str) -> Option<(&str, usize)> {
    let name = text.strip_prefix('{')?.split_once('}')?.0;
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    is_name.then_some((name, name.len() + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
description = "d"
[audio]
source = "alsasrc device={device}"
encoder = "opusenc name=encoder bitrate={bitrate}"
bitrate_property = "bitrate"
"#;

    fn refusal(text: &str) -> String {
        Profile::parse("p", text).unwrap_err().to_string()
    }

    #[test]
    fn a_profile_is_read_and_has_only_what_it_says() {
        let profile = Profile::parse("p", GOOD).unwrap();

        let audio = profile.audio().unwrap();
        assert_eq!((audio.bitrate_scale, audio.looped, audio.auto), (1, false, None));
        assert_eq!(
            profile.video().unwrap_err().to_string(),
            "profile \"p\" has no video; choose another profile or turn the video off"
        );
    }

    #[test]
    fn typing_errors_are_refused_with_their_place() {
        let unknown_key = refusal(&GOOD.replace("bitrate_property", "bitrate_propertty"));
        assert!(unknown_key.contains("line 6") && unknown_key.contains("bitrate_propertty"), "{unknown_key}");
        assert_eq!(
            refusal(&GOOD.replace("{device}", "{devcie}")),
            "pipeline profile \"p\" is wrong: [audio] source: unknown placeholder {devcie}; there are {device} {bitrate} {loss}"
        );
        assert!(refusal(&GOOD.replace("name=encoder", "")).contains("its element must be named"));
        assert!(refusal("description = \"d\"").contains("neither a [video] nor an [audio] table"));
        assert!(refusal(&format!("{GOOD}bitrate_scale = 0")).contains("at least 1"));
    }

    #[test]
    fn lists_in_caps_are_no_placeholders() {
        let values = [("width", "640".to_owned())];

        let filled = fill("a,format={ I420, NV12 },x={I420},width={width} {}", &values);

        assert_eq!(filled.unwrap(), "a,format={ I420, NV12 },x={I420},width=640 {}");
        assert_eq!(fill("{height}", &values), Err("nothing to put in place of {height}".to_owned()));
    }

    #[test]
    fn a_quoted_value_escapes_what_would_end_it_and_refuses_control_characters() {
        assert_eq!(quote(r#"a "b" \ ! c"#).unwrap(), r#""a \"b\" \\ ! c""#);
        assert_eq!(quote("a\nb"), Err(CaptureError::BadDeviceName { device: "a\nb".to_owned() }));
    }
}

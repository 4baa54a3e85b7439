//! The types of single values. Each can only be made from a value that is allowed, and says itself what is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::{ParseError, Url};

/// A value that is not allowed: the second half of a sentence that starts with the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(pub(super) String);

impl ValueError {
    pub(super) fn new(allowed: impl Into<String>) -> Self {
        Self(allowed.into())
    }
}

macro_rules! whole_number {
    ($(#[$doc:meta])* $name:ident($inner:ty), $fits:expr, $allowed:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($inner);

        impl $name {
            /// What is allowed, in words.
            pub const ALLOWED: &'static str = $allowed;

            /// The number.
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = ValueError;

            fn try_from(number: i64) -> Result<Self, ValueError> {
                let fits: fn(i64) -> bool = $fits;
                match <$inner>::try_from(number) {
                    Ok(small) if fits(number) => Ok(Self(small)),
                    _ => Err(ValueError::new(Self::ALLOWED)),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $allowed:literal, { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$word_doc])* $variant,)*
        }

        impl $name {
            /// What is allowed, in words.
            pub const ALLOWED: &'static str = $allowed;

            /// The word for it in the configuration.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl FromStr for $name {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, ValueError> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(ValueError::new(Self::ALLOWED)),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(super) use {whole_number, words};

whole_number! {
    /// Width or height of the picture in pixels. Even, because VP8 halves it for the colours (4:2:0).
    Pixels(u16), |number| (16..=4096).contains(&number) && number % 2 == 0, "an even number of pixels from 16 to 4096"
}
whole_number! {
    /// Pictures per second.
    Fps(u8), |number| (1..=120).contains(&number), "a whole number of frames per second from 1 to 120"
}
whole_number! {
    /// Target of the video encoder in bits (not kilobits) per second.
    VideoBitrate(u32), |number| (50_000..=20_000_000).contains(&number), "a whole number of bits (not kilobits) per second from 50000 to 20000000"
}
whole_number! {
    /// Target of the audio encoder in bits per second; the range is that of Opus (RFC 6716 §2.1.1).
    AudioBitrate(u32), |number| (6_000..=510_000).contains(&number), "a whole number of bits (not kilobits) per second from 6000 to 510000"
}
whole_number! {
    /// How much media goes into one chunk, in milliseconds.
    Cadence(u16), |number| (20..=2_000).contains(&number), "a whole number of milliseconds from 20 to 2000"
}

impl Cadence {
    /// The cadence as a length of time.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64)
    }
}

/// The name of a room or a person, or an id of either: 1 to 128 characters, none of them a control character,
/// no space at either end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// What is allowed, in words.
    pub const ALLOWED: &'static str =
        "text of 1 to 128 characters, without control characters and without spaces at its ends";

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let length = text.chars().count();
        let printable = text == text.trim() && !text.contains(char::is_control);
        if (1..=128).contains(&length) && printable {
            Ok(Self(text.to_owned()))
        } else {
            Err(ValueError::new(Self::ALLOWED))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a pipeline profile: that of its file in `pipelines/`, without `.toml`. It holds no `/` and no
/// `.`, so that it can never lead out of the folders that profiles are looked for in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProfileName(String);

impl ProfileName {
    /// What is allowed, in words.
    pub const ALLOWED: &'static str = "the name of a profile: lower-case letters, digits and '-', at most 64";

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProfileName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if (1..=64).contains(&text.len()) && text.chars().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ValueError::new(Self::ALLOWED))
        }
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which camera or microphone to use.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DeviceChoice {
    /// `"auto"`: the first usable one.
    Auto,
    /// `"none"`: this device has none.
    None,
    /// Anything else: the device with this name, as the source element of the profile understands it
    /// (`/dev/video0` for V4L2, `hw:1,0` or `default` for ALSA, a path for a file).
    Named(String),
}

impl DeviceChoice {
    /// What is allowed, in words.
    pub const ALLOWED: &'static str = r#""auto", "none" or the name of a device (`roomcam devices` lists them), without quotes, '\' or control characters"#;
}

impl FromStr for DeviceChoice {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // Quotes and backslashes would end the quoting of the launch fragment that the name is put into.
        let unsafe_to_quote = |c: char| c.is_control() || matches!(c, '"' | '\'' | '\\');
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            _ if text.is_empty() || text != text.trim() || text.contains(unsafe_to_quote) => {
                Err(ValueError::new(Self::ALLOWED))
            }
            _ => Ok(Self::Named(text.to_owned())),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::None => "none",
            Self::Named(name) => name,
        })
    }
}

words! {
    /// How a viewer that joins late gets its first picture (docs/receivers.md §2.6).
    LateJoin, r#""auto", "replay", "reset" or "restart""#, {
        /// `replay` where the relay is new enough for its clients to jump to the live edge, else `restart`.
        Auto = "auto",
        /// Send what was sent since the last key frame once more, then a key frame.
        Replay = "replay",
        /// Send `stream-reset`, then a timeline from 0.
        Reset = "reset",
        /// Start a timeline from 0 without a word, as a browser's `MediaRecorder` does.
        Restart = "restart",
    }
}

words! {
    /// What muting does with the microphone.
    Mute, r#""close" or "silence""#, {
        /// Close it.
        Close = "close",
        /// Leave it open and drop what it hears, for a microphone that clicks when it is opened.
        Silence = "silence",
    }
}

/// Where the relay is: scheme (`ws`, `wss`, or `http`, `https`, which mean the same), host and port, nothing
/// else. A user and password are refused here because a URL is printed in logs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RelayUrl(Url);

impl RelayUrl {
    /// What is allowed, in words.
    pub const ALLOWED: &'static str = "ws://HOST[:PORT], wss://HOST[:PORT], http://… or https://…";

    /// The URL; its scheme is `ws` or `wss`, its path `/`.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for RelayUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let refuse = |why: &str| ValueError::new(format!("{}; {why}", Self::ALLOWED));
        let mut url = web_url(text, Self::ALLOWED)?;
        let scheme = match url.scheme() {
            "ws" | "http" => "ws",
            "wss" | "https" => "wss",
            _ => return Err(ValueError::new(Self::ALLOWED)),
        };
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("leave the path off: the relay always answers under /socket.io/"));
        }
        url.set_scheme(scheme).map_err(|()| ValueError::new(Self::ALLOWED))?;
        Ok(Self(url))
    }
}

impl fmt::Display for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A picture on the web that stands for the participant: `http` or `https`, no user and password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AvatarUrl(Url);

impl AvatarUrl {
    /// What is allowed, in words.
    pub const ALLOWED: &'static str = "http://… or https://…";

    /// The URL as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for AvatarUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let url = web_url(text, Self::ALLOWED)?;
        if matches!(url.scheme(), "http" | "https") {
            Ok(Self(url))
        } else {
            Err(ValueError::new(Self::ALLOWED))
        }
    }
}

/// A namespace of a Socket.IO server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    /// What is allowed, in words.
    pub const ALLOWED: &'static str =
        r#"a namespace such as "/ws", or "/" for the one that servers have by default"#;

    /// The namespace as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Namespace {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // A comma ends it in packets, and what follows a question mark is a query.
        let fits = |c: char| c.is_ascii_graphic() && c != ',' && c != '?';
        if text.len() <= 128 && text.starts_with('/') && text.chars().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ValueError::new(Self::ALLOWED))
        }
    }
}

pub(super) fn web_url(text: &str, allowed: &str) -> Result<Url, ValueError> {
    let url = Url::parse(text).map_err(|error| match error {
        // To us: it does not begin with a scheme, which `allowed` shows.
        ParseError::RelativeUrlWithoutBase => ValueError::new(allowed),
        _ => ValueError::new(format!("{allowed} ({error})")),
    })?;
    if !url.has_host() {
        return Err(ValueError::new(format!("{allowed} (it has no host)")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ValueError::new(format!(
            "{allowed}; a user and password do not belong in it, see token_file"
        )));
    }
    Ok(url)
}

/// A path that cannot be mistaken for a token: it shows that it is one.
pub(super) struct WrittenPath(pub(super) PathBuf);

impl WrittenPath {
    /// What is allowed, in words.
    pub const ALLOWED: &'static str =
        "a path that starts with '/', './' or '../' (a relative one starts at the file it is written in)";
}

impl FromStr for WrittenPath {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let path_like = ["/", "./", "../"].iter().any(|start| text.starts_with(start));
        if path_like && !text.contains(char::is_control) {
            Ok(Self(text.into()))
        } else {
            Err(ValueError::new(Self::ALLOWED))
        }
    }
}

//! Which keys exist: their names, defaults and what they allow. Everything that lists keys walks [`KEYS`].

use super::control_values::{Listen, SocketChoice};
use super::ice;
use super::mesh_values::{Form, MaxPeers, NameTable, Protocol};
use super::panel_values::{
    Backend, ButtonCommand, ChipChoice, DebounceMs, HoldMs, LedName, Percent, Pin, Pull, Shows,
};
use super::values::{
    AudioBitrate, AvatarUrl, Cadence, DeviceChoice, Fps, LateJoin, Mute, Name, Namespace, Pixels,
    ProfileName, RelayUrl, VideoBitrate, WrittenPath,
};

/// A key of the configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// The table it stands in; that of a key in a list is `section.list`.
    pub section: &'static str,
    /// Its name inside the table.
    pub name: &'static str,
    /// What holds when nobody sets it.
    pub unset: Unset,
    /// What may be set, in words.
    pub allowed: &'static str,
    /// How much of a refused value may be repeated in an error.
    pub(super) quote: Quote,
}

/// What holds when nobody sets a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unset {
    /// This text, as it would be written after `--set key=`.
    Fixed(&'static str),
    /// Something found out on the device, or nothing at all.
    Computed,
    /// Nothing: the key must be set.
    Required,
}

/// How much of a refused value may be repeated in an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quote {
    /// All of it.
    Whole,
    /// All but the places where a URL can carry a password or a token.
    UrlWithoutCredentials,
    /// All of it, unless there is a place for a password.
    NoCredentials,
    /// Nothing: people put the token itself where its file's name belongs.
    Withheld,
}

impl Key {
    pub(super) const fn new(
        section: &'static str,
        name: &'static str,
        unset: Unset,
        allowed: &'static str,
    ) -> Self {
        Self { section, name, unset, allowed, quote: Quote::Whole }
    }

    pub(super) const fn quoted(self, quote: Quote) -> Self {
        Self { quote, ..self }
    }

    /// `section.name`, as errors and `--set` write it.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// The environment variable that sets the key: `ROOMCAM_SECTION_NAME`.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}_{}", self.section, self.name).to_uppercase()
    }
}

/// What the name of every variable of ours starts with.
pub(super) const PREFIX: &str = "ROOMCAM_";

/// Variables of ours that are no keys: the token, and what the program reads.
pub(super) const OTHER_VARIABLES: [&str; 5] =
    [TOKEN_VARIABLE, "ROOMCAM_CONFIG", "ROOMCAM_CONTROL", "ROOMCAM_LOG", "ROOMCAM_PIPELINES"];

/// The variable that can hold the token.
pub(super) const TOKEN_VARIABLE: &str = "ROOMCAM_TOKEN";

const SWITCH: &str = "true or false";

pub(super) static URL: Key =
    Key::new("meeting", "url", Unset::Required, RelayUrl::ALLOWED).quoted(Quote::UrlWithoutCredentials);
pub(super) static ROOM: Key = Key::new("meeting", "room", Unset::Required, Name::ALLOWED);
pub(super) static USERNAME: Key = Key::new("meeting", "username", Unset::Computed, Name::ALLOWED);
pub(super) static USER_ID: Key = Key::new("meeting", "user_id", Unset::Computed, Name::ALLOWED);
pub(super) static AVATAR_URL: Key = Key::new("meeting", "avatar_url", Unset::Computed, AvatarUrl::ALLOWED)
    .quoted(Quote::UrlWithoutCredentials);
pub(super) static TOKEN_FILE: Key =
    Key::new("meeting", "token_file", Unset::Computed, WrittenPath::ALLOWED).quoted(Quote::Withheld);
pub(super) static CA_FILE: Key = Key::new("meeting", "ca_file", Unset::Computed, WrittenPath::ALLOWED);
pub(super) static LATE_JOIN: Key = Key::new("meeting", "late_join", Unset::Fixed("auto"), LateJoin::ALLOWED);
pub(super) static PROTOCOL: Key = Key::new("meeting", "protocol", Unset::Fixed("relay"), Protocol::ALLOWED);
pub(super) static MAX_PEERS: Key = Key::new("meeting", "max_peers", Unset::Fixed("8"), MaxPeers::ALLOWED);
pub(super) static NAMESPACE: Key = Key::new("meeting", "namespace", Unset::Fixed("/"), Namespace::ALLOWED);
pub(super) static FORM: Key = Key::new("meeting", "form", Unset::Fixed("object"), Form::ALLOWED);
pub(super) static NAMES: Key = Key::new("meeting", "names", Unset::Fixed("usual"), NameTable::ALLOWED);

pub(super) static PROFILE: Key =
    Key::new("capture", "profile", Unset::Fixed("usb-webcam"), ProfileName::ALLOWED);
pub(super) static CAMERA: Key = Key::new("capture", "camera", Unset::Fixed("auto"), DeviceChoice::ALLOWED);
pub(super) static MIC: Key = Key::new("capture", "mic", Unset::Fixed("default"), DeviceChoice::ALLOWED);
pub(super) static WIDTH: Key = Key::new("capture", "width", Unset::Fixed("640"), Pixels::ALLOWED);
pub(super) static HEIGHT: Key = Key::new("capture", "height", Unset::Fixed("480"), Pixels::ALLOWED);
pub(super) static FPS: Key = Key::new("capture", "fps", Unset::Fixed("30"), Fps::ALLOWED);
pub(super) static VIDEO_BITRATE: Key =
    Key::new("capture", "video_bitrate", Unset::Fixed("800000"), VideoBitrate::ALLOWED);
pub(super) static MIN_BITRATE: Key =
    Key::new("capture", "min_bitrate", Unset::Fixed("60000"), VideoBitrate::ALLOWED);
pub(super) static AUDIO_BITRATE: Key =
    Key::new("capture", "audio_bitrate", Unset::Fixed("32000"), AudioBitrate::ALLOWED);
pub(super) static CADENCE_MS: Key = Key::new("capture", "cadence_ms", Unset::Fixed("100"), Cadence::ALLOWED);
pub(super) static START_CAMERA: Key = Key::new("capture", "start_camera", Unset::Fixed("true"), SWITCH);
pub(super) static START_MIC: Key = Key::new("capture", "start_mic", Unset::Fixed("true"), SWITCH);
pub(super) static MUTE: Key = Key::new("capture", "mute", Unset::Fixed("close"), Mute::ALLOWED);

pub(super) static BACKEND: Key = Key::new("panel", "backend", Unset::Fixed("auto"), Backend::ALLOWED);
pub(super) static CHIP: Key = Key::new("panel", "chip", Unset::Fixed("auto"), ChipChoice::ALLOWED);

pub(super) static LAMP_PIN: Key = Key::new("panel.lamp", "pin", Unset::Computed, Pin::ALLOWED);
pub(super) static LAMP_LED: Key = Key::new("panel.lamp", "led", Unset::Computed, LedName::ALLOWED);
pub(super) static LAMP_SHOWS: Key = Key::new("panel.lamp", "shows", Unset::Required, Shows::ALLOWED);
pub(super) static LAMP_ACTIVE_LOW: Key = Key::new("panel.lamp", "active_low", Unset::Fixed("false"), SWITCH);
pub(super) static LAMP_BRIGHTNESS: Key =
    Key::new("panel.lamp", "brightness", Unset::Fixed("100"), Percent::ALLOWED);

pub(super) static BUTTON_PIN: Key = Key::new("panel.button", "pin", Unset::Required, Pin::ALLOWED);
pub(super) static BUTTON_PRESS: Key =
    Key::new("panel.button", "press", Unset::Fixed("none"), ButtonCommand::ALLOWED);
pub(super) static BUTTON_LONG_PRESS: Key =
    Key::new("panel.button", "long_press", Unset::Fixed("none"), ButtonCommand::ALLOWED);
pub(super) static BUTTON_PUSH_TO_TALK: Key =
    Key::new("panel.button", "push_to_talk", Unset::Fixed("false"), SWITCH);
pub(super) static BUTTON_PULL: Key = Key::new("panel.button", "pull", Unset::Fixed("up"), Pull::ALLOWED);
pub(super) static BUTTON_ACTIVE_LOW: Key = Key::new("panel.button", "active_low", Unset::Computed, SWITCH);
pub(super) static BUTTON_DEBOUNCE_MS: Key =
    Key::new("panel.button", "debounce_ms", Unset::Fixed("30"), DebounceMs::ALLOWED);
pub(super) static BUTTON_HOLD_MS: Key =
    Key::new("panel.button", "hold_ms", Unset::Fixed("800"), HoldMs::ALLOWED);

pub(super) static CONTROL_SOCKET: Key =
    Key::new("control", "socket", Unset::Fixed("auto"), SocketChoice::ALLOWED);
pub(super) static CONTROL_LISTEN: Key = Key::new("control", "listen", Unset::Fixed("none"), Listen::ALLOWED);
pub(super) static CONTROL_TOKEN_FILE: Key =
    Key::new("control", "token_file", Unset::Computed, WrittenPath::ALLOWED).quoted(Quote::Withheld);
pub(super) static CONTROL_METRICS_TOKEN_FILE: Key =
    Key::new("control", "metrics_token_file", Unset::Computed, WrittenPath::ALLOWED).quoted(Quote::Withheld);

/// A list of tables, each written `[[section.name]]`. Which entry a flag or a variable would mean cannot be
/// said, so only a file can have them.
#[derive(Debug, PartialEq, Eq)]
pub struct List {
    /// The table it stands in.
    pub section: &'static str,
    /// Its name inside the table.
    pub name: &'static str,
    /// The keys of an entry, in the order of the example file.
    pub keys: &'static [&'static Key],
}

impl List {
    /// `section.name`, as errors write it and as its keys call their section.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }
}

pub(super) static LAMPS: List = List {
    section: "panel",
    name: "lamp",
    keys: &[&LAMP_PIN, &LAMP_LED, &LAMP_SHOWS, &LAMP_ACTIVE_LOW, &LAMP_BRIGHTNESS],
};
pub(super) static BUTTONS: List = List {
    section: "panel",
    name: "button",
    keys: &[
        &BUTTON_PIN,
        &BUTTON_PRESS,
        &BUTTON_LONG_PRESS,
        &BUTTON_PUSH_TO_TALK,
        &BUTTON_PULL,
        &BUTTON_ACTIVE_LOW,
        &BUTTON_DEBOUNCE_MS,
        &BUTTON_HOLD_MS,
    ],
};

/// Every list, in the order of the example file.
pub static LISTS: [&List; 3] = [&ice::SERVERS, &LAMPS, &BUTTONS];

/// Every key that is in no list, in the order of the example file.
pub static KEYS: [&Key; 32] = [
    &URL,
    &ROOM,
    &USERNAME,
    &USER_ID,
    &AVATAR_URL,
    &TOKEN_FILE,
    &CA_FILE,
    &LATE_JOIN,
    &PROTOCOL,
    &MAX_PEERS,
    &NAMESPACE,
    &FORM,
    &NAMES,
    &PROFILE,
    &CAMERA,
    &MIC,
    &WIDTH,
    &HEIGHT,
    &FPS,
    &VIDEO_BITRATE,
    &MIN_BITRATE,
    &AUDIO_BITRATE,
    &CADENCE_MS,
    &START_CAMERA,
    &START_MIC,
    &MUTE,
    &BACKEND,
    &CHIP,
    &CONTROL_SOCKET,
    &CONTROL_LISTEN,
    &CONTROL_TOKEN_FILE,
    &CONTROL_METRICS_TOKEN_FILE,
];

/// Every key, those of lists among them.
pub(super) fn all_keys() -> impl Iterator<Item = &'static Key> {
    KEYS.into_iter().chain(LISTS.into_iter().flat_map(|list| list.keys.iter().copied()))
}

/// The key with this section and name, if it is in no list.
pub(super) fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.into_iter().find(|key| key.section == section && key.name == name)
}

/// The list with this section and name.
pub(super) fn find_list(section: &str, name: &str) -> Option<&'static List> {
    LISTS.into_iter().find(|list| list.section == section && list.name == name)
}

/// Whether a table of this name exists.
pub(super) fn is_section(section: &str) -> bool {
    KEYS.iter().any(|key| key.section == section)
}

/// What to tell someone who wrote a key that does not exist: where it belongs, or the nearest one that does.
pub(super) fn hint(section: &str, name: &str) -> String {
    if (section, name) == ("control", "token") {
        return "a token is not written here: put it into a file named by control.token_file".to_owned();
    }
    if name == "token" {
        return format!(
            "a token is not written here: put it into a file named by meeting.token_file, \
             into ${{CREDENTIALS_DIRECTORY}}/token or into {TOKEN_VARIABLE}"
        );
    }
    if section.is_empty() && is_section(name) {
        return format!("it is a section, written [{name}]");
    }
    let in_list = |list: &&&List| {
        let inside =
            name.strip_prefix(list.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        section == list.section && inside
    };
    if let Some(list) = LISTS.iter().find(in_list) {
        let header = header(&list.path());
        return format!("it is a list, set in the configuration file alone; each entry starts with {header}");
    }
    let known = all_keys().map(Key::path).chain(LISTS.into_iter().map(List::path));
    let slip = nearest(&format!("{section}.{name}"), known);
    // Two lists share names of keys; the entry that the slip stands in is meant before any other place.
    if let Some(path) = slip.as_ref().filter(|path| path.starts_with(&format!("{section}."))) {
        return format!("did you mean {path}?");
    }
    if let Some(key) = all_keys().find(|key| key.name == name) {
        return format!("it belongs to {}", header(key.section));
    }
    match slip {
        Some(path) => format!("did you mean {path}?"),
        None if all_keys().any(|key| key.section == section) => {
            format!("{} has {}", header(section), names(section))
        }
        None => format!("the sections are {}", sections()),
    }
}

/// What to tell someone who wrote a section that does not exist.
pub(super) fn section_hint(section: &str) -> String {
    match nearest(section, KEYS.iter().map(|key| key.section.to_owned())) {
        Some(section) => format!("did you mean [{section}]?"),
        None => format!("the sections are {}", sections()),
    }
}

/// The known word that `word` is a slip of, if it is one.
pub(super) fn nearest(word: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let slip = |known: String| (strsim::damerau_levenshtein(word, &known), known);
    known.map(slip).min().filter(|(distance, known)| *distance <= 1 + known.len() / 6).map(|(_, known)| known)
}

/// How the line looks that a table or the entry of a list starts with.
fn header(section: &str) -> String {
    if is_section(section) { format!("[{section}]") } else { format!("[[{section}]]") }
}

fn names(section: &str) -> String {
    let lists = LISTS.into_iter().filter(|list| list.section == section).map(|list| list.name);
    let names: Vec<_> =
        all_keys().filter(|key| key.section == section).map(|key| key.name).chain(lists).collect();
    names.join(", ")
}

fn sections() -> String {
    let mut sections: Vec<_> = KEYS.iter().map(|key| format!("[{}]", key.section)).collect();
    sections.dedup();
    sections.join(", ")
}

//! From layers to a [`Config`].

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::{ConfigErrors, Origin, Problem};
use super::host::Host;
use super::layers::Layers;
use super::secret::{Secret, SecretError};
use super::{
    Capture, Config, DeviceChoice, Meeting, MeetingUrl, Panel, Protocol, control, ice, panel, schema,
};

/// Far beyond any configuration: who names the wrong file hears of it at once.
const MAX_BYTES: u64 = 1024 * 1024;

/// The name of the token among systemd's credentials (systemd.exec(5), `LoadCredential=`).
const CREDENTIAL: &str = "token";

/// What the command line sets, as `section.name` and value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides(Vec<Override>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Override {
    flag: String,
    key: String,
    value: String,
}

impl Overrides {
    /// Sets `key` (`section.name`) to `value`. `flag` is what an error calls it, such as `--room`.
    pub fn set(&mut self, flag: &str, key: &str, value: &str) {
        self.0.push(Override { flag: flag.to_owned(), key: key.to_owned(), value: value.to_owned() });
    }
}

impl Panel {
    /// Reads the section `[panel]` alone, as [`Config::load`] would. What is wrong elsewhere is no reason to leave a
    /// lamp lit: neither a relay's address nor a token that cannot be read.
    pub fn load(
        path: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        flags: &Overrides,
    ) -> Result<Self, ConfigErrors> {
        let (mut layers, _) = read_layers(path, env, flags)?;
        let panel = panel::read(&mut layers);
        layers.problems.retain(|problem| problem.may_concern("panel"));
        panel.filter(|_| layers.problems.is_empty()).ok_or_else(|| ConfigErrors::new(layers.problems))
    }
}

impl Config {
    /// Reads the configuration: defaults, under the file, under the environment, under the flags. All that is
    /// wrong is reported at once.
    ///
    /// The token comes from the first of: a `meeting.token_file` given as a flag; `ROOMCAM_TOKEN`; a
    /// `meeting.token_file` of the environment or the file; `$CREDENTIALS_DIRECTORY/token`, if it is there.
    /// Without any of these there is none.
    pub fn load(
        path: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        flags: &Overrides,
    ) -> Result<Self, ConfigErrors> {
        Self::load_on(&Host::read(), path, env, flags)
    }

    fn load_on(
        host: &Host,
        path: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        flags: &Overrides,
    ) -> Result<Self, ConfigErrors> {
        let (mut layers, ambient) = read_layers(path, env, flags)?;
        let meeting = meeting(&mut layers, host, ambient);
        let capture = capture(&mut layers);
        let panel = panel::read(&mut layers);
        let control = control::read(&mut layers);
        match (meeting, capture, panel, control) {
            (Some(meeting), Some(capture), Some(panel), Some(control)) if layers.problems.is_empty() => {
                Ok(Self { meeting, capture, panel, control, warnings: layers.warnings })
            }
            _ => {
                // With a file that is no TOML, everything else seems to be missing.
                let broken = |problem: &Problem| matches!(problem, Problem::Syntax { .. });
                if layers.problems.iter().any(broken) {
                    layers.problems.retain(|problem| !matches!(problem, Problem::Missing { .. }));
                }
                Err(ConfigErrors::new(layers.problems))
            }
        }
    }
}

/// Brings file, environment and flags together. Fails if there is a file that cannot be read.
fn read_layers(
    path: Option<&Path>,
    env: impl Iterator<Item = (String, String)>,
    flags: &Overrides,
) -> Result<(Layers, AmbientToken), ConfigErrors> {
    let mut layers = Layers::default();
    if let Some(path) = path {
        match read_text(path) {
            Ok(text) => layers.add_file(path, &text),
            Err(why) => {
                return Err(ConfigErrors::new(vec![Problem::Unreadable { path: path.to_owned(), why }]));
            }
        }
    }
    let mut ambient = AmbientToken::default();
    for (variable, value) in env {
        layers.add_variable(&variable, &value);
        match variable.as_str() {
            schema::TOKEN_VARIABLE => ambient.variable = Some(value),
            "CREDENTIALS_DIRECTORY" => ambient.credential = Some(Path::new(&value).join(CREDENTIAL)),
            _ => {}
        }
    }
    for Override { flag, key, value } in &flags.0 {
        layers.add_flag(flag, key, value);
    }
    Ok((layers, ambient))
}

fn read_text(path: &Path) -> Result<String, String> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("{error}; --config FILE or ROOMCAM_CONFIG names another one"),
        io::ErrorKind::PermissionDenied => {
            format!("{error}; the user that runs roomcam must be able to read it")
        }
        io::ErrorKind::InvalidData => "it is not UTF-8 text; is it the right file?".to_owned(),
        _ => error.to_string(),
    };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(format!("it is longer than {MAX_BYTES} bytes; is it the right file?"));
    }
    Ok(text)
}

// Every key is read before the first missing one ends it, so that all problems are found.
fn meeting(layers: &mut Layers, host: &Host, ambient: AmbientToken) -> Option<Meeting> {
    let protocol = layers.text(&schema::PROTOCOL);
    let url = match protocol {
        Some(Protocol::Whip) => layers.text(&schema::URL).map(MeetingUrl::Whip),
        _ => layers.text(&schema::URL).map(MeetingUrl::Relay),
    };
    let room = match &url {
        Some(MeetingUrl::Whip(url)) if !layers.is_set(&schema::ROOM) => url.default_room(),
        _ => layers.text(&schema::ROOM),
    };
    let username = layers.text(&schema::USERNAME).or_else(|| host.username());
    let user_id_is_derived = !layers.is_set(&schema::USER_ID);
    let user_id = layers.text(&schema::USER_ID).or_else(|| host.user_id());
    if user_id.is_none() {
        layers.missing(&schema::USER_ID);
    }
    let avatar_url = layers.text(&schema::AVATAR_URL);
    let token = token(layers, ambient);
    let ca_file = layers.file_path(&schema::CA_FILE);
    let late_join = layers.text(&schema::LATE_JOIN);
    let max_peers = layers.number(&schema::MAX_PEERS);
    let namespace = layers.text(&schema::NAMESPACE);
    let form = layers.text(&schema::FORM);
    let names = layers.text(&schema::NAMES);
    let ice_servers = ice::read(layers);
    Some(Meeting {
        url: url?,
        room: room?,
        username: username?,
        user_id: user_id?,
        user_id_is_derived,
        avatar_url,
        token,
        ca_file,
        late_join: late_join?,
        protocol: protocol?,
        max_peers: max_peers?,
        namespace: namespace?,
        form: form?,
        names: names?,
        ice_servers,
    })
}

fn capture(layers: &mut Layers) -> Option<Capture> {
    let profile = layers.text(&schema::PROFILE);
    let camera = layers.text(&schema::CAMERA);
    let mic = layers.text(&schema::MIC);
    if (&camera, &mic) == (&Some(DeviceChoice::None), &Some(DeviceChoice::None)) {
        let at = layers.origin(&schema::MIC);
        layers.problems.push(Problem::BothTracksOff { at });
    }
    let width = layers.number(&schema::WIDTH);
    let height = layers.number(&schema::HEIGHT);
    let fps = layers.number(&schema::FPS);
    let video_bitrate = layers.number(&schema::VIDEO_BITRATE);
    let min_bitrate = layers.number(&schema::MIN_BITRATE);
    let audio_bitrate = layers.number(&schema::AUDIO_BITRATE);
    let cadence = layers.number(&schema::CADENCE_MS);
    let start_camera = layers.switch(&schema::START_CAMERA);
    let start_mic = layers.switch(&schema::START_MIC);
    let mute = layers.text(&schema::MUTE);
    Some(Capture {
        profile: profile?,
        camera: camera?,
        mic: mic?,
        width: width?,
        height: height?,
        fps: fps?,
        video_bitrate: video_bitrate?,
        min_bitrate: min_bitrate?,
        audio_bitrate: audio_bitrate?,
        cadence: cadence?,
        start_camera: start_camera?,
        start_mic: start_mic?,
        mute: mute?,
    })
}

/// The places a token can come from without a key.
#[derive(Default)]
struct AmbientToken {
    variable: Option<String>,
    credential: Option<PathBuf>,
}

fn token(layers: &mut Layers, ambient: AmbientToken) -> Option<Secret> {
    let named = layers.file_path(&schema::TOKEN_FILE);
    let named_at = layers.origin(&schema::TOKEN_FILE);
    let (at, found): (Origin, Result<_, SecretError>) = match (named, ambient.variable, ambient.credential) {
        (Some(path), None, _) => (named_at, Secret::read(&path)),
        (Some(path), Some(_), _) if matches!(named_at, Origin::Flag(_)) => (named_at, Secret::read(&path)),
        (_, Some(text), _) => {
            let secret = Secret::new(&text, "the token").map(|secret| (secret, None));
            (Origin::Environment(schema::TOKEN_VARIABLE.to_owned()), secret)
        }
        (None, None, Some(path)) if path.try_exists().unwrap_or(true) => {
            (Origin::Environment("CREDENTIALS_DIRECTORY".to_owned()), Secret::read(&path))
        }
        (None, None, _) => return None,
    };
    match found {
        Ok((secret, warning)) => {
            layers.warnings.extend(warning);
            Some(secret)
        }
        Err(error) => {
            layers.problems.push(Problem::Token { at, error });
            None
        }
    }
}

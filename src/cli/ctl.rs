//! `roomcam ctl`: what can be typed, and where it goes.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use roomcam::control::ctl::{Format, Operation, Switch};
use roomcam::control::{Client, HttpPlace, Paint, Place};

use super::secret_file::{self, SecretFileError};

/// `roomcam ctl`.
#[derive(Debug, Args)]
pub struct CtlArgs {
    /// The daemon's Unix socket [default: $ROOMCAM_CONTROL, else where `roomcam run` makes it:
    /// $XDG_RUNTIME_DIR/roomcam/control.sock or /run/roomcam/control.sock]
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// Ask over TCP instead (control.listen)
    #[arg(long, global = true, value_name = "http://HOST:PORT", conflicts_with = "socket")]
    url: Option<HttpPlace>,

    /// File with the token for --url (one line)
    #[arg(long, global = true, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,

    /// Print JSON, for programs
    #[arg(long, global = true)]
    json: bool,

    /// What to do.
    #[command(subcommand)]
    action: CtlAction,
}

#[derive(Debug, Subcommand)]
enum CtlAction {
    /// Show the meeting, camera and mic, lamps, who is there, what leaves, and what went wrong last
    Status {
        /// Show it again whenever something changes
        #[arg(long)]
        watch: bool,
    },
    /// Turn the camera on or off
    Camera {
        /// What it is to be
        #[arg(value_enum)]
        to: CameraSwitch,
    },
    /// Mute the microphone or make it live
    Mic {
        /// What it is to be
        #[arg(value_enum)]
        to: MicSwitch,
    },
    /// Write what the camera sees into a file, as JPEG; only while the camera is on
    Snapshot {
        /// The file; - for stdout
        file: PathBuf,
    },
    /// Make the camera's next picture a key frame
    Keyframe,
    /// Leave the meeting, and stay out of it
    Leave,
    /// Come back into the meeting
    Join,
    /// Write a line for everybody in a meeting over WebRTC to read
    Say {
        /// The line
        text: String,
    },
    /// Read the configuration again, and restart what changed
    Reload,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum CameraSwitch {
    On,
    Off,
    Toggle,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MicSwitch {
    Mute,
    Unmute,
    Toggle,
}

impl CtlArgs {
    /// The daemon to ask.
    pub fn client(&self) -> Result<Client, SecretFileError> {
        let token = self.token_file.as_deref();
        let token = token.map(|path| secret_file::read("--token-file", path)).transpose()?;
        let place = match (&self.url, &self.socket, std::env::var_os("ROOMCAM_CONTROL")) {
            (Some(url), _, _) => Place::Http(url.clone()),
            (None, Some(socket), _) => Place::Socket(socket.clone()),
            (None, None, Some(socket)) => Place::Socket(socket.into()),
            (None, None, None) => Place::usual(),
        };
        Ok(Client::new(place, token))
    }

    /// What to ask it for.
    pub fn operation(&self) -> Operation {
        match &self.action {
            CtlAction::Status { watch: false } => Operation::Status,
            CtlAction::Status { watch: true } => Operation::Watch,
            CtlAction::Camera { to } => Operation::Camera(match to {
                CameraSwitch::On => Switch::On,
                CameraSwitch::Off => Switch::Off,
                CameraSwitch::Toggle => Switch::Toggle,
            }),
            CtlAction::Mic { to } => Operation::Mic(match to {
                MicSwitch::Unmute => Switch::On,
                MicSwitch::Mute => Switch::Off,
                MicSwitch::Toggle => Switch::Toggle,
            }),
            CtlAction::Snapshot { file } => Operation::Snapshot(file.clone()),
            CtlAction::Keyframe => Operation::KeyFrame,
            CtlAction::Leave => Operation::Leave,
            CtlAction::Join => Operation::Join,
            CtlAction::Say { text } => Operation::Say(text.clone()),
            CtlAction::Reload => Operation::Reload,
        }
    }

    /// How to show what came of it: coloured on a terminal only.
    pub fn format(&self) -> Format {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        match (self.json, colour) {
            (true, _) => Format::Json,
            (false, true) => Format::Text(Paint::Colour),
            (false, false) => Format::Text(Paint::Plain),
        }
    }
}

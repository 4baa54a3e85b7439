//! The command line: what can be typed, and how it becomes a configuration and a log.

mod ctl;
mod logging;
mod relay;
mod secret_file;
mod values;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, Parser, Subcommand};
pub use ctl::CtlArgs;
pub use logging::LogError;
use logging::LogLevel;
pub use relay::{RelayArgs, RelayArgsError};
use roomcam::config::{Config, ConfigErrors, Overrides, Panel};
pub use secret_file::SecretFileError;

/// Where packages put the configuration; used if it exists and no other is named.
const SYSTEM_CONFIG: &str = "/etc/roomcam/config.toml";

/// Turns a camera and a microphone into a participant of a browser meeting.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  roomcam demo                       a test picture and a page to watch it
  roomcam devices                    which cameras and microphones there are
  roomcam check --config room.toml   does everything that is configured work?
  roomcam run --config room.toml     join the meeting and stay in it
  roomcam ctl status                 what is it doing?

Exit status: 0 done, 1 failed, 2 wrong use or configuration."
)]
pub struct Cli {
    /// Log more: -v for debugging, -vv for everything
    #[arg(short, long, action = ArgAction::Count, global = true, conflicts_with = "log_level", help_heading = "Logging")]
    verbose: u8,

    /// Log this and what is worse. Without it, ROOMCAM_LOG decides, which also takes a level per module
    /// (info,roomcam::meeting=debug); without that, info
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Logging")]
    log_level: Option<LogLevel>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `roomcam` can be asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Join the meeting and stay in it: what the service runs
    #[command(after_help = "\
Examples:
  roomcam run --config room.toml
  roomcam run --url ws://relay.local:8080 --room lobby --mic none
  ROOMCAM_MEETING_ROOM=lobby roomcam run --set capture.fps=15

A flag wins over the environment (ROOMCAM_<SECTION>_<KEY>), the environment over the file, the file over \
the defaults. A token is never an argument: see token_file, or ROOMCAM_TOKEN.

SIGTERM and Ctrl-C leave the room and end it.")]
    Run(RunArgs),

    /// Show how it works: a relay, a viewer page and a participant in one process
    #[command(after_help = "\
Examples:
  roomcam demo                               a moving test picture and a tone
  roomcam demo --camera auto --mic default   the devices of this machine
  roomcam demo --listen 0.0.0.0:8080         watch it from other machines too
  roomcam demo --protocol mesh               WebRTC, without a relay for media

It prints the address to open in a browser, which contains a token: only people who have the address can \
watch. If it listens beyond this machine, it also shows the address as a QR code. Ctrl-C ends it.")]
    Demo(DemoArgs),

    /// Run a relay with a viewer page, for networks without a meeting server
    #[command(after_help = "\
Examples:
  roomcam relay --listen 0.0.0.0:8080 --token-file /etc/roomcam/token
  roomcam relay --publish-token-file camera.token --view-token-file people.token

It relays and stores nothing. A participant that cannot keep up is cut off. Pages of other origins are \
kept out, unless --allow-origin names them. It speaks plain HTTP and WebSocket: put a reverse proxy in \
front of it for TLS, and name the proxy's origin with --allow-origin.

It carries the signalling of meetings over WebRTC too. To watch one, open the page with the protocol of \
the devices: http://HOST:8080/?room=ROOM&protocol=mesh (or noom).

SIGTERM and Ctrl-C end it: participants are told to connect anew, after --drain-seconds at most. Until \
then /healthz answers 503, by which a load balancer sends newcomers to other relays.")]
    Relay(RelayArgs),

    /// List cameras with their formats, microphones and GPIO chips
    Devices(DevicesArgs),

    /// Try everything that is configured: one line each, with what to do about a failure
    #[command(after_help = "\
Examples:
  roomcam check --config room.toml
  roomcam check --config room.toml --json

Exit status: 0 if everything that is configured works, else 1.")]
    Check(CheckArgs),

    /// Ask the daemon that runs on this device for its state, or tell it what to do
    #[command(after_help = "\
Examples:
  roomcam ctl status
  roomcam ctl mic toggle
  roomcam ctl snapshot room.jpg
  roomcam ctl status --watch --json      a line of JSON for each change
  roomcam ctl --url http://room.local:9780 --token-file FILE status

Root and members of the group roomcam may use it. --url is for a daemon with control.listen. \
Exit status: 0 done, 1 failed, 2 wrong use.")]
    Ctl(CtlArgs),

    /// Drive the lamps while no daemon runs
    Lamps(LampsArgs),
}

/// `roomcam run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Write a line of JSON per published chunk into this file
    #[arg(long, value_name = "FILE")]
    pub trace_chunks: Option<PathBuf>,
}

/// `roomcam demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where to serve the page and the relay; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080", value_parser = values::listen)]
    pub listen: SocketAddr,

    #[command(flatten)]
    pub capture: CaptureArgs,

    /// Id of the room
    #[arg(long, value_name = "ROOM", default_value = "demo")]
    pub room: String,

    /// How media get to the page: through the relay, or by WebRTC; "noom" is for one viewer at a time
    #[arg(long, value_name = "PROTOCOL", default_value = "relay", value_parser = ["relay", "mesh", "noom"])]
    pub protocol: String,
}

/// `roomcam devices`.
#[derive(Debug, Args)]
pub struct DevicesArgs {
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// `roomcam check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// `roomcam lamps`.
#[derive(Debug, Args)]
pub struct LampsArgs {
    /// What to do with them
    #[command(subcommand)]
    pub action: LampsAction,
}

/// What can be done with the lamps.
#[derive(Debug, Subcommand)]
pub enum LampsAction {
    /// Turn all lamps off, as after each end of the service: a dark lamp claims nothing
    Off(ConfigArgs),
}

/// Where the configuration comes from, and what is different this time.
///
/// Values stay text here: `config` checks those of all layers together, and repeats no password in an error.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Configuration file [default: /etc/roomcam/config.toml, if it exists]
    #[arg(long, value_name = "FILE", env = "ROOMCAM_CONFIG")]
    config: Option<PathBuf>,

    /// Where the meeting is: ws://HOST:PORT or wss://HOST:PORT, or for WHIP the address of the endpoint
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// Id of the room to join
    #[arg(long, value_name = "ROOM")]
    room: Option<String>,

    #[command(flatten)]
    capture: CaptureArgs,

    /// Set any other key of the configuration
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = values::setting)]
    set: Vec<(String, String)>,
}

/// What to capture.
#[derive(Debug, Args)]
pub struct CaptureArgs {
    /// "auto", "none" or a camera that `roomcam devices` lists
    #[arg(long, value_name = "DEVICE")]
    camera: Option<String>,

    /// "auto", "none" or a microphone that `roomcam devices` lists
    #[arg(long, value_name = "DEVICE")]
    mic: Option<String>,

    /// How to capture and encode: a profile of pipelines/
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

impl ConfigArgs {
    /// Reads the configuration that these arguments ask for.
    pub fn load(&self) -> Result<Config, ConfigErrors> {
        Config::load(self.file(), environment(), &self.overrides())
    }

    /// Reads what they say about lamps and buttons, and nothing else.
    pub fn load_panel(&self) -> Result<Panel, ConfigErrors> {
        Panel::load(self.file(), environment(), &self.overrides())
    }

    fn file(&self) -> Option<&Path> {
        let system = Path::new(SYSTEM_CONFIG);
        self.config.as_deref().or_else(|| system.exists().then_some(system))
    }

    fn overrides(&self) -> Overrides {
        let mut overrides = Overrides::default();
        for (key, value) in &self.set {
            overrides.set(&format!("--set {key}"), key, value);
        }
        set_if_given(&mut overrides, "--url", "meeting.url", &self.url);
        set_if_given(&mut overrides, "--room", "meeting.room", &self.room);
        self.capture.add_to(&mut overrides);
        overrides
    }
}

impl DemoArgs {
    /// The path of the page to watch: what the page is to know stands in the query.
    pub fn page(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("room", &self.room);
        // The page takes the relay for granted.
        if self.protocol != "relay" {
            query.append_pair("protocol", &self.protocol);
        }
        format!("/?{}", query.finish())
    }

    /// The configuration of an agent that publishes to the relay at `address` with this token. The environment and the
    /// system's configuration have no say: a demonstration shows the same on every machine.
    ///
    /// Without a word about devices there is a test picture with a tone; whoever names one of them gets that
    /// one and no other.
    pub fn config(&self, address: SocketAddr, token: &str) -> Result<Config, ConfigErrors> {
        let mut overrides = Overrides::default();
        let mut set = |key, value: &str| overrides.set("roomcam demo", key, value);
        set("meeting.url", &format!("ws://{address}"));
        set("meeting.username", "roomcam demo");
        set("meeting.protocol", &self.protocol);
        let CaptureArgs { camera, mic, .. } = &self.capture;
        match (camera, mic) {
            (None, None) => set("capture.profile", "test-pattern"),
            (Some(_), None) => set("capture.mic", "none"),
            (None, Some(_)) => set("capture.camera", "none"),
            (Some(_), Some(_)) => {}
        }
        overrides.set("--room", "meeting.room", &self.room);
        self.capture.add_to(&mut overrides);
        // Not of the environment, but what would be: the one way to give a token that no file holds.
        let token = [("ROOMCAM_TOKEN".to_owned(), token.to_owned())];
        Config::load(None, token.into_iter(), &overrides)
    }
}

impl CaptureArgs {
    /// Adds those that were given.
    pub fn add_to(&self, overrides: &mut Overrides) {
        set_if_given(overrides, "--camera", "capture.camera", &self.camera);
        set_if_given(overrides, "--mic", "capture.mic", &self.mic);
        set_if_given(overrides, "--profile", "capture.profile", &self.profile);
    }
}

fn set_if_given(overrides: &mut Overrides, flag: &str, key: &str, value: &Option<String>) {
    if let Some(value) = value {
        overrides.set(flag, key, value);
    }
}

/// The environment as text. What is no UTF-8 gets replacement characters, so that it is refused where it is
/// used instead of ending the program here.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().map(|(variable, value)| {
        (variable.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
    })
}

impl Cli {
    /// Starts logging, as the flags and the environment say.
    pub fn start_logging(&self) -> Result<(), LogError> {
        logging::start(self.log_level, self.verbose)
    }
}

//! An agent that has no devices and no meeting, but answers as one that has; and the house it lives in: a server
//! on a Unix socket, and on TCP where a test wants that.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use roomcam::config::{Config, ControlApi, Overrides};
use roomcam::control::{
    CameraState, CameraStatus, ChatLine, Client, Command, DeviceFault, LampStatus, Limits, MeetingState,
    MicState, MicStatus, Participant, Place, QueueStatus, Refusal, Request, Requests, Server, State, Status,
    StreamStatus, UplinkStatus, Versions, requests,
};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// What a puppet takes for a picture.
pub const JPEG: &[u8] = b"\xff\xd8 a picture \xff\xd9";
pub const TOKEN: &str = "hunter2-and-more";

/// How an agent behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Willing,
    /// It refuses what it can refuse.
    Refusing,
    /// It hears, and never answers.
    Stuck,
}

/// A room with a camera that is on, a muted mic, a lamp, and Ann.
pub fn state() -> State {
    State {
        protocol: "relay".into(),
        relay: "wss://relay.example/".into(),
        room: "blue".into(),
        user_id: "roomcam-1".into(),
        username: "Pi".into(),
        meeting: MeetingState::Joined,
        absence: None,
        participants: vec![Participant { user_id: "a1".into(), username: Some("Ann".into()), media: None }],
        chat: Vec::new(),
        camera: CameraStatus { wanted_on: true, state: CameraState::On, device: Some("/dev/video0".into()) },
        mic: MicStatus { wanted_muted: true, state: MicState::Muted, device: None, speaking: false },
        flowing: true,
        lamps: vec![LampStatus { place: "pin 17".into(), shows: "mic-muted".into(), pattern: "on".into() }],
        epoch: 3,
        faults: vec![DeviceFault {
            part: "mic".into(),
            message: "hw:1 is busy".into(),
            at: 1_700_000_000,
            ongoing: false,
        }],
    }
}

pub fn status(state: State) -> Status {
    Status {
        versions: Versions { roomcam: "0.1.0".into(), gstreamer: "1.22.0".into() },
        uptime_seconds: 11_580.5,
        next_attempt_seconds: None,
        state,
        stream: StreamStatus {
            chunks_sent: 1200,
            bytes_sent: 12_345_678,
            bits_per_second: 812_345,
            video_bitrate: 800_000,
            audio_bitrate: 32_000,
            frames_captured: 9000,
            frames_sent: 8990,
            frames_skipped: 10,
            frames_filled: 20,
        },
        uplink: UplinkStatus {
            pressure: "easy".into(),
            video_bitrate: 800_000,
            frame_rate: 30,
            picture_held: false,
            reason: "full".into(),
        },
        queue: QueueStatus { chunks: 2, bytes: 14_300, milliseconds: 200 },
    }
}

pub struct Puppet {
    requests: Requests,
    state: State,
    mood: Mood,
    /// What a stuck one has heard.
    unanswered: Vec<Request>,
}

/// What a test does to it.
pub enum Pull {
    Tell(Box<State>),
    Feel(Mood, oneshot::Sender<()>),
}

impl Puppet {
    async fn live(mut self, mut strings: mpsc::UnboundedReceiver<Pull>) {
        loop {
            tokio::select! {
                Some(request) = self.requests.next() => self.hear(request),
                pulled = strings.recv() => match pulled {
                    Some(Pull::Tell(state)) => self.tell(*state),
                    Some(Pull::Feel(mood, done)) => {
                        self.mood = mood;
                        let _ = done.send(());
                    }
                    None => return,
                },
            }
        }
    }

    fn tell(&mut self, state: State) {
        self.state = state;
        self.requests.tell(self.state.clone());
    }

    fn hear(&mut self, request: Request) {
        match request {
            stuck if self.mood == Mood::Stuck => self.unanswered.push(stuck),
            Request::Status(answer) => drop(answer.send(status(self.state.clone()))),
            Request::Command(command, answer) => {
                let done = self.obey(command).map(|()| status(self.state.clone()));
                let _ = answer.send(done);
            }
            Request::Snapshot(answer) => {
                let _ = answer.send(match (self.mood, self.state.camera.state) {
                    (Mood::Refusing, _) => Err(Refusal::failed("no snapshot: the lens is gone; put it back")),
                    (_, CameraState::On) => Ok(Bytes::from_static(JPEG)),
                    _ => Err(Refusal::conflict("the camera is off: turn it on to take a snapshot")),
                });
            }
        }
    }

    fn obey(&mut self, command: Command) -> Result<(), Refusal> {
        let mut state = self.state.clone();
        match command {
            Command::Reload if self.mood == Mood::Refusing => {
                return Err(Refusal::unusable("capture.fps = 0 is refused; the old configuration holds"));
            }
            _ if self.mood == Mood::Refusing => return Err(Refusal::conflict("not now; try later")),
            Command::Camera { on } => {
                state.camera.wanted_on = on;
                state.camera.state = if on { CameraState::On } else { CameraState::Off };
                state.camera.device = on.then(|| "/dev/video0".into());
            }
            Command::Mic { muted } => {
                state.mic.wanted_muted = muted;
                state.mic.state = if muted { MicState::Muted } else { MicState::Live };
            }
            Command::KeyFrame | Command::Reload => {}
            Command::Say { text } => {
                state.chat.push(ChatLine { from: None, text, at: 1_700_000_000 });
            }
            Command::Leave => state.meeting = MeetingState::Left,
            Command::Join => state.meeting = MeetingState::Joined,
        }
        self.tell(state);
        Ok(())
    }
}

/// A server that runs, and the puppet behind it.
pub struct House {
    pub socket: PathBuf,
    pub addr: Option<SocketAddr>,
    strings: mpsc::UnboundedSender<Pull>,
    puppet: JoinHandle<()>,
    server: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    pub dir: TempDir,
}

/// `[control]` with this content.
pub fn config(dir: &Path, content: &str) -> ControlApi {
    let file = dir.join("config.toml");
    let text = format!("[meeting]\nurl = 'ws://relay.example'\nroom = 'blue'\n[control]\n{content}\n");
    std::fs::write(&file, text).unwrap();
    Config::load(Some(&file), std::iter::empty(), &Overrides::default()).unwrap().control
}

/// `[control]` for a socket alone.
pub fn socket_config(path: &Path) -> ControlApi {
    config(path.parent().unwrap(), &format!("socket = '{}'", path.display()))
}

impl House {
    pub fn open() -> Self {
        Self::with("", Limits::default())
    }

    pub fn with_limits(limits: Limits) -> Self {
        Self::with("", limits)
    }

    pub fn with(content: &str, limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), TOKEN).unwrap();
        let socket = dir.path().join("control.sock");
        let config = config(dir.path(), &format!("socket = '{}'\n{content}", socket.display()));
        let (control, requests) = requests(state());
        let server = Server::with_limits(&config, control, limits).unwrap();
        assert_eq!(server.socket(), Some(&*socket));
        let addr = server.local_addr();
        let puppet = Puppet { requests, state: state(), mood: Mood::Willing, unanswered: Vec::new() };
        let (strings, pulled) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let puppet = tokio::spawn(puppet.live(pulled));
        let server = tokio::spawn(server.run(async move { drop(stopped.await) }));
        Self { socket, addr, strings, puppet, server, stop, dir }
    }

    pub fn client(&self) -> Client {
        Client::new(Place::Socket(self.socket.clone()), None)
    }

    pub fn tell(&self, state: State) {
        self.strings.send(Pull::Tell(Box::new(state))).unwrap_or_else(|_| panic!("the puppet has ended"));
    }

    pub async fn feel(&self, mood: Mood) {
        let (done, felt) = oneshot::channel();
        self.strings.send(Pull::Feel(mood, done)).unwrap_or_else(|_| panic!("the puppet has ended"));
        felt.await.unwrap();
    }

    /// The agent ends, the server does not know yet.
    pub async fn lose_agent(&mut self) {
        self.puppet.abort();
        let _ = (&mut self.puppet).await;
    }

    /// Stops the server as a daemon would, and waits until it has ended.
    pub async fn stop(self) -> TempDir {
        let _ = self.stop.send(());
        tokio::time::timeout(Duration::from_secs(5), self.server).await.expect("it ends in time").unwrap();
        self.dir
    }
}

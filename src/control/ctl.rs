//! `roomcam ctl`: runs one operation and shows what came of it.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tokio::time::timeout;

use super::client::{Client, ClientError};
use super::render::{self, Paint};
use super::{State, Status};

/// How often `--watch` shows what changes without an event: rates, ages.
const REFRESH: Duration = Duration::from_secs(5);
/// Puts the cursor to the top left, and clears what is under it.
const CLEAR: &[u8] = b"\x1b[H\x1b[2J";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Show the state.
    Status,
    /// Show the state, and again whenever it changes.
    Watch,
    /// The camera.
    Camera(Switch),
    /// The microphone; on means live.
    Mic(Switch),
    /// Write what the camera sees into this file; `-` is stdout.
    Snapshot(PathBuf),
    /// A key frame.
    KeyFrame,
    /// Out of the meeting.
    Leave,
    /// Into the meeting.
    Join,
    /// A line for everybody to read.
    Say(String),
    /// Read the configuration again.
    Reload,
}

/// On, off, or whichever it is not wanted to be now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
    /// The other way.
    Toggle,
}

/// How the outcome is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For a person.
    Text(Paint),
    /// For a program.
    Json,
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum CtlError {
    /// The daemon.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The file for the snapshot.
    #[error("cannot write the snapshot to {}: {source}", path.display())]
    Snapshot {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The daemon ended while it was watched.
    #[error("the daemon has ended; it can be watched again when it runs")]
    Ended,
    /// Our own output.
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

/// Runs an operation and writes what came of it to stdout.
///
/// # Errors
/// If the daemon refuses or cannot be asked, or nothing can be written; whoever reads us may stop at any time.
pub async fn run(client: &Client, operation: Operation, format: Format) -> Result<(), CtlError> {
    let mut shell = Shell { client, format, out: io::stdout() };
    match shell.run(operation).await {
        // `roomcam ctl status --watch | head` has seen enough.
        Err(CtlError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

struct Shell<'a> {
    client: &'a Client,
    format: Format,
    out: io::Stdout,
}

impl Shell<'_> {
    async fn run(&mut self, operation: Operation) -> Result<(), CtlError> {
        let line: fn(&State, Paint) -> String;
        let answer = match operation {
            Operation::Status => return self.status().await,
            Operation::Watch => return self.watch().await,
            Operation::Snapshot(path) => return self.snapshot(path).await,
            Operation::Camera(switch) => {
                line = |state, paint| format!("camera: {}", render::camera(state, paint));
                let on = self.decide(switch, |state| state.camera.wanted_on).await?;
                self.client.put("/v1/camera", &json!({ "on": on })).await?
            }
            Operation::Mic(switch) => {
                line = |state, paint| format!("mic: {}", render::mic(state, paint));
                let live = self.decide(switch, |state| !state.mic.wanted_muted).await?;
                self.client.put("/v1/mic", &json!({ "muted": !live })).await?
            }
            Operation::KeyFrame => {
                line = |_, _| "the camera's next picture is a key frame".to_owned();
                self.client.post("/v1/keyframe").await?
            }
            Operation::Leave => {
                line = |state, paint| format!("meeting: {}", render::meeting(state, paint));
                self.client.post("/v1/leave").await?
            }
            Operation::Join => {
                line = |state, paint| format!("meeting: {}", render::meeting(state, paint));
                self.client.post("/v1/join").await?
            }
            Operation::Say(text) => {
                line = |_, _| "said".to_owned();
                self.client.post_wish("/v1/say", &json!({ "text": text })).await?
            }
            Operation::Reload => {
                line = |_, _| "the configuration is read again".to_owned();
                self.client.post("/v1/reload").await?
            }
        };
        match self.format {
            Format::Json => self.say(&answer),
            Format::Text(paint) => {
                let status = self.understand::<Status>(&answer)?;
                self.say(line(&status.state, paint).as_bytes())
            }
        }
    }

    async fn status(&mut self) -> Result<(), CtlError> {
        let answer = self.client.get("/v1/status").await?;
        match self.format {
            Format::Json => self.say(&answer),
            Format::Text(paint) => {
                let page = render::page(&self.understand(&answer)?, now(), paint);
                self.say(page.trim_end().as_bytes())
            }
        }
    }

    async fn watch(&mut self) -> Result<(), CtlError> {
        let mut events = self.client.events().await?;
        loop {
            match timeout(REFRESH, events.next()).await {
                Ok(event) => {
                    let state = event?.ok_or(CtlError::Ended)?;
                    if self.format == Format::Json {
                        self.say(state.as_bytes())?;
                        continue;
                    }
                }
                Err(_) if self.format == Format::Json => continue,
                Err(_) => {}
            }
            if self.out.is_terminal() {
                self.out.write_all(CLEAR)?;
            }
            self.status().await?;
        }
    }

    async fn snapshot(&mut self, path: PathBuf) -> Result<(), CtlError> {
        let picture = self.client.get("/v1/snapshot.jpg").await?;
        if path == Path::new("-") {
            self.out.write_all(&picture)?;
            return Ok(self.out.flush()?);
        }
        std::fs::write(&path, &picture).map_err(|source| CtlError::Snapshot { path, source })
    }

    /// What a switch is to be now.
    async fn decide(&self, switch: Switch, is: impl Fn(&State) -> bool) -> Result<bool, CtlError> {
        Ok(match switch {
            Switch::On => true,
            Switch::Off => false,
            Switch::Toggle => {
                let answer = self.client.get("/v1/status").await?;
                !is(&self.understand::<Status>(&answer)?.state)
            }
        })
    }

    fn understand<T: serde::de::DeserializeOwned>(&self, answer: &[u8]) -> Result<T, CtlError> {
        serde_json::from_slice(answer).map_err(|error| {
            self.client.broken(format!("is it of another version? {error}; --json shows what it says")).into()
        })
    }

    fn say(&mut self, line: &[u8]) -> Result<(), CtlError> {
        self.out.write_all(line)?;
        self.out.write_all(b"\n")?;
        Ok(self.out.flush()?)
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs())
}

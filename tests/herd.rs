//! A relay restarts with two hundred agents in its rooms: all come back soon, and come but once. The agents are their
//! sessions and their back-off, without devices. A test binary of its own, because it measures time and cargo runs one
//! binary after the other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/child.rs"]
mod child;

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use roomcam::meeting::{
    Backoff, OutboxLimits, Presence, SessionConfig, SessionEvent, credentials, outbox, session,
};
use roomcam::socketio::Endpoint;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

const HERD: usize = 200;
const ROOMS: usize = 40;
const LIVE: Presence = Presence { has_video: true, is_muted: false };
/// How long the relay is away, beside the time in which it starts.
const AWAY: Duration = Duration::from_secs(1);
/// When all must be back, after the relay is.
const BACK: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(60);

/// What an agent has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Attempted,
    Joined,
}

struct Relay {
    child: Child,
    url: String,
}

impl Relay {
    async fn start(mut command: Command) -> Self {
        let mut child = child::start(command.stderr(Stdio::null()));
        let url = child::find_line(child.stdout.take().unwrap(), |line| {
            line.find("http://").map(|at| line[at..].trim_end_matches('/').to_owned())
        });
        let url = url.await;
        Self { child, url }
    }

    fn port(&self) -> u16 {
        self.url.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Ends it as a crash would.
    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

fn embedded(port: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomcam"));
    command.args(["relay", "--listen", &format!("127.0.0.1:{port}")]);
    command
}

fn nest(port: u16) -> Command {
    let mut command = Command::new("node");
    command.arg(tests().join("relay/dist/main.js")).env("PORT", port.to_string()).env("GENERATION", "new");
    command
}

fn tests() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Joins again and again, as an agent does, and tells when.
async fn attend(url: String, number: usize, deeds: mpsc::UnboundedSender<(Instant, Deed)>) {
    let user = format!("agent-{number}");
    let mut endpoint = Endpoint::new(&url).unwrap();
    endpoint.auth = credentials(Some(&user), Some(&user));
    let config = SessionConfig::new(endpoint, &format!("room-{}", number % ROOMS), &user);
    let mut backoff = Backoff::default();
    loop {
        let (_outbox, receiver) = outbox(OutboxLimits::default());
        let (began, mut joined) = (Instant::now(), None);
        deeds.send((began, Deed::Attempted)).ok();
        let mut session = session::spawn(config.clone(), LIVE, receiver);
        while let Some(event) = session.events.recv().await {
            match event {
                SessionEvent::Joined(_) => {
                    joined = Some(Instant::now());
                    deeds.send((Instant::now(), Deed::Joined)).ok();
                }
                SessionEvent::Ended(_) => break,
                _ => {}
            }
        }
        if joined.is_some_and(|joined| joined.elapsed() >= Backoff::HEALTHY) {
            backoff.reset();
        }
        let took = if joined.is_some() { Duration::ZERO } else { began.elapsed() };
        sleep(backoff.after_failure(took, rand::random())).await;
    }
}

/// What is done until all have joined.
async fn until_all_joined(deeds: &mut mpsc::UnboundedReceiver<(Instant, Deed)>) -> Vec<(Instant, Deed)> {
    let mut done = Vec::new();
    let all = async {
        let mut joined = 0;
        while joined < HERD {
            let deed = deeds.recv().await.unwrap();
            joined += usize::from(deed.1 == Deed::Joined);
            done.push(deed);
        }
    };
    timeout(PATIENCE, all).await.expect("all join");
    done
}

async fn restart(name: &str, relay: fn(u16) -> Command) {
    let first = Relay::start(relay(0)).await;
    let (port, url) = (first.port(), first.url.clone());
    let (tell, mut deeds) = mpsc::unbounded_channel();
    let mut herd = JoinSet::new();
    for number in 0..HERD {
        herd.spawn(attend(url.clone(), number, tell.clone()));
    }
    until_all_joined(&mut deeds).await;

    first.kill().await;
    let gone = Instant::now();
    sleep(AWAY).await;
    let _again = Relay::start(relay(port)).await;
    let there = Instant::now();
    let done = until_all_joined(&mut deeds).await;

    let since = |deed, from| {
        let times = done.iter().filter(move |(at, what)| *what == deed && *at >= from);
        times.map(move |(at, _)| *at - from).collect::<Vec<_>>()
    };
    let per_second = |times: Vec<Duration>| {
        let mut counts = vec![0; 1 + times.iter().map(Duration::as_secs).max().unwrap_or(0) as usize];
        times.iter().for_each(|at| counts[at.as_secs() as usize] += 1);
        counts
    };
    let back = since(Deed::Joined, gone);
    let last = done.last().unwrap().0.saturating_duration_since(there);
    let attempts = since(Deed::Attempted, there).len();
    println!(
        "{name}: {HERD} agents, relay away for {:.1} s; all back {last:.1?} after it; attempts per second since it \
         went {:?}, joins {:?}; {attempts} attempts since it is back",
        (there - gone).as_secs_f64(),
        per_second(since(Deed::Attempted, gone)),
        per_second(back),
    );
    assert!(last <= BACK, "{last:?}");
    assert!(attempts <= HERD + HERD / 10, "{attempts} attempts of {HERD} agents at a relay that is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_herd_comes_back_to_the_embedded_relay() {
    restart("embedded", embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_herd_comes_back_to_the_nestjs_relay() {
    let compiled = Command::new("node")
        .arg(tests().join("node_modules/typescript/bin/tsc"))
        .arg("-p")
        .arg(tests().join("relay"))
        .status()
        .await
        .expect("node runs");
    assert!(compiled.success(), "the relay in tests/relay does not compile");
    restart("NestJS", nest).await;
}

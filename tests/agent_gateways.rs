//! The agent among deployed gateways, played word for word: under which id it lives in the room, what it says while it
//! is not in it, and how little it says about lists that bring no news (docs/protocol.md §2, §3).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Relay, Server, patiently};
use futures_util::StreamExt;
use roomcam::agent::{AgentError, RunOptions};
use roomcam::config::{Config, Overrides};
use roomcam::control::{Command, Control, State, requests};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, LocalSet};
use tokio_tungstenite::tungstenite::Message;

/// What the configuration calls the agent, and what the gateway does.
const EMAIL: &str = "pi@example.org";
const UUID: &str = "7f2c";

/// The log, as the journal would have it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

/// An agent with a test picture and a tone.
struct Agent {
    control: Control,
    state: watch::Receiver<State>,
    log: Log,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), AgentError>>,
}

impl Agent {
    fn start(relay: &Relay) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!(
            "[meeting]\nurl = {:?}\nroom = \"room-1\"\nuser_id = {EMAIL:?}\nusername = \"Pi\"\n\
             [capture]\nprofile = \"test-pattern\"\nwidth = 160\nheight = 120\nfps = 10\n",
            relay.url()
        );
        std::fs::write(file.path(), text).unwrap();
        let config = Config::load(Some(file.path()), std::iter::empty(), &Overrides::default()).unwrap();
        let (control, requests) = requests(State::default());
        let options = RunOptions { requests: Some(requests), ..RunOptions::default() };
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::task::spawn_local(async move {
            roomcam::agent::run(&config, options, async { drop(stopped.await) }).await
        });
        let state = control.watch().unwrap();
        Self { control, state, log: Log::default(), stop, task }
    }

    async fn status(&self) -> Value {
        serde_json::to_value(self.control.status().await.unwrap()).unwrap()
    }

    /// The first state, from now on, that is as wanted.
    async fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let seen = self.state.wait_for(|state| wanted(&serde_json::to_value(state).unwrap()));
        let seen = tokio::time::timeout(Duration::from_secs(20), seen).await;
        match seen.ok().map(|state| serde_json::to_value(&*state.unwrap()).unwrap()) {
            Some(state) => state,
            None => panic!("never {what}: {:#}", self.status().await),
        }
    }

    async fn until_absent_for(&mut self, reason: &str) -> String {
        let state = self.until(reason, |state| state["absence"]["reason"] == reason).await;
        state["absence"]["message"].as_str().unwrap().to_owned()
    }

    async fn until_joined(&mut self) {
        self.until("joined", |state| state["meeting"] == "joined").await;
    }

    async fn stop(self) {
        drop(self.stop);
        patiently(self.task).await.unwrap().unwrap();
    }
}

/// Runs a test with an agent, whose log is kept, and a relay.
async fn with_agent(test: impl AsyncFnOnce(&mut Agent, Relay)) {
    let relay = Relay::listen().await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .with_max_level(tracing::Level::INFO)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let all = async {
        let mut agent = Agent { log, ..Agent::start(&relay) };
        test(&mut agent, relay).await;
        agent.stop().await;
    };
    LocalSet::new().run_until(all).await;
}

/// The next text that is no chunk; chunks before it are read over.
async fn announcement(server: &mut Server<TcpStream>) -> String {
    loop {
        match patiently(server.0.next()).await {
            Some(Ok(Message::Text(text))) if !text.starts_with("451-") => return text.to_string(),
            Some(Ok(Message::Text(_) | Message::Binary(_))) => {}
            other => panic!("the agent hung up: {other:?}"),
        }
    }
}

/// Waits for a chunk.
async fn chunk(server: &mut Server<TcpStream>) {
    while !matches!(patiently(server.0.next()).await.unwrap().unwrap(), Message::Binary(_)) {}
}

/// A later gateway up to its answer to `join-room`: everybody but the joiner, and whether the joiner may publish.
async fn join_later_gateway(relay: &Relay) -> Server<TcpStream> {
    let mut server = relay.accept().await;
    server.connect().await;
    assert!(announcement(&mut server).await.starts_with(r#"42["join-room","#));
    let state = json!(["room-state", {
        "roomId": "room-1", "participants": [ann()], "title": "T", "hostId": UUID,
        "canBroadcast": true, "broadcastMode": "single",
    }]);
    server.say(&format!("42{state}")).await;
    server
}

fn ann() -> Value {
    json!({ "userId": "ann", "username": "Ann", "hasVideo": false, "isMuted": true, "canBroadcast": false, "socketId": "s-ann" })
}

fn ourselves() -> Value {
    json!({ "userId": UUID, "username": "Pi", "hasVideo": true, "isMuted": false, "canBroadcast": true, "socketId": "socket" })
}

fn list(participants: &[Value]) -> String {
    let list = json!(["participant-list-changed", {
        "participants": participants, "presenterUserId": UUID, "broadcastMode": "single",
    }]);
    format!("42{list}")
}

#[tokio::test]
async fn an_email_as_user_id_publishes_under_the_id_that_the_gateway_gives() {
    with_agent(async |agent, relay| {
        let mut server = join_later_gateway(&relay).await;
        server.say(&list(&[ann(), ourselves()])).await;

        let state = agent.until("known by its id", |state| state["user_id"] == UUID).await;

        assert_eq!(state["meeting"], "joined");
        assert_eq!(state["participants"], json!([{ "user_id": "ann", "username": "Ann", "media": null }]));
        chunk(&mut server).await;
        chunk(&mut server).await;
        agent.control.command(Command::Camera { on: false }).await.unwrap().unwrap();
        assert_eq!(
            announcement(&mut server).await,
            r#"42["camera-state-changed",{"roomId":"room-1","userId":"7f2c","hasVideo":false}]"#
        );
        assert_eq!(agent.status().await["meeting"], "joined");
    })
    .await;
}

#[tokio::test]
async fn lists_without_news_are_neither_logged_nor_told() {
    with_agent(async |agent, relay| {
        let mut server = join_later_gateway(&relay).await;
        server.say(&list(&[ann(), ourselves()])).await;
        agent.until("known by its id", |state| state["user_id"] == UUID).await;
        agent.until("flowing", |state| state["flowing"] == true && state["epoch"] == 1).await;
        // The tone counts as speech; after that nothing changes by itself.
        agent
            .until("speaking", |state| state["mic"]["speaking"] == true && state["camera"]["state"] == "on")
            .await;
        let seat_lines = |agent: &Agent| {
            agent
                .log
                .lines()
                .into_iter()
                .filter(|line| line.contains("participants") || line.contains("seat"))
                .count()
        };
        let before = seat_lines(agent);
        agent.state.mark_unchanged();

        // The same in another order, with a camera that is on now; the last word is one that is heard.
        server.say(&list(&[ourselves(), ann()])).await;
        let mut seen = ann();
        seen["hasVideo"] = json!(true);
        server.say(&list(&[seen.clone(), ourselves()])).await;
        server.say(r#"42["error",{"message":"that was all"}]"#).await;
        while !agent.log.lines().iter().any(|line| line.contains("that was all")) {
            agent.status().await;
            tokio::task::yield_now().await;
        }

        assert_eq!(seat_lines(agent), before, "{:#?}", agent.log.lines());
        assert!(!agent.state.has_changed().unwrap(), "a state event without news");

        // News is one line.
        let bob = json!({ "userId": "bob", "username": "Bob", "canBroadcast": false, "socketId": "s-bob" });
        server.say(&list(&[ann(), ourselves(), bob])).await;
        agent.until("with Bob", |state| state["participants"].as_array().unwrap().len() == 2).await;
        assert_eq!(seat_lines(agent), before + 1, "{:#?}", agent.log.lines());
    })
    .await;
}

#[tokio::test]
async fn an_unknown_room_and_what_to_do_about_it() {
    with_agent(async |agent, relay| {
        let mut server = relay.accept().await;
        server.connect().await;
        server.say(r#"42["error",{"message":"존재하지 않는 회의입니다. 회의 ID를 확인해주세요."}]"#).await;

        let message = agent.until_absent_for("unknown-room").await;

        assert_eq!(
            message,
            format!(
                "relay {}: knows no room \"room-1\": 존재하지 않는 회의입니다. 회의 ID를 확인해주세요.; check meeting.room, \
                 and that the meeting exists",
                relay.socket_url()
            )
        );
        let status = agent.status().await;
        assert_eq!(status["meeting"], "connecting");
        assert_eq!(status["faults"][0]["message"], message);
        assert_eq!(status["faults"][0]["ongoing"], true);

        // It is said until the join works.
        let _server = join_later_gateway(&relay).await;
        agent.until_joined().await;
        let status = agent.status().await;
        assert_eq!(status["absence"], Value::Null);
        assert_eq!(status["next_attempt_seconds"], Value::Null);
        assert_eq!(status["faults"][0]["ongoing"], false);
    })
    .await;
}

#[tokio::test]
async fn refused_credentials_say_so_and_when_the_next_attempt_is() {
    with_agent(async |agent, relay| {
        let mut server = relay.accept().await;
        server.open().await;
        server.say(r#"44{"message":"invalid token"}"#).await;

        let message = agent.until_absent_for("credentials-refused").await;

        assert!(
            message.ends_with("refused the credentials: invalid token; check the token and the user id"),
            "{message}"
        );
        let wait = agent.status().await["next_attempt_seconds"].as_f64().unwrap();
        assert!(wait > 10.0 && wait <= 30.0, "{wait}");
        let line = agent.log.lines().into_iter().find(|line| line.contains("invalid token")).unwrap();
        assert!(line.contains("; next attempt in "), "{line}");
    })
    .await;
}

#[tokio::test]
async fn a_refused_join() {
    with_agent(async |agent, relay| {
        let mut server = relay.accept().await;
        server.connect().await;
        server.say(r#"42["error",{"message":"The room is full"}]"#).await;
        let message = agent.until_absent_for("join-refused").await;
        assert!(message.contains("refused the join of room \"room-1\": The room is full"), "{message}");
    })
    .await;
}

#[tokio::test]
async fn another_login_that_the_gateway_speaks_of() {
    with_agent(async |agent, relay| {
        let mut server = join_later_gateway(&relay).await;
        agent.until_joined().await;
        server.say(r#"42["error",{"message":"새로운 접속이 감지되어 연결이 종료되었습니다."}]"#).await;
        server.say("41").await;
        let message = agent.until_absent_for("superseded").await;
        assert!(message.contains("another login of the same user took the seat"), "{message}");
        let wait = agent.status().await["next_attempt_seconds"].as_f64().unwrap();
        assert!(wait > 10.0, "no fight over the seat: {wait}");
    })
    .await;
}

#[tokio::test]
async fn a_disconnect_without_a_word_is_probably_another_login() {
    with_agent(async |agent, relay| {
        let mut server = join_later_gateway(&relay).await;
        agent.until_joined().await;
        server.say("41").await;
        let message = agent.until_absent_for("disconnected").await;
        assert_eq!(
            message,
            format!(
                "relay {}: disconnected us without saying why; most likely another login of the same user took the \
                 seat: give this device a user id of its own",
                relay.socket_url()
            )
        );
    })
    .await;
}

#[tokio::test]
async fn a_meeting_that_ended_is_not_forgotten_for_the_unknown_room_that_it_leaves() {
    with_agent(async |agent, relay| {
        let mut server = join_later_gateway(&relay).await;
        agent.until_joined().await;
        server.say(r#"42["error",{"message":"The host has ended the meeting."}]"#).await;
        server.say(r#"42["room-ended"]"#).await;
        let message = agent.until_absent_for("room-ended").await;
        assert!(message.contains("the meeting in room \"room-1\" is over"), "{message}");
        let status = agent.status().await;
        assert_eq!(status["faults"][0]["message"], message);
        let wait = status["next_attempt_seconds"].as_f64().unwrap();
        assert!(wait > 10.0, "{wait}");
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_is_away() {
    with_agent(async |agent, relay| {
        drop(relay);
        let message = agent.until_absent_for("unreachable").await;
        assert!(message.contains("connection refused; check the port"), "{message}");

        // Who was asked to leave is not away for a reason.
        agent.control.command(Command::Leave).await.unwrap().unwrap();
        let status = agent.status().await;
        assert_eq!((&status["meeting"], &status["absence"]), (&json!("left"), &Value::Null));
    })
    .await;
}

#[tokio::test]
async fn a_captive_portal_is_told_of_once_and_asked_again_until_somebody_has_signed_in() {
    with_agent(async |agent, relay| {
        let page = "<!DOCTYPE html><title>Welcome to our network</title>";
        let length = page.len();
        let portal =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n{page}");
        for _ in 0..4 {
            relay.answer(&portal).await;
        }
        let message = agent.until_absent_for("unreachable").await;
        assert!(message.contains("wants people to sign in first"), "{message}");
        let mut server = relay.accept().await;
        server.join("room-1").await;
        agent.until_joined().await;

        let lines = agent.log.lines();
        let warnings: Vec<_> = lines.iter().filter(|line| line.contains("WARN")).collect();
        assert!(warnings.len() == 1 && warnings[0].contains("sign in first"), "{warnings:#?}");
    })
    .await;
}

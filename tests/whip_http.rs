//! What goes over the wire to a WHIP server, and what the agent makes of servers that misbehave: a scripted one, which
//! answers each request with the bytes that the test says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::patiently;
use roomcam::agent::{AgentError, RunOptions};
use roomcam::config::{Config, Overrides, Secret};
use roomcam::control::{Control, State, requests};
use roomcam::meeting::whip::{HttpClient, HttpFault, Method, Request, http};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, LocalSet};

struct Server(TcpListener);

/// A request, as it came.
struct Heard {
    head: String,
    body: String,
    stream: TcpStream,
}

impl Server {
    async fn listen() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn url(&self) -> String {
        format!("http://{}/whip/cam1?key=7", self.0.local_addr().unwrap())
    }

    async fn hear(&self) -> Heard {
        let (mut stream, _) = patiently(self.0.accept()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(patiently(stream.read_u8()).await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        patiently(stream.read_exact(&mut body)).await.unwrap();
        Heard { head, body: String::from_utf8(body).unwrap(), stream }
    }

    /// Hears a request that begins so, and answers with this head and body.
    async fn answer(&self, begins: &str, head: &str, body: &str) -> Heard {
        let mut heard = self.hear().await;
        assert!(heard.head.starts_with(begins), "{} is no {begins}", heard.head);
        heard.answer(head, body).await;
        heard
    }
}

impl Heard {
    async fn answer(&mut self, head: &str, body: &str) {
        let answer = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        self.stream.write_all(answer.as_bytes()).await.unwrap();
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

fn client() -> HttpClient {
    HttpClient::new(Some(Secret::new("tok-en", "a test").unwrap()), None)
}

fn request(server: &Server) -> Request {
    Request {
        method: Method::Post,
        url: server.url().parse().unwrap(),
        body: "v=0\r\n".into(),
        if_match: None,
        timeout: Duration::from_secs(10),
    }
}

/// What comes of a request that is answered with these bytes, after which the server waits for the client to go.
async fn outcome(bytes: Vec<u8>) -> Result<roomcam::meeting::whip::Answer, HttpFault> {
    let server = Server::listen().await;
    let ask = client();
    let request = request(&server);
    let answer = async {
        let mut heard = server.hear().await;
        // A client that has heard enough closes the connection.
        let _ = heard.stream.write_all(&bytes).await;
        let _ = heard.stream.read_u8().await;
    };
    tokio::join!(ask.ask(&request), answer).0
}

#[tokio::test]
async fn a_post_has_the_type_of_a_description_and_the_token_and_nothing_that_is_not_needed() {
    let server = Server::listen().await;
    let (client, request) = (client(), request(&server));
    let answered = "201 Created\r\nLocation: /s/1\r\nETag: W/bare\r\nLink: <stun:a>; rel=x\r\nLink: <stun:b>; rel=y\r\nRetry-After: 3\r\nContent-Type: application/sdp";
    let (answer, heard) =
        tokio::join!(client.ask(&request), server.answer("POST /whip/cam1?key=7 HTTP/1.1", answered, "v=0"));
    let answer = answer.unwrap();
    assert_eq!(heard.body, "v=0\r\n");
    assert_eq!(heard.header("content-type"), Some("application/sdp"), "a charset gets 406");
    assert_eq!(heard.header("authorization"), Some("Bearer tok-en"));
    assert_eq!(heard.header("host"), Some(server.0.local_addr().unwrap().to_string().as_str()));
    assert_eq!(heard.header("if-match"), None);
    assert_eq!((answer.status, answer.body.as_str()), (201, "v=0"));
    assert_eq!(answer.location.as_deref(), Some("/s/1"));
    assert_eq!(answer.etag.as_deref(), Some("W/bare"));
    assert_eq!(answer.links, ["<stun:a>; rel=x", "<stun:b>; rel=y"]);
    assert_eq!(answer.retry_after, Some(Duration::from_secs(3)));

    let bare = HttpClient::new(None, None);
    let patch = Request { method: Method::Patch, if_match: Some("\"x\"".into()), ..request.clone() };
    let (answer, heard) = tokio::join!(bare.ask(&patch), server.answer("PATCH ", "204 No Content", ""));
    assert_eq!(answer.unwrap().status, 204);
    assert_eq!(heard.header("authorization"), None, "no token, no header");
    assert_eq!(heard.header("content-type"), Some("application/trickle-ice-sdpfrag"));
    assert_eq!(heard.header("if-match"), Some("\"x\""));

    let delete = Request { method: Method::Delete, body: String::new(), ..request };
    let (answer, heard) = tokio::join!(bare.ask(&delete), server.answer("DELETE ", "200 OK", ""));
    assert_eq!(answer.unwrap().status, 200);
    assert_eq!(heard.header("content-type"), None);
}

#[tokio::test]
async fn what_is_no_answer_is_told_in_words() {
    let long = vec![b'x'; http::MAX_BODY + 1];
    let whole = [b"HTTP/1.1 201 Created\r\nContent-Length: 65537\r\n\r\n".to_vec(), long.clone()].concat();
    let fault = |outcome: Result<_, HttpFault>| outcome.unwrap_err();
    assert!(matches!(fault(outcome(whole).await), HttpFault::TooLarge));
    let endless = [b"HTTP/1.1 201 Created\r\n\r\n".to_vec(), long.clone()].concat();
    assert!(matches!(fault(outcome(endless).await), HttpFault::TooLarge));
    let head = [b"HTTP/1.1 201 Created\r\nX: ".to_vec(), long].concat();
    assert!(matches!(fault(outcome(head).await), HttpFault::NotHttp(_)));
    let other = fault(outcome(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()).await);
    assert!(matches!(other, HttpFault::NotHttp(_)), "{other}");
    let just_fits =
        [b"HTTP/1.1 201 Created\r\nContent-Length: 65536\r\n\r\n".to_vec(), vec![b'x'; http::MAX_BODY]];
    assert_eq!(outcome(just_fits.concat()).await.unwrap().body.len(), http::MAX_BODY);
}

#[tokio::test]
async fn a_server_that_hangs_or_hangs_up_is_not_waited_for() {
    let server = Server::listen().await;
    let asked = Request { timeout: Duration::from_millis(200), ..request(&server) };
    let (client, started) = (client(), Instant::now());
    // Nobody answers: neither at once, nor the rest of an answer that has begun.
    let silent = client.ask(&asked).await.unwrap_err();
    assert_eq!(
        silent.to_string(),
        "did not answer within 0.2 s; check that it is not overloaded, and the network"
    );
    let begun = async {
        let mut heard = server.hear().await;
        heard.stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\nv=0").await.unwrap();
        heard
    };
    server.hear().await;
    let (half, _heard) = tokio::join!(client.ask(&asked), begun);
    assert!(matches!(half.unwrap_err(), HttpFault::Timeout { .. }));
    assert!(started.elapsed() < Duration::from_secs(15));

    let (closed, ()) = tokio::join!(client.ask(&asked), async { drop(server.hear().await) });
    let closed = closed.unwrap_err().to_string();
    assert!(closed.starts_with("closed the connection before it answered"), "{closed}");
    drop(server);
    let refused = client.ask(&asked).await.unwrap_err().to_string();
    assert!(refused.starts_with("connection refused; check the port"), "{refused}");
}

/// An agent with a test picture.
struct Agent {
    control: Control,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), AgentError>>,
}

impl Agent {
    fn start(server: &Server, state: &Path) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!(
            "[meeting]\nprotocol = \"whip\"\nurl = {:?}\nusername = \"Pi\"\n\
             [capture]\nprofile = \"test-pattern\"\nwidth = 160\nheight = 120\nfps = 10\n",
            server.url()
        );
        std::fs::write(file.path(), text).unwrap();
        let env = [("ROOMCAM_TOKEN".to_owned(), "tok-en".to_owned())];
        let config = Config::load(Some(file.path()), env.into_iter(), &Overrides::default()).unwrap();
        let (control, requests) = requests(State::default());
        let state_directory = Some(state.to_owned());
        let options = RunOptions { requests: Some(requests), state_directory, ..RunOptions::default() };
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::task::spawn_local(async move {
            roomcam::agent::run(&config, options, async { drop(stopped.await) }).await
        });
        Self { control, stop, task }
    }

    /// What the status is once it is as wanted.
    async fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let status = serde_json::to_value(self.control.status().await.unwrap()).unwrap();
            if wanted(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "never {what}: {status:#}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn until_absent_for(&self, reason: &str) -> (String, f64) {
        let status = self.until(reason, |status| status["absence"]["reason"] == reason).await;
        let wait = status["next_attempt_seconds"].as_f64().unwrap_or_default();
        (status["absence"]["message"].as_str().unwrap().to_owned(), wait)
    }

    async fn stop(self) {
        drop(self.stop);
        patiently(self.task).await.unwrap().unwrap();
    }
}

async fn with_server(test: impl AsyncFnOnce(&Server, &Path)) {
    let (server, state) = (Server::listen().await, tempfile::tempdir().unwrap());
    LocalSet::new().run_until(test(&server, state.path())).await;
}

const OFFER: &str = "POST /whip/cam1?key=7 HTTP/1.1";

#[tokio::test]
async fn an_offer_is_what_media_servers_take() {
    with_server(async |server, state| {
        let agent = Agent::start(server, state);
        let offer = server.answer(OFFER, "404 Not Found", "Invalid endpoint ID").await.body;
        for line in ["a=rtcp-mux", "a=setup:actpass", "a=sendonly"] {
            assert_eq!(offer.matches(&format!("{line}\r\n")).count(), 2, "{line}: {offer}");
        }
        assert_eq!(offer.matches("a=group:BUNDLE ").count(), 1, "{offer}");
        assert_eq!(offer.matches("m=").count(), 2, "{offer}");
        assert!(!offer.contains("setup:active") && !offer.contains("m=application"), "{offer}");
        assert!(offer.contains("a=candidate:"), "{offer}");
        let (message, wait) = agent.until_absent_for("unknown-room").await;
        let url = server.url().replace("?key=7", "");
        assert_eq!(
            message,
            format!("WHIP endpoint {url}: is not known there (404): \"Invalid endpoint ID\"; check the path of meeting.url")
        );
        assert!(wait > 10.0, "tried again after {wait} s");
        agent.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_wants_to_be_left_alone_is() {
    with_server(async |server, state| {
        let agent = Agent::start(server, state);
        server.answer(OFFER, "503 Service Unavailable\r\nRetry-After: 90", "Janus unavailable").await;
        let (message, wait) = agent.until_absent_for("join-refused").await;
        assert!(message.contains("cannot take this device now (503): \"Janus unavailable\""), "{message}");
        assert!((80.0..91.0).contains(&wait), "tried again after {wait} s");
        agent.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_was_begun_is_ended_before_the_next_offer_and_by_the_next_run() {
    with_server(async |server, state| {
        let agent = Agent::start(server, state);
        server.answer(OFFER, "307 Temporary Redirect\r\nLocation: /second", "").await;
        // An answer that leads to nothing, and a session that is known.
        let heard =
            server.answer("POST /second HTTP/1.1", "201 Created\r\nLocation: session/1", "garbage").await;
        assert_eq!(heard.header("authorization"), Some("Bearer tok-en"));
        let heard = server.answer("DELETE /session/1 HTTP/1.1", "200 OK", "").await;
        assert_eq!(heard.header("authorization"), Some("Bearer tok-en"));
        server.answer(OFFER, "201 Created\r\nLocation: session/2", "garbage").await;
        let unanswered = server.hear().await;
        assert!(unanswered.head.starts_with("DELETE /whip/session/2 HTTP/1.1"), "{}", unanswered.head);
        assert!(kept(state).contains("/whip/session/2"), "{}", kept(state));
        // As if it had been killed: the task is given up without a word.
        agent.task.abort();

        let again = Agent::start(server, state);
        server.answer("DELETE /whip/session/2 HTTP/1.1", "404 Not Found", "").await;
        server.answer(OFFER, "500 Internal Server Error", "").await;
        again.stop().await;
    })
    .await;
}

fn kept(state: &Path) -> String {
    std::fs::read_to_string(state.join("whip.json")).unwrap_or_default()
}

#[tokio::test]
async fn https_is_that_of_the_relay() {
    let (server, authority) = (Server::listen().await, common::Authority::new());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &authority.pem).unwrap();
    let port = server.0.local_addr().unwrap().port();
    let secure = Request { url: format!("https://localhost:{port}/w").parse().unwrap(), ..request(&server) };
    let answer = async {
        let (stream, _) = patiently(server.0.accept()).await.unwrap();
        let Ok(mut stream) = authority.acceptor().accept(stream).await else { return };
        let mut buffer = [0; 4096];
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    };
    let trusting = HttpClient::new(None, Some(file.path().into()));
    let (answered, ()) = tokio::join!(trusting.ask(&secure), answer);
    assert_eq!(answered.unwrap().status, 204);

    let refuse = async {
        let (stream, _) = patiently(server.0.accept()).await.unwrap();
        assert!(authority.acceptor().accept(stream).await.is_err());
    };
    let doubting = HttpClient::new(None, None);
    let (refused, ()) = tokio::join!(doubting.ask(&secure), refuse);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.starts_with("TLS failed (invalid peer certificate: "), "{refused}");
}

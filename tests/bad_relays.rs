//! Relays that misbehave, one test per way: each ends the session with one clear error that names the URL and
//! what to do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{Authority, Relay, SHORT, config, next, patiently};
use futures_util::SinkExt;
use roomcam::meeting::{
    ErrorKind, Joined, OutboxLimits, Presence, ServerEvent, SessionConfig, SessionError, SessionEvent,
    SessionHandle, outbox, session,
};
use roomcam::socketio::{Endpoint, Fault, Phase};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

const PRESENCE: Presence = Presence { has_video: true, is_muted: false };

/// A session without media to send.
fn start(config: SessionConfig) -> SessionHandle {
    let (_, receiver) = outbox(OutboxLimits::default());
    session::spawn(config, PRESENCE, receiver)
}

fn impatient(relay: &Relay) -> SessionConfig {
    let mut config = config(relay);
    config.limits.connect_timeout = SHORT;
    config.join_timeout = SHORT;
    config
}

/// The error with which the session ends, as its next and last word.
async fn ended(session: &mut SessionHandle) -> SessionError {
    let SessionEvent::Ended(error) = next(session).await else { panic!("the session goes on") };
    assert!(patiently(session.events.recv()).await.is_none(), "Ended is the last event");
    error
}

async fn joined(session: &mut SessionHandle) -> Joined {
    match next(session).await {
        SessionEvent::Joined(joined) => joined,
        other => panic!("{other:?}"),
    }
}

/// The error text after `relay <url>: `, which every one begins with.
fn told(error: &SessionError, relay: &Relay) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("while joining room \"room-1\": ").unwrap_or(&text);
    let prefix = format!("relay {}: ", relay.socket_url());
    text.strip_prefix(&prefix).unwrap_or_else(|| panic!("{text:?} does not begin with {prefix:?}")).to_owned()
}

fn fault(error: SessionError) -> Fault {
    match error {
        SessionError::Connect(error)
        | SessionError::ClosedWhileJoining { error, .. }
        | SessionError::Lost(error) => error.fault,
        other => panic!("{other:?} is no fault of the connection"),
    }
}

/// How far the session had come when its time was up.
async fn timed_out(session: &mut SessionHandle) -> Phase {
    match fault(ended(session).await) {
        Fault::Timeout { phase, .. } => phase,
        other => panic!("{other}"),
    }
}

async fn answered_with(response: &str) -> String {
    let relay = Relay::listen().await;
    let mut session = start(config(&relay));
    let _stream = relay.answer(response).await;
    told(&ended(&mut session).await, &relay)
}

#[tokio::test]
async fn html() {
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 15\r\n\r\n<!DOCTYPE html>";
    assert_eq!(
        answered_with(page).await,
        "answered 200 with a page (text/html) instead of a WebSocket; check that the URL is a Socket.IO relay's, and \
         whether this network wants people to sign in first"
    );
}

#[tokio::test]
async fn a_refusal_of_the_embedded_relay() {
    let body = r#"{"error":"this relay has as many sessions as it takes; try again when somebody has left","code":"relay_full"}"#;
    let length = body.len();
    let head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json";
    assert_eq!(
        answered_with(&format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}")).await,
        "answered 503: this relay has as many sessions as it takes; try again when somebody has left"
    );
}

#[tokio::test]
async fn not_found() {
    assert_eq!(
        answered_with("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await,
        "answered 404 not found; a Socket.IO relay is not at this address, check host, port and path"
    );
}

#[tokio::test]
async fn a_redirect() {
    assert_eq!(
        answered_with(
            "HTTP/1.1 301 Moved Permanently\r\nLocation: https://new.example/\r\nContent-Length: 0\r\n\r\n"
        )
        .await,
        "redirected (301) to https://new.example/; put the address it leads to into the URL, unless it is where this \
         network wants people to sign in"
    );
}

#[tokio::test]
async fn a_refused_engine_io_version() {
    assert_eq!(
        answered_with(
            "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-type: text/html\r\nContent-Length: 28\r\n\r\nUnsupported protocol version"
        )
        .await,
        "speaks another protocol version (it refused EIO=4); it has to be socket.io 3 or 4 (Engine.IO 4)"
    );
}

#[tokio::test]
async fn a_server_that_is_no_http() {
    assert_eq!(
        answered_with("SSH-2.0-OpenSSH_9.2\r\n\r\n").await,
        "does not speak WebSocket (WebSocket protocol error: httparse error: invalid HTTP version); check the port, and proxies on the way"
    );
}

#[tokio::test]
async fn socket_io_2() {
    let relay = Relay::listen().await;
    let mut session = start(config(&relay));
    let mut server = relay.accept().await;
    server.say(r#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":5000}"#).await;
    server.say("40").await;
    assert_eq!(
        told(&ended(&mut session).await, &relay),
        "speaks another protocol version (its CONNECT has no sid, as in Socket.IO 2); it has to be socket.io 3 or 4 (Engine.IO 4)"
    );
}

#[tokio::test]
async fn a_text_frame_of_garbage() {
    let relay = Relay::listen().await;
    let mut session = start(config(&relay));
    let mut server = relay.accept().await;
    server.say("hello there").await;
    assert_eq!(
        told(&ended(&mut session).await, &relay),
        "sent a text frame that starts with 'h', which is no Engine.IO 4 packet type; it is no Socket.IO 4 relay, or a proxy damages the frames"
    );
}

#[tokio::test]
async fn a_valid_packet_where_the_open_packet_is_due() {
    let relay = Relay::listen().await;
    let mut session = start(config(&relay));
    let mut server = relay.accept().await;
    server.say(r#"42["welcome"]"#).await;
    assert_eq!(
        told(&ended(&mut session).await, &relay),
        "sent a message where the open packet was due; it is no Socket.IO 4 relay"
    );
}

#[tokio::test]
async fn bytes_that_are_no_websocket_frame() {
    let relay = Relay::listen().await;
    let mut session = start(config(&relay));
    let mut server = relay.accept().await;
    server.join("room-1").await;
    joined(&mut session).await;
    server.0.get_mut().write_all(&[0xff; 64]).await.unwrap();
    assert_eq!(
        told(&ended(&mut session).await, &relay),
        "does not speak WebSocket (WebSocket protocol error: Encountered invalid opcode: 15); check the port, and proxies on the way"
    );
}

#[tokio::test]
async fn a_text_that_is_no_utf_8() {
    let relay = Relay::listen().await;
    let mut session = start(config(&relay));
    let mut server = relay.accept().await;
    server.join("room-1").await;
    joined(&mut session).await;
    server.0.get_mut().write_all(&[0x81, 2, 0xc3, 0x28]).await.unwrap();
    let text = told(&ended(&mut session).await, &relay);
    assert!(text.starts_with("does not speak WebSocket (UTF-8 encoding error"), "{text}");
}

#[tokio::test]
async fn a_binary_frame_without_a_header() {
    let relay = Relay::listen().await;
    let mut session = start(config(&relay));
    let mut server = relay.accept().await;
    server.join("room-1").await;
    joined(&mut session).await;
    server.say_bytes(b"media").await;
    assert_eq!(
        told(&ended(&mut session).await, &relay),
        "sent a binary frame that no packet announced; it is no Socket.IO 4 relay, or a proxy damages the frames"
    );
}

#[tokio::test]
async fn no_ping() {
    let relay = Relay::listen().await;
    let mut session = start(config(&relay));
    let mut server = relay.accept().await;
    server.open_with(200, 100, 1000).await;
    common::text(&mut server).await;
    server.say(r#"40{"sid":"socket"}"#).await;
    server.answer_join("room-1").await;
    joined(&mut session).await;
    // Other packets are no ping (docs/protocol.md §1.2).
    server.say("6").await;
    assert_eq!(
        told(&ended(&mut session).await, &relay),
        "sent no ping for 0.3 s; the connection counts as dead"
    );
}

#[tokio::test]
async fn a_close_in_the_middle_of_the_join() {
    let relay = Relay::listen().await;
    let mut session = start(config(&relay));
    let mut server = relay.accept().await;
    server.connect().await;
    common::text(&mut server).await;
    drop(server);
    let error = ended(&mut session).await;
    assert!(error.to_string().starts_with("while joining room \"room-1\": "), "{error}");
    assert_eq!(told(&error, &relay), "closed the connection (without saying why); the relay's log says why");
}

#[tokio::test]
async fn closes_that_say_something() {
    for (goodbye, told_why) in
        [(Message::text("1"), "it said it would"), (Message::Close(None), "without saying why")]
    {
        let relay = Relay::listen().await;
        let mut session = start(config(&relay));
        let mut server = relay.accept().await;
        server.join("room-1").await;
        joined(&mut session).await;
        server.0.send(goodbye).await.unwrap();
        assert_eq!(
            told(&ended(&mut session).await, &relay),
            format!("closed the connection ({told_why}); the relay's log says why")
        );
    }
}

#[tokio::test]
async fn a_disconnect_without_a_word() {
    let relay = Relay::listen().await;
    let mut session = start(config(&relay));
    let mut server = relay.accept().await;
    server.join("room-1").await;
    joined(&mut session).await;
    server.say("41").await;
    let error = ended(&mut session).await;
    assert!(matches!(error, SessionError::Disconnected { .. }), "{error:?}");
    assert_eq!(
        told(&error, &relay),
        "disconnected us without saying why; most likely another login of the same user took the seat: give this \
         device a user id of its own"
    );

    // Before the join is done there is no seat to take.
    let relay = Relay::listen().await;
    let mut session = start(config(&relay));
    let mut server = relay.accept().await;
    server.connect().await;
    server.say("41").await;
    assert_eq!(told(&ended(&mut session).await, &relay), "disconnected us; the relay's log says why");
}

#[tokio::test]
async fn the_state_of_another_room() {
    let relay = Relay::listen().await;
    let mut session = start(config(&relay));
    let mut server = relay.accept().await;
    server.join("room-2").await;
    assert_eq!(
        told(&ended(&mut session).await, &relay),
        "joined room \"room-2\" when asked for \"room-1\"; check the room's name and the relay"
    );
}

#[tokio::test]
async fn a_room_state_of_nonsense() {
    let relay = Relay::listen().await;
    let mut session = start(config(&relay));
    let mut server = relay.accept().await;
    server.connect().await;
    server.say(r#"42["room-state",17]"#).await;
    assert_eq!(
        told(&ended(&mut session).await, &relay),
        "sent a room-state that makes no sense (invalid type: integer `17`, expected struct RoomState at line 1 column 16); check that it is a meeting relay"
    );
}

#[tokio::test]
async fn silence_at_each_step() {
    // TCP, but no HTTP.
    let relay = Relay::listen().await;
    let mut session = start(impatient(&relay));
    let _stream = relay.accept_tcp().await;
    let error = ended(&mut session).await;
    assert_eq!(
        told(&error, &relay),
        "no answer to the WebSocket request within 0.3 s; check that the URL is the relay's and that it is not overloaded"
    );

    // A WebSocket, but no open packet.
    let relay = Relay::listen().await;
    let mut session = start(impatient(&relay));
    let _server = relay.accept().await;
    assert_eq!(timed_out(&mut session).await, Phase::Open);

    // An open packet, but no answer to CONNECT.
    let relay = Relay::listen().await;
    let mut session = start(impatient(&relay));
    let mut server = relay.accept().await;
    server.open().await;
    assert_eq!(timed_out(&mut session).await, Phase::Connect);

    // Connected, but no room-state.
    let relay = Relay::listen().await;
    let mut session = start(impatient(&relay));
    let mut server = relay.accept().await;
    server.connect().await;
    assert_eq!(
        told(&ended(&mut session).await, &relay),
        "no room-state for room \"room-1\" within 0.3 s of join-room; check that it is a meeting relay"
    );
}

#[tokio::test]
async fn refused_credentials() {
    for refusal in [r#"44{"message":"invalid token"}"#, r#"44"invalid token""#] {
        let relay = Relay::listen().await;
        let mut session = start(config(&relay));
        let mut server = relay.accept().await;
        server.open().await;
        server.say(refusal).await;
        assert_eq!(
            told(&ended(&mut session).await, &relay),
            "refused the credentials: invalid token; check the token and the user id"
        );
    }
}

#[tokio::test]
async fn refused_joins() {
    for (message, expected) in [
        (
            "The room is full",
            "refused the join of room \"room-1\": The room is full; ask whoever runs the meeting",
        ),
        (
            "Room not found",
            "knows no room \"room-1\": Room not found; check meeting.room, and that the meeting exists",
        ),
        ("인증이 필요합니다", "refused the credentials: 인증이 필요합니다; check the token and the user id"),
        (
            "종료된 회의입니다",
            "the meeting in room \"room-1\" is over; for another meeting, put its id into meeting.room",
        ),
    ] {
        let relay = Relay::listen().await;
        let mut session = start(config(&relay));
        let mut server = relay.accept().await;
        server.connect().await;
        server.say(&format!(r#"42["error",{{"message":"{message}"}}]"#)).await;
        assert_eq!(told(&ended(&mut session).await, &relay), expected);
    }
}

#[tokio::test]
async fn another_login_of_the_same_user() {
    let relay = Relay::listen().await;
    let mut session = start(config(&relay));
    let mut server = relay.accept().await;
    server.join("room-1").await;
    joined(&mut session).await;
    let message = "다른 기기에서 로그인되어 연결이 종료됩니다";
    server.say(&format!(r#"42["error",{{"message":"{message}"}}]"#)).await;
    server.say("41").await;
    let SessionEvent::Event(heard) = next(&mut session).await else { panic!() };
    assert_eq!(heard, ServerEvent::Error { message: message.into(), kind: ErrorKind::Superseded });
    assert_eq!(
        told(&ended(&mut session).await, &relay),
        format!(
            "another login of the same user took the seat: {message}; give this device a user id of its own"
        )
    );
}

#[tokio::test]
async fn the_end_of_the_meeting_and_errors_after_the_join_do_not_end_the_session() {
    let relay = Relay::listen().await;
    let mut session = start(config(&relay));
    let mut server = relay.accept().await;
    server.join("room-1").await;
    joined(&mut session).await;
    server.say(r#"42["room-ended"]"#).await;
    assert!(matches!(next(&mut session).await, SessionEvent::Event(ServerEvent::RoomEnded)));
    server.say(r#"42["error",{"message":"chat is off"}]"#).await;
    assert!(matches!(next(&mut session).await, SessionEvent::Event(ServerEvent::Error { .. })));
    server.say("2").await;
    assert_eq!(common::text(&mut server).await, "3");
}

#[tokio::test]
async fn nobody_listens() {
    let relay = Relay::listen().await;
    let config = config(&relay);
    let url = relay.socket_url();
    drop(relay);
    let error = ended(&mut start(config)).await;
    assert_eq!(
        error.to_string(),
        format!("relay {url}: connection refused; check the port, and whether the relay is running")
    );
}

#[tokio::test]
async fn a_machine_that_does_not_answer_is_told_of_in_the_same_words_each_time() {
    // Once its queue is full, the kernel answers nobody who knocks at this port.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let silent = socket.listen(0).unwrap();
    let address = silent.local_addr().unwrap();
    let _waiting = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut told = BTreeSet::new();
    for _ in 0..20 {
        let mut config =
            SessionConfig::new(Endpoint::new(&format!("http://{address}")).unwrap(), "room-1", "Pi");
        config.limits.connect_timeout = Duration::from_millis(100);
        told.insert(ended(&mut start(config)).await.to_string());
    }

    let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
    let text =
        "no TCP connection within 0.1 s; check that the URL is the relay's and that it is not overloaded";
    assert_eq!(told, BTreeSet::from([format!("relay {url}: {text}")]));
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    let mut config = config(&Relay::listen().await);
    config.endpoint = Endpoint::new("http://relay.invalid:3000").unwrap();
    let text = ended(&mut start(config)).await.to_string();
    let prefix =
        "relay ws://relay.invalid:3000/socket.io/?EIO=4&transport=websocket: cannot resolve relay.invalid (";
    assert!(text.starts_with(prefix), "{text}");
    assert!(text.ends_with("); check the host in the URL and the device's DNS"), "{text}");
}

fn over_tls(relay: &Relay) -> SessionConfig {
    let mut config = config(relay);
    config.endpoint = Endpoint::new(&relay.url().replace("http://127.0.0.1", "https://localhost")).unwrap();
    config
}

const TLS_REMEDY: &str = "; check the relay's certificate, the device's clock, and that the port speaks https \
                          (a private authority goes into ca_file)";

#[tokio::test]
async fn a_certificate_of_an_unknown_authority() {
    let relay = Relay::listen().await;
    let mut session = start(over_tls(&relay));
    assert!(relay.accept_tls(Authority::new().acceptor()).await.is_err());
    let error = ended(&mut session).await;
    assert!(
        error
            .to_string()
            .ends_with(&format!("TLS failed (invalid peer certificate: UnknownIssuer){TLS_REMEDY}")),
        "{error}"
    );
}

#[tokio::test]
async fn a_certificate_that_has_expired() {
    let relay = Relay::listen().await;
    let authority = Authority::until(2020);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &authority.pem).unwrap();
    let mut config = over_tls(&relay);
    config.endpoint.ca_file = Some(file.path().to_owned());
    let mut session = start(config);
    assert!(relay.accept_tls(authority.acceptor()).await.is_err());
    let text = ended(&mut session).await.to_string();
    // Without the time of day, which would make it news each time.
    assert!(text.ends_with(&format!("TLS failed (the certificate has expired){TLS_REMEDY}")), "{text}");
}

#[tokio::test]
async fn a_port_without_tls() {
    let relay = Relay::listen().await;
    let mut session = start(over_tls(&relay));
    let mut stream = relay.accept_tcp().await;
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let error = ended(&mut session).await;
    assert!(
        error.to_string().ends_with(&format!(
            "TLS failed (received corrupt message of type InvalidContentType){TLS_REMEDY}"
        )),
        "{error}"
    );
}

#[tokio::test]
async fn a_ca_file_that_is_none() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for (path, why) in [
        (file.path().to_owned(), "it contains no certificate"),
        ("/nonexistent.pem".into(), "I/O error: No such file or directory (os error 2)"),
    ] {
        let relay = Relay::listen().await;
        let mut config = over_tls(&relay);
        config.endpoint.ca_file = Some(path.clone());
        let mut session = start(config);
        let _stream = relay.accept_tcp().await;
        let error = ended(&mut session).await;
        let expected = format!(
            "cannot use the CA file {}: {why}; it has to be a PEM file with certificates",
            path.display()
        );
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
}

#[tokio::test]
async fn a_flood_of_pings_whose_answers_nobody_reads() {
    // At most one pong is kept, and what comes after the flood is still heard.
    let relay = Relay::listen().await;
    let mut session = start(config(&relay));
    let mut server = relay.accept().await;
    server.join("room-1").await;
    joined(&mut session).await;
    for _ in 0..20_000 {
        server.0.feed(Message::text("2")).await.unwrap();
    }
    server.say(r#"42["user-joined",{"userId":"bob"}]"#).await;
    assert!(matches!(next(&mut session).await, SessionEvent::Event(ServerEvent::UserJoined(_))));
    drop(server);
    let error = tokio::time::timeout(Duration::from_secs(5), ended(&mut session)).await.unwrap();
    assert!(matches!(fault(error), Fault::Closed(_)));
}

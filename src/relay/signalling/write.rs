//! What clients hear, as the JSON array of an event. Pure. `None` where a dialect has no word for it.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::RoomDialect;
use super::read::{Signal, Step};
use crate::config::IceServer;
use crate::meeting::mesh::Form;
use crate::relay::dialect::Participant;
use crate::relay::refusal::{Code, Refusal};
use crate::relay::session::Sid;
use crate::rtc::turn_credentials;

/// A newcomer hears that it is in the room, and who else is.
pub(super) fn joined(dialect: RoomDialect, all: &[Participant], newcomer: Sid) -> Option<String> {
    let own = newcomer.to_string();
    let array = match dialect {
        RoomDialect::Mesh => {
            let others = all.iter().filter(|participant| participant.socket_id != own);
            json!(["existing-users", { "users": others.map(user).collect::<Vec<_>>() }])
        }
        RoomDialect::Noom(Form::Mesh) => {
            // The newcomer is the last, in the order of joining.
            let entry = |who: &Participant| json!({ "socketId": who.socket_id, "nickname": who.username });
            json!(["accept_join", all.iter().map(entry).collect::<Vec<_>>()])
        }
        RoomDialect::Relay | RoomDialect::Noom(Form::Object | Form::Args) => return None,
    };
    Some(array.to_string())
}

/// A participant hears of STUN and TURN servers, as WebRTC's `RTCIceServer` has them. A word of this relay, which others ignore.
pub(super) fn ice_servers(servers: &[IceServer], now: SystemTime) -> String {
    let entry = |server: &IceServer| {
        let urls: Vec<String> = server.urls.iter().map(ToString::to_string).collect();
        match &server.credentials {
            Some(credentials) => {
                let shown = turn_credentials(credentials, now);
                json!({ "urls": urls, "username": shown.username(), "credential": shown.password() })
            }
            None => json!({ "urls": urls }),
        }
    };
    json!(["ice-servers", servers.iter().map(entry).collect::<Vec<_>>()]).to_string()
}

/// The others hear of a newcomer.
pub(super) fn came(dialect: RoomDialect, newcomer: &Participant) -> Option<String> {
    let array = match dialect {
        RoomDialect::Mesh => json!(["user-joined", user(newcomer)]),
        RoomDialect::Noom(Form::Object | Form::Args) => json!(["welcome"]),
        RoomDialect::Relay | RoomDialect::Noom(Form::Mesh) => return None,
    };
    Some(array.to_string())
}

/// A participant of "mesh". `watch` is a word of this relay: pages that only watch need no connection to each other.
fn user(participant: &Participant) -> Value {
    let mut user = json!({ "sid": participant.socket_id, "username": participant.username });
    if participant.watches {
        user["watch"] = true.into();
    }
    user
}

/// The others hear that somebody has left.
pub(super) fn left(dialect: RoomDialect, gone: &Participant) -> Option<String> {
    let array = match dialect {
        RoomDialect::Mesh => json!(["user-left", { "sid": gone.socket_id, "username": gone.username }]),
        RoomDialect::Noom(Form::Object | Form::Args) => json!(["bye"]),
        RoomDialect::Noom(Form::Mesh) => json!(["leave_room", gone.socket_id, gone.username]),
        RoomDialect::Relay => return None,
    };
    Some(array.to_string())
}

/// A newcomer hears that it is not let in, besides the `error` that says why.
pub(super) fn refused(dialect: RoomDialect, refusal: &Refusal) -> Option<String> {
    let event = match (dialect, refusal.code) {
        (RoomDialect::Noom(_), Code::RoomFull) => "room_full",
        (RoomDialect::Noom(_), _) => "reject_join",
        _ => return None,
    };
    Some(json!([event, { "message": refusal.message }]).to_string())
}

/// A participant hears a signal of another one.
pub(super) fn signal(dialect: RoomDialect, signal: &Signal<'_>, from: Sid, username: &str) -> String {
    let body = signal.body.get();
    let (mesh, noom) = match signal.step {
        Step::Offer => (("offer", "offer"), "offer"),
        Step::Answer => (("answer", "answer"), "answer"),
        Step::Candidate => (("ice-candidate", "candidate"), "ice"),
    };
    match dialect {
        RoomDialect::Relay | RoomDialect::Mesh => {
            let (event, field) = mesh;
            format!(r#"["{event}",{{"{field}":{body},"from":"{from}"}}]"#)
        }
        // Documented and deployed pages differ.
        RoomDialect::Noom(Form::Object) if signal.step == Step::Candidate => {
            format!(r#"["ice",{{"ice":{body},"candidate":{body}}}]"#)
        }
        RoomDialect::Noom(Form::Object) => format!(r#"["{noom}",{{"{noom}":{body}}}]"#),
        RoomDialect::Noom(Form::Args) => format!(r#"["{noom}",{body}]"#),
        RoomDialect::Noom(Form::Mesh) => {
            format!(r#"["{noom}",{body},"{from}",{}]"#, Value::from(username))
        }
    }
}

/// The others hear that a camera or a microphone is on or off: `video-toggled` or `audio-toggled`.
pub(super) fn toggled(event: &str, whose: Sid, on: bool) -> String {
    json!([event, { "sid": whose.to_string(), "enabled": on }]).to_string()
}

/// A line of chat; `timestamp` is the time since 1970 at the relay.
pub(super) fn chat(
    dialect: RoomDialect,
    from: Sid,
    username: &str,
    text: &str,
    timestamp: Duration,
) -> String {
    let milliseconds = u64::try_from(timestamp.as_millis()).unwrap_or(u64::MAX);
    match dialect {
        RoomDialect::Noom(_) => json!(["chat", text]),
        RoomDialect::Relay | RoomDialect::Mesh => json!(["message", {
            "sid": from.to_string(), "username": username, "message": text, "timestamp": milliseconds,
        }]),
    }
    .to_string()
}

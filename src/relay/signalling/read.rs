//! What clients ask, in whichever dialect. Pure. Bodies that are passed on stay the JSON that they came as.

use serde_json::value::RawValue;

use super::{JoinRoom, RoomDialect};
use crate::meeting::mesh::Form;
use crate::meeting::mesh::payload::{self, Raw, fields};
use crate::relay::session::Sid;
use crate::socketio::Event;

/// What a client asks.
#[derive(Debug)]
pub(super) enum Asked<'a> {
    /// Something for another participant.
    Signal(Signal<'a>),
    /// Its camera is on or off.
    Camera { on: bool },
    /// Its microphone is unmuted or muted.
    Mic { on: bool },
    /// A line of chat, under a name if the client says which.
    Chat { username: Option<String>, text: String },
}

/// A step of a negotiation.
#[derive(Debug)]
pub(super) struct Signal<'a> {
    pub step: Step,
    /// For whom; `None` in a one-to-one room.
    pub to: Option<Sid>,
    pub body: &'a RawValue,
    /// The description in it, if it is one.
    pub sdp: Option<String>,
}

/// Which step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Offer,
    Answer,
    Candidate,
}

/// The dialect that a `join_room` is in, and what it asks for.
pub(in crate::relay) fn read_join(event: &Event) -> Option<(RoomDialect, JoinRoom)> {
    let [first, second] = payload::arguments(event.json())?;
    let [room_id, room_name, username, watch] = fields(first, ["room_id", "roomName", "username", "watch"]);
    let (dialect, room, username) = match (room_id, room_name) {
        (Some(_), _) => (RoomDialect::Mesh, room_id, username),
        (None, Some(_)) => (RoomDialect::Noom(Form::Object), room_name, None),
        (None, None) if second.is_some() => (RoomDialect::Noom(Form::Mesh), first, second),
        (None, None) => (RoomDialect::Noom(Form::Args), first, None),
    };
    let watch = payload::flag(watch).unwrap_or(false);
    let wish = JoinRoom {
        room_id: payload::name(room)?,
        username: payload::name(username),
        avatar_url: None,
        has_video: !watch,
        is_muted: watch,
        watch,
    };
    Some((dialect, wish))
}

/// What an event asks that is no join; `Ok(None)` for one that the relay ignores.
pub(super) fn read(dialect: RoomDialect, event: &Event) -> Result<Option<Asked<'_>>, &'static str> {
    let arguments = payload::arguments(event.json()).ok_or("it is no JSON")?;
    match dialect {
        RoomDialect::Relay => Ok(None),
        RoomDialect::Mesh => read_mesh(event.name(), arguments[0]),
        RoomDialect::Noom(form) => read_noom(form, event.name(), arguments),
    }
}

fn read_mesh<'a>(event: &str, argument: Raw<'a>) -> Result<Option<Asked<'a>>, &'static str> {
    let signal = |step, body| {
        let [target, body] = fields(argument, ["target", body]);
        self::signal(step, Some(target), body)
    };
    let enabled = || {
        let [enabled] = fields(argument, ["enabled"]);
        payload::flag(enabled).ok_or("it does not say whether it is on")
    };
    Ok(Some(match event {
        "offer" => return signal(Step::Offer, "offer"),
        "answer" => return signal(Step::Answer, "answer"),
        "ice_candidate" => return signal(Step::Candidate, "candidate"),
        "toggle_video" => Asked::Camera { on: enabled()? },
        "toggle_audio" => Asked::Mic { on: enabled()? },
        "message" => {
            let [text, username] = fields(argument, ["message", "username"]);
            Asked::Chat {
                username: payload::name(username),
                text: payload::text(text).ok_or("it has no text")?,
            }
        }
        _ => return Ok(None),
    }))
}

fn read_noom<'a>(
    form: Form,
    event: &str,
    [first, second]: [Raw<'a>; 2],
) -> Result<Option<Asked<'a>>, &'static str> {
    let (step, names) = match event {
        "offer" => (Step::Offer, ["offer"; 2]),
        "answer" => (Step::Answer, ["answer"; 2]),
        // Documented and deployed pages differ.
        "ice" => (Step::Candidate, ["ice", "candidate"]),
        "chat" if form == Form::Mesh => {
            let text = payload::text(first).ok_or("it has no text")?;
            return Ok(Some(Asked::Chat { username: None, text }));
        }
        _ => return Ok(None),
    };
    let body = match form {
        Form::Object => {
            let [one, other] = fields(first, names);
            one.or(other)
        }
        Form::Args | Form::Mesh => first,
    };
    signal(step, (form == Form::Mesh).then_some(second), body)
}

/// `target` is none in a one-to-one room.
fn signal<'a>(step: Step, target: Option<Raw<'a>>, body: Raw<'a>) -> Result<Option<Asked<'a>>, &'static str> {
    let sdp = match step {
        Step::Offer | Step::Answer => Some(payload::description(body).ok_or("it has no description")?),
        // What closes a list of candidates.
        Step::Candidate if payload::candidate(body)?.is_none() => return Ok(None),
        Step::Candidate => None,
    };
    let to = match target {
        Some(target) => {
            let id = payload::id(target).ok_or("it does not say for whom")?;
            // Nobody has another kind of id.
            let Some(sid) = Sid::parse(id.as_str()) else { return Ok(None) };
            Some(sid)
        }
        None => None,
    };
    Ok(body.map(|body| Asked::Signal(Signal { step, to, body, sdp })))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(json: &Value) -> Event {
        Event::from_json(&json.to_string()).unwrap()
    }

    fn dialect_of(json: &Value) -> Option<(RoomDialect, String, bool)> {
        read_join(&event(json)).map(|(dialect, wish)| (dialect, wish.room_id, wish.watch))
    }

    #[test]
    fn a_join_shows_the_dialect() {
        let of = |json: Value| dialect_of(&json);
        let room = || "r".to_owned();
        assert_eq!(
            of(json!(["join_room", { "room_id": "r", "username": "Ann", "user_id": null }])),
            Some((RoomDialect::Mesh, room(), false))
        );
        assert_eq!(
            of(json!(["join_room", { "room_id": "r", "watch": true }])),
            Some((RoomDialect::Mesh, room(), true))
        );
        let noom = |form| Some((RoomDialect::Noom(form), room(), false));
        assert_eq!(of(json!(["join_room", { "roomName": "r" }])), noom(Form::Object));
        assert_eq!(of(json!(["join_room", "r"])), noom(Form::Args));
        assert_eq!(of(json!(["join_room", "r", "Ann"])), noom(Form::Mesh));
        for none in [json!(["join_room"]), json!(["join_room", {}]), json!(["join_room", [], {}])] {
            assert_eq!(of(none), None);
        }
    }

    #[test]
    fn what_makes_no_sense_is_told_apart_from_what_is_ignored() {
        let mesh = |json: Value| read(RoomDialect::Mesh, &event(&json)).map(|asked| asked.is_some());
        let target = Sid::new().to_string();
        let offer = json!({ "type": "offer", "sdp": "v=0" });
        assert_eq!(mesh(json!(["offer", { "target": target, "offer": offer }])), Ok(true));
        assert_eq!(mesh(json!(["offer", { "target": "nobody", "offer": offer }])), Ok(false));
        assert_eq!(mesh(json!(["offer", { "target": target }])), Err("it has no description"));
        assert_eq!(mesh(json!(["offer", { "offer": offer }])), Err("it does not say for whom"));
        assert_eq!(mesh(json!(["ice_candidate", { "target": target, "candidate": null }])), Ok(false));
        assert_eq!(mesh(json!(["toggle_video", {}])), Err("it does not say whether it is on"));
        assert_eq!(mesh(json!(["screen_share", { "sharing": true }])), Ok(false));
        let long = json!({ "candidate": "x".repeat(1025) });
        assert_eq!(
            mesh(json!(["ice_candidate", { "target": target, "candidate": long }])),
            Err("its candidate is too long")
        );
    }

    #[test]
    fn the_forms_of_noom_differ_in_where_the_body_stands() {
        let body = |form, json: Value| {
            let event = event(&json);
            match read(RoomDialect::Noom(form), &event) {
                Ok(Some(Asked::Signal(signal))) => {
                    (signal.body.get().to_owned(), signal.to.map(|sid| sid.to_string()))
                }
                other => panic!("{other:?}"),
            }
        };
        let ice = json!({ "candidate": "candidate:1" });
        let (raw, sid) = (ice.to_string(), Sid::new().to_string());
        for name in ["ice", "candidate"] {
            assert_eq!(
                body(Form::Object, json!(["ice", { name: ice, "roomName": "r" }])),
                (raw.clone(), None)
            );
        }
        assert_eq!(body(Form::Args, json!(["ice", ice, "r"])), (raw.clone(), None));
        assert_eq!(body(Form::Mesh, json!(["ice", ice, sid])), (raw, Some(sid)));
    }
}

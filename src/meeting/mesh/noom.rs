//! The dialect "noom" (docs/signalling.md §2), in its three forms.

use serde_json::{Value, json};

use super::dialect::{Form, Place, candidate, description};
use super::payload::{self, Raw, fields};
use super::signal::{Departed, Heard, Participant, ParticipantId, Said, Signal, Step};
use crate::meeting::event::EncodeError;
use crate::socketio::Event;

/// The ack id of `join_room`: some servers call the acknowledgement without looking whether one is asked for. No other
/// event asks for one.
const JOIN_ACK: u64 = 0;

pub(super) fn write(form: Form, said: &Said, place: &Place) -> Result<Option<Event>, EncodeError> {
    let room = || Value::from(place.room.as_str());
    let name = || Value::from(place.username.as_str());
    Ok(Some(match said {
        Said::Join => {
            let join = match form {
                Form::Object => event("join_room", [json!({ "roomName": room() })]),
                Form::Args => event("join_room", [room()]),
                Form::Mesh => event("join_room", [room(), name()]),
            };
            join?.with_ack(JOIN_ACK)
        }
        Said::Signal(Signal { peer, step }) => {
            let (kind, body) = match step {
                Step::Offer(sdp) => ("offer", description("offer", sdp)),
                Step::Answer(sdp) => ("answer", description("answer", sdp)),
                Step::Candidate(each) => ("ice", candidate(each)),
            };
            match form {
                // The server passes on the one that it knows by name.
                Form::Object if kind == "ice" => {
                    event("ice", [json!({ "ice": body, "candidate": body, "roomName": room() })])
                }
                Form::Object => event(kind, [json!({ kind: body, "roomName": room() })]),
                Form::Args => event(kind, [body, room()]),
                Form::Mesh if kind == "offer" => event(kind, [body, peer.as_str().into(), name()]),
                Form::Mesh => event(kind, [body, peer.as_str().into()]),
            }?
        }
        Said::Chat(text) if form == Form::Mesh => event("chat", [text.as_str().into(), room()])?,
        // Chat goes through the data channel; pages learn of cameras and microphones from the media alone.
        Said::Chat(_) | Said::Camera { .. } | Said::Mic { .. } => return Ok(None),
    }))
}

fn event<const N: usize>(name: &str, arguments: [Value; N]) -> Result<Event, EncodeError> {
    let array: Vec<Value> = std::iter::once(Value::from(name)).chain(arguments).collect();
    Ok(Event::from_json(&Value::from(array).to_string())?)
}

pub(super) fn read(form: Form, event: &Event) -> Heard {
    let name = event.name();
    if !["welcome", "accept_join", "offer", "answer", "ice", "chat"].contains(&name)
        && !["bye", "leave", "leave_room", "room_full", "reject_join"].contains(&name)
    {
        return Heard::Ignored;
    }
    let malformed = |why| Heard::Malformed { event: name.to_owned(), why };
    let Some(arguments) = payload::arguments(event.json()) else { return malformed("it is no JSON") };
    read_arguments(form, name, arguments).unwrap_or_else(malformed)
}

fn read_arguments(form: Form, event: &str, [first, second]: [Raw<'_>; 2]) -> Result<Heard, &'static str> {
    let one_to_one = form != Form::Mesh;
    Ok(match event {
        "welcome" if one_to_one => {
            Heard::Came(Participant { id: ParticipantId::other(), user_id: None, name: payload::name(first) })
        }
        "accept_join" if !one_to_one => {
            Heard::Joined(payload::participants(first, participant).ok_or("it lists nobody")?)
        }
        "offer" | "answer" | "ice" => {
            let peer = match form {
                Form::Mesh => payload::id(second).ok_or("it does not say from whom")?,
                Form::Object | Form::Args => ParticipantId::other(),
            };
            let step = match event {
                "ice" => match payload::candidate(candidate_of(form, first))? {
                    Some(candidate) => Step::Candidate(candidate),
                    None => return Ok(Heard::Ignored),
                },
                _ => {
                    let body = if form == Form::Object { fields(first, [event])[0] } else { first };
                    let sdp = payload::description(body).ok_or("it has no description")?;
                    if event == "offer" { Step::Offer(sdp) } else { Step::Answer(sdp) }
                }
            };
            Heard::Signal(Signal { peer, step })
        }
        "bye" | "leave" | "leave_room" if one_to_one => {
            Heard::Left(Departed { id: Some(ParticipantId::other()), user_id: None })
        }
        "leave_room" => Heard::Left(Departed {
            id: Some(payload::id(first).ok_or("it does not say who")?),
            user_id: None,
        }),
        "chat" if !one_to_one => {
            Heard::Chat { from: None, text: payload::text(first).ok_or("it has no text")? }
        }
        "room_full" => Heard::Refused("the room is full".to_owned()),
        "reject_join" => {
            let why = payload::text(fields(first, ["message"])[0]);
            Heard::Refused(
                why.unwrap_or_else(|| "the join was rejected; most likely the room is full".to_owned()),
            )
        }
        _ => Heard::Ignored,
    })
}

/// The candidate in an `ice` event: in the object form under one of two names.
fn candidate_of(form: Form, first: Raw<'_>) -> Raw<'_> {
    if form != Form::Object {
        return first;
    }
    let [ice, candidate] = fields(first, ["ice", "candidate"]);
    ice.or(candidate)
}

fn participant(raw: Raw<'_>) -> Option<Participant> {
    let [id, name] = fields(raw, ["socketId", "nickname"]);
    Some(Participant { id: payload::id(id)?, user_id: None, name: payload::name(name) })
}

//! The dialect "mesh" (docs/signalling.md §1): each event has one object, and signals are addressed by socket id.

use serde_json::{Map, Value};

use super::dialect::{Place, candidate, description};
use super::names::{Name, Names};
use super::payload::{self, Raw, fields};
use super::signal::{Departed, Heard, Participant, Said, Signal, Step};
use crate::meeting::event::EncodeError;
use crate::socketio::Event;

pub(super) fn write(names: &Names, said: &Said, place: &Place) -> Result<Event, EncodeError> {
    let (event, fields) = match said {
        Said::Join => (
            Name::Join,
            vec![
                (Name::Room, place.room.as_str().into()),
                (Name::Username, place.username.as_str().into()),
                (Name::UserId, place.user_id.clone().into()),
            ],
        ),
        Said::Signal(Signal { peer, step }) => {
            let (event, field, body) = match step {
                Step::Offer(sdp) => (Name::Offer, Name::OfferBody, description("offer", sdp)),
                Step::Answer(sdp) => (Name::Answer, Name::AnswerBody, description("answer", sdp)),
                Step::Candidate(each) => (Name::SendCandidate, Name::Candidate, candidate(each)),
            };
            (event, vec![(Name::Target, peer.as_str().into()), (field, body)])
        }
        Said::Camera { on } => (Name::SendVideo, vec![(Name::Enabled, (*on).into())]),
        Said::Mic { on } => (Name::SendAudio, vec![(Name::Enabled, (*on).into())]),
        Said::Chat(text) => (Name::Chat, vec![(Name::Text, text.as_str().into())]),
    };
    let object: Map<String, Value> =
        fields.into_iter().map(|(field, value)| (names.get(field).to_owned(), value)).collect();
    Ok(Event::new(names.get(event), &object)?)
}

pub(super) fn read(names: &Names, event: &Event) -> Heard {
    let Some(name) = names.heard(event.name()) else { return Heard::Ignored };
    let Some([argument]) = payload::arguments(event.json()) else { return malformed(event, "it is no JSON") };
    read_argument(names, name, argument).unwrap_or_else(|why| malformed(event, why))
}

fn malformed(event: &Event, why: &'static str) -> Heard {
    Heard::Malformed { event: event.name().to_owned(), why }
}

fn read_argument(names: &Names, event: Name, argument: Raw<'_>) -> Result<Heard, &'static str> {
    Ok(match event {
        Name::ExistingUsers => {
            let [users] = fields(argument, [names.get(Name::Users)]);
            // A bare array in some deployments.
            let list = payload::participants(users.or(argument), |raw| participant(names, raw));
            Heard::Joined(list.ok_or("it lists nobody")?)
        }
        Name::UserJoined => Heard::Came(participant(names, argument).ok_or("it does not say who")?),
        Name::UserLeft => {
            let [socket, user, id] =
                fields(argument, [names.get(Name::SocketId), names.get(Name::UserId), "id"]);
            let left = Departed { id: payload::id(socket), user_id: payload::name(user.or(id)) };
            if left == Departed::default() {
                return Err("it does not say who");
            }
            Heard::Left(left)
        }
        Name::Offer => {
            let [from, body] = fields(argument, [names.get(Name::From), names.get(Name::OfferBody)]);
            signal(from, Step::Offer(payload::description(body).ok_or("it has no description")?))?
        }
        Name::Answer => {
            let [from, body] = fields(argument, [names.get(Name::From), names.get(Name::AnswerBody)]);
            signal(from, Step::Answer(payload::description(body).ok_or("it has no description")?))?
        }
        Name::HearCandidate => {
            let [from, body] = fields(argument, [names.get(Name::From), names.get(Name::Candidate)]);
            match payload::candidate(body)? {
                Some(candidate) => signal(from, Step::Candidate(candidate))?,
                None => Heard::Ignored,
            }
        }
        Name::HearVideo | Name::HearAudio => {
            let [whose, enabled] = fields(argument, [names.get(Name::SocketId), names.get(Name::Enabled)]);
            let whose = payload::id(whose).ok_or("it does not say whose")?;
            let on = payload::flag(enabled).ok_or("it does not say whether it is on")?;
            match event {
                Name::HearVideo => Heard::Camera { whose, on },
                _ => Heard::Mic { whose, on },
            }
        }
        Name::Chat => {
            let [from, text] = fields(argument, [names.get(Name::Username), names.get(Name::Text)]);
            Heard::Chat { from: payload::name(from), text: payload::text(text).ok_or("it has no text")? }
        }
        Name::Error => {
            let [text] = fields(argument, [names.get(Name::Text)]);
            Heard::Error(payload::text(text.or(argument)).ok_or("it has no text")?)
        }
        _ => Heard::Ignored,
    })
}

fn signal(from: Raw<'_>, step: Step) -> Result<Heard, &'static str> {
    let peer = payload::id(from).ok_or("it does not say from whom")?;
    Ok(Heard::Signal(Signal { peer, step }))
}

fn participant(names: &Names, raw: Raw<'_>) -> Option<Participant> {
    let [id, user, name] =
        fields(raw, [names.get(Name::SocketId), names.get(Name::UserId), names.get(Name::Username)]);
    Some(Participant { id: payload::id(id)?, user_id: payload::name(user), name: payload::name(name) })
}

//! Reads what pages send, which was not checked by anybody. Only what is asked for is built in memory; what a server sends
//! beside it is skipped.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::signal::{Candidate, Participant, ParticipantId};
use crate::meeting::bounded_list::bounded_list;

/// Participants that are read of one list; a mesh of more is none.
const MAX_PARTICIPANTS: usize = 256;
/// Bytes of a description at most; those of browsers have some 7000.
const MAX_DESCRIPTION: usize = 64 << 10;
/// Bytes of a candidate, or of one of its other fields, at most.
const MAX_CANDIDATE: usize = 1 << 10;
/// Bytes of an id or a name at most.
const MAX_NAME: usize = 256;
/// Bytes that are kept of a line of chat or a complaint.
const MAX_TEXT: usize = 4 << 10;

/// A JSON value that was not looked at yet; `None` where nothing stands, or `null`.
pub type Raw<'a> = Option<&'a RawValue>;

fn known(raw: &RawValue) -> Raw<'_> {
    (raw.get() != "null").then_some(raw)
}

/// The first arguments of an event, whose JSON array begins with its name. `None` if that is no array.
pub fn arguments<const N: usize>(event: &str) -> Option<[Raw<'_>; N]> {
    struct Arguments<const N: usize>;
    impl<'de, const N: usize> Visitor<'de> for Arguments<N> {
        type Value = [Raw<'de>; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut arguments = [None; N];
            seq.next_element::<IgnoredAny>()?;
            for argument in &mut arguments {
                *argument = seq.next_element::<&RawValue>()?.and_then(known);
            }
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(arguments)
        }
    }
    serde_json::Deserializer::from_str(event).deserialize_seq(Arguments).ok()
}

/// The fields of an object with these names; none of them if it is no object.
pub fn fields<'a, const N: usize>(object: Raw<'a>, names: [&str; N]) -> [Raw<'a>; N] {
    struct Fields<'n, 'de, const N: usize>([&'n str; N], PhantomData<&'de ()>);
    impl<'de, const N: usize> Visitor<'de> for Fields<'_, 'de, N> {
        type Value = [Raw<'de>; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = [None; N];
            while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                let value = map.next_value::<&RawValue>()?;
                for (field, name) in fields.iter_mut().zip(self.0) {
                    if *name == key {
                        *field = known(value);
                    }
                }
            }
            Ok(fields)
        }
    }
    object
        .and_then(|raw| {
            serde_json::Deserializer::from_str(raw.get()).deserialize_map(Fields(names, PhantomData)).ok()
        })
        .unwrap_or([None; N])
}

/// A text.
fn string(raw: Raw<'_>) -> Option<String> {
    let json = raw?.get();
    if json.starts_with('"') { serde_json::from_str(json).ok() } else { None }
}

/// An id or a name: a text, or a whole number as its text. Not empty.
pub fn name(raw: Raw<'_>) -> Option<String> {
    let name = string(raw).or_else(|| Some(serde_json::from_str::<i64>(raw?.get()).ok()?.to_string()))?;
    (1..=MAX_NAME).contains(&name.len()).then_some(name)
}

/// A participant's socket id.
pub fn id(raw: Raw<'_>) -> Option<ParticipantId> {
    name(raw).map(|id| ParticipantId::new(&id))
}

/// Whether something is on.
pub fn flag(raw: Raw<'_>) -> Option<bool> {
    serde_json::from_str(raw?.get()).ok()
}

/// A line of chat or a complaint, cut to a length that can be shown.
pub fn text(raw: Raw<'_>) -> Option<String> {
    let mut text = string(raw)?;
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    Some(text)
}

/// The SDP of a description: `{type, sdp}`, or the bare SDP.
pub fn description(raw: Raw<'_>) -> Option<String> {
    let [sdp] = fields(raw, ["sdp"]);
    string(sdp.or(raw)).filter(|sdp| (1..=MAX_DESCRIPTION).contains(&sdp.len()))
}

/// A candidate. `Ok(None)` for what closes a list: `null`, `{}`, or an empty candidate.
pub fn candidate(raw: Raw<'_>) -> Result<Option<Candidate>, &'static str> {
    let Some(object) = raw else { return Ok(None) };
    let [line, mid, index, fragment] =
        fields(raw, ["candidate", "sdpMid", "sdpMLineIndex", "usernameFragment"]);
    let line = if object.get().starts_with('{') { line } else { raw };
    if line.is_none() {
        return Ok(None);
    }
    let line = string(line).ok_or("its candidate is no text")?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() > MAX_CANDIDATE {
        return Err("its candidate is too long");
    }
    let short = |raw| string(raw).filter(|text| text.len() <= MAX_CANDIDATE);
    Ok(Some(Candidate {
        candidate: line,
        sdp_mid: short(mid),
        sdp_m_line_index: index.and_then(|index| serde_json::from_str(index.get()).ok()),
        username_fragment: short(fragment),
    }))
}

/// A list of participants; entries that are none are left out. `None` if it is no list.
pub fn participants(
    list: Raw<'_>,
    read: impl Fn(Raw<'_>) -> Option<Participant>,
) -> Option<Vec<Participant>> {
    bounded_list(list?.get(), MAX_PARTICIPANTS, |entry| read(Some(entry)))
}

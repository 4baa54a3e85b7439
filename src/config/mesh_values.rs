//! The types of single values that only meetings over WebRTC know.

use std::fmt;
use std::str::FromStr;

use super::values::{ValueError, whole_number, words};

words! {
    /// How the meeting is spoken to, and how media travel.
    Protocol, r#""relay", "mesh", "noom" or "whip""#, {
        /// A relay forwards chunks of WebM.
        Relay = "relay",
        /// WebRTC to each participant; the server addresses them by their sockets.
        Mesh = "mesh",
        /// WebRTC to one participant; the server addresses the room.
        Noom = "noom",
        /// WebRTC to a media server (RFC 9725).
        Whip = "whip",
    }
}
words! {
    /// How the events of `noom` are written.
    Form, r#""object", "args" or "mesh""#, {
        /// One object: `{offer, roomName}`.
        Object = "object",
        /// Arguments: `offer, roomName`.
        Args = "args",
        /// Arguments, and many participants that are addressed by socket.
        Mesh = "mesh",
    }
}
whole_number! {
    /// How many participants are sent to over WebRTC, each over a connection of its own.
    MaxPeers(u8), |number| (1..=32).contains(&number), "a whole number of participants from 1 to 32"
}

/// What a deployment of `mesh` calls its events and fields: a preset, and what differs from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameTable {
    /// The preset.
    pub preset: String,
    /// Keys and the names that they have here.
    pub changes: Vec<(String, String)>,
}

impl NameTable {
    /// What is allowed, in words.
    pub const ALLOWED: &'static str =
        r#"a preset, and what differs from it: "usual" or "underscore room_field=roomId target_field=to""#;
}

impl FromStr for NameTable {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let refuse = || ValueError::new(Self::ALLOWED);
        let mut words = text.split_whitespace();
        let preset = words.next().filter(|word| !word.contains('=')).ok_or_else(refuse)?;
        let change = |word: &str| match word.split_once('=') {
            Some((key, name)) if !key.is_empty() && !name.is_empty() => {
                Some((key.to_owned(), name.to_owned()))
            }
            _ => None,
        };
        let changes: Option<Vec<_>> = words.map(change).collect();
        Ok(Self { preset: preset.to_owned(), changes: changes.ok_or_else(refuse)? })
    }
}

impl fmt::Display for NameTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.preset)?;
        self.changes.iter().try_for_each(|(key, name)| write!(f, " {key}={name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_a_preset_and_what_differs() {
        let table: NameTable = "underscore  room_field=roomId target_field=to".parse().unwrap();
        assert_eq!(table.preset, "underscore");
        assert_eq!(table.changes[1], ("target_field".to_owned(), "to".to_owned()));
        assert_eq!(table.to_string(), "underscore room_field=roomId target_field=to");
        for wrong in ["", "room_field=roomId", "usual room_field", "usual =x", "usual x="] {
            assert!(wrong.parse::<NameTable>().is_err(), "{wrong:?}");
        }
    }
}

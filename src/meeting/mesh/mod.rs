//! Meetings in which media go from participant to participant by WebRTC, and a Socket.IO server carries the signalling
//! (docs/signalling.md).
//!
//! - [`signal`]: what is said and heard, whatever a dialect calls it;
//! - [`dialect`]: the two dialects, from and to events of Socket.IO: `addressed` ("mesh", whose [`names`] vary) and
//!   `noom`; `payload` reads what pages send. Pure;
//! - [`negotiation`]: who offers to whom and when, a machine of values. Pure;
//! - [`session`]: one attempt: connect, join, carry what is said and heard, leave; one task.

mod addressed;
pub mod dialect;
pub mod names;
pub mod negotiation;
mod noom;
pub(crate) mod payload;
pub mod session;
pub mod signal;

pub use dialect::{Dialect, Form, OfferWaits, Place};
pub use names::{Name, Names, UnknownName};
pub use signal::{Candidate, Departed, Heard, Participant, ParticipantId, Said, Signal, Step};

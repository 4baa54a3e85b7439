//! What the negotiation is told, and what it decides.

use crate::meeting::mesh::signal::{Candidate, ParticipantId, Signal};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody was in the room when the agent came.
    Found(ParticipantId),
    /// Somebody came.
    Came(ParticipantId),
    /// Somebody left.
    Left(ParticipantId),
    /// A description or a candidate came.
    Signal(Signal),
    /// A description or a candidate of ours is ready: the description that an action asked for, or a candidate of a
    /// connection whose description was ready before.
    Described(Signal),
    /// The connection carries media, for the first time or again.
    Connected(ParticipantId),
    /// The connection carries nothing at present.
    Disconnected(ParticipantId),
    /// The connection is lost for good, or a description could not be used.
    Failed(ParticipantId),
    /// The participant closed the connection.
    Closed(ParticipantId),
    /// An offer of ours is needed on a connection that is there: our answer has no place for a track, or we have other
    /// addresses.
    OfferNeeded(ParticipantId),
    /// The connection that was to be opened cannot be: there are as many as there may be.
    Refused(ParticipantId),
    /// Time passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make a connection; there is none to this participant.
    Open(ParticipantId),
    /// Make an offer, on a connection that is there already an ICE restart, and tell it with [`Event::Described`].
    Offer(ParticipantId),
    /// Answer this offer, which takes back an offer of ours that has no answer yet, and tell the answer with
    /// [`Event::Described`].
    Answer(ParticipantId, String),
    /// Take in this answer to our offer.
    Accept(ParticipantId, String),
    /// Take in this candidate.
    AddCandidate(ParticipantId, Candidate),
    /// Close the connection.
    Close(ParticipantId),
    /// Send this to the participant.
    Send(Signal),
}

impl Action {
    /// Whom it concerns.
    pub(super) fn peer(&self) -> &ParticipantId {
        match self {
            Self::Open(peer)
            | Self::Offer(peer)
            | Self::Answer(peer, _)
            | Self::Accept(peer, _)
            | Self::AddCandidate(peer, _)
            | Self::Close(peer)
            | Self::Send(Signal { peer, .. }) => peer,
        }
    }
}

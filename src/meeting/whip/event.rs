//! What happens to a WHIP session, and what is to be done about it.

use url::Url;

use super::error::WhipError;
use super::http::HttpFault;
use super::request::{Answer, Request};
use crate::config::IceServer;

/// What happens to a session.
#[derive(Debug)]
pub enum Event {
    /// The server answered what was asked.
    Answered(Answer),
    /// It did not.
    Unanswered(HttpFault),
    /// What it answered cannot be used.
    Unusable(String),
    /// We can be reached in these ways too, each from `candidate:` on.
    Candidates(Vec<String>),
    /// Media get through, for the first time or again.
    Connected,
    /// They do not at present.
    Disconnected,
    /// The address that they left from is no longer ours.
    PathLost,
    /// They will not any more.
    Failed(String),
    /// Our description for an ICE restart.
    RestartOffered(String),
    /// We leave.
    Leave,
    /// Nothing but time passed.
    Tick,
}

/// What is to be done.
#[derive(Debug)]
pub enum Action {
    /// Ask this. What was asked before is of no interest any more.
    Ask(Request),
    /// Keep the URL of the session over a restart; or that there is none.
    Keep(Option<Url>),
    /// The media server answers our offer so.
    Accept(String),
    /// Ask these servers too for ways to us.
    UseIceServers(Vec<IceServer>),
    /// Describe an ICE restart: [`Event::RestartOffered`].
    OfferRestart,
    /// The server gets our media.
    Joined,
    /// It is over, or did not begin.
    End(WhipError),
    /// We have left.
    Left,
}

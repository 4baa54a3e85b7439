//! What is done about a connection for media once the server has answered: candidates that come up later, and ICE restarts.

use std::time::{Duration, Instant};

use super::{Session, State};
use crate::meeting::whip::error::Fault;
use crate::meeting::whip::event::Action;
use crate::meeting::whip::fragment::Fragment;
use crate::meeting::whip::http::HttpFault;
use crate::meeting::whip::request::{ANSWER_TIMEOUT, Answer, Method};

/// A connection for media that has been lost for so long is mended by an ICE restart.
pub const RESTART_AFTER: Duration = Duration::from_secs(2);
/// An ICE restart that could not be asked for is asked for again after this.
const RESTART_AGAIN: Duration = Duration::from_secs(1);
/// A connection for media that has been lost for so long is given up.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(12);
/// Own candidates that may wait, at most.
const MAX_CANDIDATES: usize = 64;

/// What the server is asked about an established connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    Nothing,
    Trickle,
    Restart,
}

/// Why media do not get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outage {
    since: Instant,
    /// When an ICE restart is due; `None` while one is under way, or was agreed on.
    restart: Option<Instant>,
}

impl Session {
    pub(super) fn connected(&mut self) {
        match self.state {
            State::Connecting { .. } => {
                self.state = State::Established;
                self.actions.push_back(Action::Joined);
            }
            State::Established => self.outage = None,
            _ => {}
        }
    }

    pub(super) fn disconnected(&mut self, now: Instant) {
        if self.state == State::Established && self.outage.is_none() {
            self.outage = Some(Outage { since: now, restart: Some(now + RESTART_AFTER) });
        }
    }

    pub(super) fn path_lost(&mut self, now: Instant) {
        if self.state == State::Established {
            let since = self.outage.map_or(now, |outage| outage.since);
            self.outage = Some(Outage { since, restart: Some(now) });
        }
    }

    /// When [`Session::mend`] is due.
    pub(super) fn mending_due(&self) -> Option<Instant> {
        let outage = self.outage?;
        let restart = outage.restart.filter(|_| self.asked == Asked::Nothing);
        [Some(outage.since + GIVE_UP_AFTER), restart].into_iter().flatten().min()
    }

    /// Restarts ICE where that is due, and gives up what has been lost for too long.
    pub(super) fn mend(&mut self, now: Instant) {
        let Some(outage) = &mut self.outage else { return };
        if now >= outage.since + GIVE_UP_AFTER {
            let why = format!("nothing got through for {} s", GIVE_UP_AFTER.as_secs());
            self.end(Fault::Lost(why));
        } else if self.asked == Asked::Nothing && outage.restart.is_some_and(|due| now >= due) {
            outage.restart = None;
            if self.resource.is_some() {
                self.actions.push_back(Action::OfferRestart);
            }
        }
    }

    pub(super) fn add_candidates(&mut self, candidates: Vec<String>) {
        for candidate in candidates {
            if self.candidates.len() < MAX_CANDIDATES && !self.offer.contains(&candidate) {
                self.candidates.push(candidate);
            }
        }
        self.trickle();
    }

    /// Tells the candidates that have come up, all at once.
    pub(super) fn trickle(&mut self) {
        if !matches!(self.state, State::Connecting { .. } | State::Established)
            || self.asked != Asked::Nothing
            || self.candidates.is_empty()
            || !self.takes_candidates
        {
            return;
        }
        let (Some(resource), Some(ours)) = (self.resource.clone(), Fragment::read(&self.offer)) else {
            return;
        };
        let fragment = Fragment { candidates: std::mem::take(&mut self.candidates), ..ours };
        self.asked = Asked::Trickle;
        let (body, etag) = (fragment.write(&self.offer), self.etag.clone());
        self.ask(Method::Patch, resource, body, etag, ANSWER_TIMEOUT);
    }

    pub(super) fn restart(&mut self, offer: &str) {
        let (Some(resource), Some(fragment)) = (self.resource.clone(), Fragment::read(offer)) else { return };
        if self.state != State::Established || self.asked != Asked::Nothing {
            return;
        }
        tracing::info!("nothing gets through to the WHIP server; restarting ICE");
        offer.clone_into(&mut self.offer);
        self.asked = Asked::Restart;
        self.ask(Method::Patch, resource, fragment.write(offer), Some("*".to_owned()), ANSWER_TIMEOUT);
    }

    pub(super) fn patch_answered(&mut self, answer: &Answer, now: Instant) {
        match std::mem::replace(&mut self.asked, Asked::Nothing) {
            Asked::Nothing => {}
            Asked::Trickle => {
                if answer.class() != 2 {
                    tracing::debug!(
                        status = answer.status,
                        "the WHIP server takes no candidates; going on without"
                    );
                    self.takes_candidates = false;
                }
                self.trickle();
            }
            Asked::Restart => match Fragment::read(&answer.body).filter(|_| answer.class() == 2) {
                Some(fragment) => {
                    self.etag.clone_from(&answer.etag);
                    self.answer = fragment.replace_in(&self.answer);
                    self.actions.push_back(Action::Accept(self.answer.clone()));
                    if let Some(outage) = &mut self.outage {
                        outage.since = now;
                    }
                    self.trickle();
                }
                None => {
                    let status = answer.status;
                    self.end(Fault::Lost(format!("the server does not restart it (it answered {status})")));
                }
            },
        }
    }

    pub(super) fn patch_unanswered(&mut self, fault: &HttpFault, now: Instant) {
        tracing::info!("the WHIP server was not reached: {fault}");
        match std::mem::replace(&mut self.asked, Asked::Nothing) {
            // The network is away, as it is for media.
            Asked::Restart => {
                if let Some(outage) = &mut self.outage {
                    outage.restart = Some(now + RESTART_AGAIN);
                }
            }
            Asked::Trickle | Asked::Nothing => {}
        }
    }
}

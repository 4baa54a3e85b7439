//! One WHIP session as a value: answers, what happens to the connection for media, and the time come in; requests and
//! everything else that is to be done come out.
//!
//! One thing is asked of the server at a time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use url::Url;

use super::error::{Fault, WhipError};
use super::event::{Action, Event};
use super::fragment::Fragment;
use super::http::HttpFault;
use super::ice_server::ice_servers;
use super::redirect::{Redirects, stay_secure};
use super::request::{ANSWER_TIMEOUT, Answer, Method, Request};
use super::shown;

/// How long ending the session of a run before may take. Whether it works or not, the offer follows.
pub const CLEARING_TIMEOUT: Duration = Duration::from_millis(1200);
/// From the answer to the connection for media.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection for media that has been lost for so long is mended by an ICE restart.
pub const RESTART_AFTER: Duration = Duration::from_secs(2);
/// An ICE restart that could not be asked for is asked for again after this.
const RESTART_AGAIN: Duration = Duration::from_secs(1);
/// A connection for media that has been lost for so long is given up.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(12);
/// Own candidates that may wait, at most.
const MAX_CANDIDATES: usize = 64;

/// How far the session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The session of a run before is being ended.
    Clearing,
    /// The offer is on its way.
    Offering,
    /// The server has answered; media do not get through yet.
    Connecting { since: Instant },
    /// Media get through, or are to get through again.
    Established,
    /// The session is being ended.
    Leaving,
    /// Nothing is done any more.
    Over,
}

/// What the server is asked about an established connection.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Nothing,
    Trickle,
    Restart,
}

/// Why media do not get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outage {
    since: Instant,
    /// When an ICE restart is due; `None` while one is under way, or was agreed on.
    restart: Option<Instant>,
}

/// One session.
#[derive(Debug)]
pub struct Session {
    endpoint: Url,
    offer: String,
    /// Where the request is that is under way, after redirects.
    asking: Option<Request>,
    redirects: Redirects,
    state: State,
    /// To be left as soon as the server has said where the session is.
    leaving: bool,
    /// The session of a run before of which the server has not said that it has ended.
    uncleared: Option<Url>,
    /// The session's URL, and the entity tag of its ICE session.
    resource: Option<Url>,
    etag: Option<String>,
    /// The server's description.
    answer: String,
    asked: Asked,
    outage: Option<Outage>,
    candidates: Vec<String>,
    /// Whether the server takes candidates one after another, as far as is known.
    takes_candidates: bool,
    actions: VecDeque<Action>,
}

impl Session {
    /// Begins a session at `endpoint` with `offer`. First it ends `kept`, a session of a run before.
    pub fn new(endpoint: Url, offer: String, kept: Option<Url>) -> Self {
        let mut session = Self {
            endpoint,
            offer,
            asking: None,
            redirects: Redirects::default(),
            state: State::Offering,
            leaving: false,
            uncleared: None,
            resource: None,
            etag: None,
            answer: String::new(),
            asked: Asked::Nothing,
            outage: None,
            candidates: Vec::new(),
            takes_candidates: true,
            actions: VecDeque::new(),
        };
        match kept {
            Some(kept) => session.clear(kept),
            None => session.offer(),
        }
        session
    }

    /// Whether nothing is done any more.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// The next thing to do, in order.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Event::Tick`] is due, if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let connecting = match self.state {
            State::Connecting { since } => Some(since + CONNECT_TIMEOUT),
            _ => None,
        };
        let outage = self.outage.map(|outage| outage.since + GIVE_UP_AFTER);
        let restart = self.outage.and_then(|outage| outage.restart).filter(|_| self.asked == Asked::Nothing);
        [connecting, outage, restart].into_iter().flatten().min()
    }

    /// Takes in an event that happened at `now`; [`Session::poll_action`] has what follows from it.
    pub fn handle(&mut self, event: Event, now: Instant) {
        if self.is_over() {
            return;
        }
        match event {
            Event::Answered(answer) => self.answered(&answer, now),
            Event::Unanswered(fault) => self.unanswered(fault, now),
            Event::Unusable(why) => self.end(Fault::Unusable(why)),
            Event::Candidates(candidates) => self.add_candidates(candidates),
            Event::Connected => self.connected(),
            Event::Disconnected => {
                if self.state == State::Established && self.outage.is_none() {
                    self.outage = Some(Outage { since: now, restart: Some(now + RESTART_AFTER) });
                }
            }
            Event::PathLost => {
                if self.state == State::Established {
                    let since = self.outage.map_or(now, |outage| outage.since);
                    self.outage = Some(Outage { since, restart: Some(now) });
                }
            }
            Event::Failed(why) => {
                if matches!(self.state, State::Connecting { .. } | State::Established) {
                    self.end(Fault::Lost(why));
                }
            }
            Event::RestartOffered(offer) => self.restart(&offer),
            Event::Leave => self.leave(),
            Event::Tick => {}
        }
        self.let_time_pass(now);
    }

    fn let_time_pass(&mut self, now: Instant) {
        if let State::Connecting { since } = self.state
            && now >= since + CONNECT_TIMEOUT
        {
            return self.end(Fault::NoMedia { after: CONNECT_TIMEOUT });
        }
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

    fn ask(&mut self, method: Method, url: Url, body: String, if_match: Option<String>, timeout: Duration) {
        let request = Request { method, url, body, if_match, timeout };
        self.redirects = Redirects::default();
        self.asking = Some(request.clone());
        self.actions.push_back(Action::Ask(request));
    }

    fn clear(&mut self, kept: Url) {
        self.state = State::Clearing;
        self.ask(Method::Delete, kept, String::new(), None, CLEARING_TIMEOUT);
    }

    fn offer(&mut self) {
        self.state = State::Offering;
        let (endpoint, offer) = (self.endpoint.clone(), self.offer.clone());
        self.ask(Method::Post, endpoint, offer, None, ANSWER_TIMEOUT);
    }

    fn answered(&mut self, answer: &Answer, now: Instant) {
        let Some(mut request) = self.asking.take() else { return };
        if matches!(answer.status, 307 | 308) {
            match self.redirects.follow(&self.endpoint, &request.url, answer) {
                Ok(url) => {
                    request.url = url;
                    self.asking = Some(request.clone());
                    self.actions.push_back(Action::Ask(request));
                    return;
                }
                Err(fault) if self.state == State::Offering => return self.end(fault),
                // Elsewhere it counts as any answer that does not help.
                Err(_) => {}
            }
        }
        match self.state {
            State::Clearing => {
                if answer.class() < 5 {
                    self.actions.push_back(Action::Keep(None));
                } else {
                    self.uncleared = Some(request.url);
                }
                self.offer();
            }
            State::Offering => self.offer_answered(answer, &request.url, now),
            State::Leaving => {
                if answer.class() < 5 {
                    self.actions.push_back(Action::Keep(None));
                }
                self.left();
            }
            State::Connecting { .. } | State::Established => self.patch_answered(answer, now),
            State::Over => {}
        }
    }

    fn unanswered(&mut self, fault: HttpFault, now: Instant) {
        let Some(request) = self.asking.take() else { return };
        match self.state {
            State::Clearing => {
                self.uncleared = Some(request.url);
                self.offer();
            }
            State::Offering if self.leaving => self.left(),
            State::Offering => self.end(Fault::Http(fault)),
            State::Leaving => self.left(),
            State::Connecting { .. } | State::Established => {
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
            State::Over => {}
        }
    }

    fn offer_answered(&mut self, answer: &Answer, url: &Url, now: Instant) {
        if answer.status == 201 {
            return self.created(answer, url, now);
        }
        if self.leaving {
            return self.left();
        }
        // The network was away for the DELETE and is back now: the endpoint is in use by our own former session.
        if let (403 | 409, Some(kept)) = (answer.status, self.uncleared.take()) {
            return self.clear(kept);
        }
        self.finish(WhipError::refused(&self.endpoint, answer));
    }

    fn created(&mut self, answer: &Answer, url: &Url, now: Instant) {
        let location = answer.location.as_deref().map(|location| url.join(location));
        match location {
            Some(Ok(resource)) => {
                if let Err(fault) = stay_secure(&self.endpoint, &resource) {
                    return self.end(fault);
                }
                self.actions.push_back(Action::Keep(Some(resource.clone())));
                self.resource = Some(resource);
            }
            Some(Err(_)) | None => {
                let endpoint = shown(&self.endpoint);
                tracing::warn!(
                    "WHIP endpoint {endpoint}: does not name the session; it cannot be told of its end"
                );
            }
        }
        if self.leaving {
            return self.leave();
        }
        self.use_ice_servers(answer);
        if Fragment::read(&answer.body).is_none() {
            let content = answer
                .content_type
                .as_deref()
                .map_or_else(|| "no content type".to_owned(), crate::socketio::quote);
            return self.end(Fault::NoDescription { content });
        }
        self.etag.clone_from(&answer.etag);
        self.answer.clone_from(&answer.body);
        self.state = State::Connecting { since: now };
        self.actions.push_back(Action::Accept(answer.body.clone()));
        self.trickle();
    }

    fn use_ice_servers(&mut self, answer: &Answer) {
        let mut servers = Vec::new();
        for named in ice_servers(answer.links.iter().map(String::as_str)) {
            match named {
                Ok(server) => servers.push(server),
                Err(unusable) => {
                    let endpoint = shown(&self.endpoint);
                    tracing::warn!(
                        "WHIP endpoint {endpoint}: it names a server that is not used: {unusable}"
                    );
                }
            }
        }
        if !servers.is_empty() {
            self.actions.push_back(Action::UseIceServers(servers));
        }
    }

    fn connected(&mut self) {
        match self.state {
            State::Connecting { .. } => {
                self.state = State::Established;
                self.actions.push_back(Action::Joined);
            }
            State::Established => self.outage = None,
            _ => {}
        }
    }

    fn add_candidates(&mut self, candidates: Vec<String>) {
        for candidate in candidates {
            if self.candidates.len() < MAX_CANDIDATES && !self.offer.contains(&candidate) {
                self.candidates.push(candidate);
            }
        }
        self.trickle();
    }

    /// Tells the candidates that have come up, all at once.
    fn trickle(&mut self) {
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

    fn restart(&mut self, offer: &str) {
        let (Some(resource), Some(fragment)) = (self.resource.clone(), Fragment::read(offer)) else { return };
        if self.state != State::Established || self.asked != Asked::Nothing {
            return;
        }
        tracing::info!("nothing gets through to the WHIP server; restarting ICE");
        offer.clone_into(&mut self.offer);
        self.asked = Asked::Restart;
        self.ask(Method::Patch, resource, fragment.write(offer), Some("*".to_owned()), ANSWER_TIMEOUT);
    }

    fn patch_answered(&mut self, answer: &Answer, now: Instant) {
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

    fn leave(&mut self) {
        self.leaving = true;
        match (self.state, self.resource.clone()) {
            // The server may begin a session of which we do not know yet where it is.
            (State::Offering, None) if self.asking.is_some() => {}
            (State::Leaving, _) => {}
            (_, Some(resource)) => {
                self.state = State::Leaving;
                self.outage = None;
                // Some servers refuse it with `If-Match`.
                self.ask(Method::Delete, resource, String::new(), None, ANSWER_TIMEOUT);
            }
            (_, None) => self.left(),
        }
    }

    fn left(&mut self) {
        self.state = State::Over;
        self.outage = None;
        self.actions.push_back(Action::Left);
    }

    fn end(&mut self, fault: Fault) {
        self.finish(WhipError::new(&self.endpoint, fault));
    }

    fn finish(&mut self, error: WhipError) {
        self.state = State::Over;
        self.outage = None;
        self.asking = None;
        self.actions.push_back(Action::End(error));
    }
}

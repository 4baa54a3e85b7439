//! One WHIP session as a value: answers, what happens to the connection for media, and the time come in; requests and
//! everything else that is to be done come out.
//!
//! One thing is asked of the server at a time.

mod established;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use url::Url;

use crate::meeting::whip::error::{Fault, WhipError};
use crate::meeting::whip::event::{Action, Event};
use crate::meeting::whip::fragment::Fragment;
use crate::meeting::whip::http::HttpFault;
use crate::meeting::whip::ice_server::ice_servers;
use crate::meeting::whip::redirect::{Redirects, stay_secure};
use crate::meeting::whip::request::{ANSWER_TIMEOUT, Answer, Method, Request};
use crate::meeting::whip::shown;

use established::{Asked, Outage};
pub use established::{GIVE_UP_AFTER, RESTART_AFTER};

/// How long ending the session of a run before may take. Whether it works or not, the offer follows.
pub const CLEARING_TIMEOUT: Duration = Duration::from_millis(1200);
/// From the answer to the connection for media.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

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
        [connecting, self.mending_due()].into_iter().flatten().min()
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
            Event::Disconnected => self.disconnected(now),
            Event::PathLost => self.path_lost(now),
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
        self.mend(now);
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
            State::Connecting { .. } | State::Established => self.patch_unanswered(&fault, now),
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

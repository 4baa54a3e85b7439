//! A session with a media server: what it is asked over HTTP, and the connection for media, brought together.

use std::collections::VecDeque;
use std::future::pending;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use crate::config::Secret;
use crate::meeting::whip::{
    Action, Answer, Event, Fault, HttpClient, HttpFault, Request, ResourceFile, Session, WhipError,
};
use crate::publish::mesh::{Happened, PathEvent, Publisher};
use crate::publish::until;
use crate::rtc::PeerEvent;

/// How leaving may take in all. The media have stopped before.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);
/// What the publisher calls the server.
const SERVER: &str = "server";

/// Where to publish.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The WHIP endpoint.
    pub endpoint: Url,
    /// The token to show there.
    pub token: Option<Secret>,
    /// A PEM file with certificates to trust beside the platform's.
    pub ca_file: Option<PathBuf>,
    /// Where the session's URL is kept over a restart.
    pub state_directory: Option<PathBuf>,
}

/// The client of a WHIP endpoint.
pub struct Client {
    /// The media path.
    pub publisher: Publisher,
    settings: Settings,
    kept: ResourceFile,
    http: HttpClient,
    session: Option<Session>,
    /// What the server is being asked.
    asking: Option<AbortOnDropHandle<Result<Answer, HttpFault>>>,
    happened: VecDeque<Happened>,
}

impl Client {
    /// Out of any session.
    pub fn new(publisher: Publisher, settings: Settings) -> Self {
        Self {
            publisher,
            kept: ResourceFile::open(settings.state_directory.as_deref(), settings.endpoint.clone()),
            http: HttpClient::new(settings.token.clone(), settings.ca_file.clone()),
            settings,
            session: None,
            asking: None,
            happened: VecDeque::new(),
        }
    }

    /// Begins an attempt to publish. What comes of it is told by [`Client::progress`].
    pub fn connect(&mut self) {
        self.drop_session();
        // Certificates may have been renewed.
        self.http = HttpClient::new(self.settings.token.clone(), self.settings.ca_file.clone());
        let described = self.describe();
        let (endpoint, kept) = (self.settings.endpoint.clone(), self.kept.resource().cloned());
        match described {
            Ok(offer) => {
                self.session = Some(Session::new(endpoint, offer, kept));
                self.act();
            }
            Err(why) => {
                let error = WhipError::new(&endpoint, Fault::NotBegun(why));
                self.happened.push_back(Happened::Ended(error.into()));
            }
        }
    }

    /// Opens the sockets and the connection, and describes it.
    fn describe(&mut self) -> Result<String, String> {
        self.publisher.enter().map_err(|error| format!("no socket can be opened: {error}"))?;
        self.publisher.open(SERVER).map_err(|error| error.to_string())?;
        let offered = self.publisher.with_peer(SERVER, |peer| peer.offer());
        offered.unwrap_or(Err(crate::rtc::PeerError::NothingToOffer)).map_err(|error| error.to_string())
    }

    /// Leaves, in good order: media end at once, and the server is told.
    pub async fn leave(&mut self) {
        self.publisher.leave();
        if let Some(session) = &mut self.session {
            session.handle(Event::Leave, Instant::now());
            self.act();
            // An Err is the end of the time allowed; the session is ended at the next start then.
            let _ = timeout(LEAVE_TIMEOUT, self.until_left()).await;
        }
        self.drop_session();
    }

    async fn until_left(&mut self) {
        while self.session.as_ref().is_some_and(|session| !session.is_over()) {
            let answered = next_answer(&mut self.asking).await;
            self.hear_answer(answered);
        }
    }

    /// The session is over, or lost.
    pub fn drop_session(&mut self) {
        self.session = None;
        self.asking = None;
        self.happened.clear();
        self.publisher.leave();
    }

    /// Waits until something has happened that the agent is to know; does meanwhile all that needs no decision of it. Can
    /// be dropped while it waits.
    pub async fn progress(&mut self) -> Happened {
        loop {
            if let Some(happened) = self.happened.pop_front() {
                return happened;
            }
            let due = self.session.as_ref().and_then(Session::poll_timeout);
            tokio::select! {
                answered = next_answer(&mut self.asking) => self.hear_answer(answered),
                () = self.publisher.progress() => {}
                () = until(due) => self.tell(Event::Tick),
            }
            while let Some((_, event)) = self.publisher.poll_event() {
                match event {
                    PeerEvent::Connected => self.tell(Event::Connected),
                    PeerEvent::Disconnected => self.tell(Event::Disconnected),
                    PeerEvent::Closed => self.tell(Event::Failed("the server closed it".to_owned())),
                    PeerEvent::Failed(why) => self.tell(Event::Failed(why)),
                    PeerEvent::Chat(_) | PeerEvent::Estimate(_) | PeerEvent::VoiceLoss(_) => {}
                }
            }
            while let Some((_, event)) = self.publisher.poll_path_event() {
                self.tell(match event {
                    PathEvent::Candidate(trickled) => Event::Candidates(vec![trickled.candidate]),
                    PathEvent::Lost => Event::PathLost,
                    PathEvent::OtherPictures => continue,
                });
            }
            while let Some(trouble) = self.publisher.poll_trouble() {
                self.happened.push_back(Happened::IceServer(trouble));
            }
            if self.publisher.follow_links() {
                self.happened.push_back(Happened::Encoding);
            }
        }
    }

    fn hear_answer(&mut self, answered: Result<Answer, HttpFault>) {
        self.asking = None;
        self.tell(match answered {
            Ok(answer) => Event::Answered(answer),
            Err(fault) => Event::Unanswered(fault),
        });
    }

    /// Tells the session, and does what it decides.
    fn tell(&mut self, event: Event) {
        if let Some(session) = &mut self.session {
            session.handle(event, Instant::now());
            self.act();
        }
    }

    fn act(&mut self) {
        while let Some(action) = self.session.as_mut().and_then(Session::poll_action) {
            match action {
                Action::Ask(request) => self.ask(request),
                Action::Keep(resource) => self.kept.keep(resource),
                Action::Accept(answer) => {
                    if let Some(Err(error)) = self.publisher.with_peer(SERVER, |peer| peer.accept(&answer)) {
                        self.tell(Event::Unusable(error.to_string()));
                    }
                }
                Action::UseIceServers(servers) => {
                    tracing::info!(
                        servers = servers.len(),
                        "the WHIP server names STUN and TURN servers, which are asked too"
                    );
                    self.publisher.add_ice_servers(&servers);
                }
                Action::OfferRestart => match self.publisher.with_peer(SERVER, |peer| peer.offer()) {
                    Some(Ok(offer)) => self.tell(Event::RestartOffered(offer)),
                    Some(Err(error)) => self.tell(Event::Failed(error.to_string())),
                    None => {}
                },
                Action::Joined => self.happened.push_back(Happened::Joined { sid: String::new() }),
                Action::End(error) => self.happened.push_back(Happened::Ended(error.into())),
                Action::Left => {}
            }
        }
    }

    fn ask(&mut self, request: Request) {
        let http = self.http.clone();
        self.asking = Some(AbortOnDropHandle::new(tokio::spawn(async move { http.ask(&request).await })));
    }
}

/// Waits for the answer; for ever if nothing was asked.
async fn next_answer(
    asking: &mut Option<AbortOnDropHandle<Result<Answer, HttpFault>>>,
) -> Result<Answer, HttpFault> {
    match asking {
        Some(asking) => match asking.await {
            Ok(answered) => answered,
            Err(error) => Err(HttpFault::NotHttp(error.to_string())),
        },
        None => pending().await,
    }
}

//! Why a WHIP session ended, or did not begin.

use std::time::Duration;

use url::Url;

use super::http::HttpFault;
use super::request::Answer;
use super::shown;
use crate::socketio::quote;

/// Why a session ended, naming the endpoint and what to do.
#[derive(Debug, thiserror::Error)]
#[error("WHIP endpoint {url}: {fault}")]
pub struct WhipError {
    /// The endpoint, without anything secret.
    pub url: String,
    /// What went wrong, and what to do about it.
    #[source]
    pub fault: Fault,
    /// How long the server wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl WhipError {
    /// What went wrong at `endpoint`.
    pub fn new(endpoint: &Url, fault: Fault) -> Self {
        Self { url: shown(endpoint), fault, retry_after: None }
    }

    /// `endpoint` did not take the offer, but answered otherwise.
    pub fn refused(endpoint: &Url, answer: &Answer) -> Self {
        let (status, words) = (answer.status, Words::new(answer.content_type.as_deref(), &answer.body));
        let fault = match (status, answer.class()) {
            (401, _) => Fault::Unauthorized(words),
            (403, _) => Fault::Forbidden(words),
            (404, _) => Fault::NotFound(words),
            // The server has too much to do.
            (429, _) | (_, 5) => Fault::Unavailable { status, words },
            (_, 4) => Fault::Refused { status, words },
            (_, 3) => Fault::redirected(status, endpoint, answer.location.as_deref()),
            _ => Fault::NotCreated { status },
        };
        Self { retry_after: answer.retry_after, ..Self::new(endpoint, fault) }
    }
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// WebRTC does not work on this device.
    #[error("was not asked, because WebRTC does not work here: {0}; check the network of this device")]
    NotBegun(String),
    /// There is no answer.
    #[error(transparent)]
    Http(#[from] HttpFault),
    /// 401.
    #[error(
        "wants a token (401){0}; put the one that the server gave out into the file that meeting.token_file names"
    )]
    Unauthorized(Words),
    /// 403.
    #[error(
        "refuses this device (403){0}; check the token, and that no other device publishes there: some servers answer so \
         while an endpoint is in use"
    )]
    Forbidden(Words),
    /// 404.
    #[error("is not known there (404){0}; check the path of meeting.url")]
    NotFound(Words),
    /// Another 4xx.
    #[error(
        "refuses the offer ({status}){words}; check that meeting.url is a WHIP endpoint, which takes VP8 and Opus"
    )]
    Refused {
        /// The status code.
        status: u16,
        /// What the server says.
        words: Words,
    },
    /// A 5xx.
    #[error("cannot take this device now ({status}){words}; the server's log says why")]
    Unavailable {
        /// The status code.
        status: u16,
        /// What the server says.
        words: Words,
    },
    /// A redirect that is not followed.
    #[error("redirects ({status}) to {to}; put the address it leads to into meeting.url")]
    Redirected {
        /// The status code.
        status: u16,
        /// The address that it leads to, without anything secret, or that there is none.
        to: String,
    },
    /// Too many redirects.
    #[error("redirects again and again, the last time to {to}; put the address that works into meeting.url")]
    RedirectLoop {
        /// The address that it leads to, without anything secret.
        to: String,
    },
    /// From https to something else.
    #[error(
        "leads from https to {to}, where the token could be read on the way; have the server name https addresses"
    )]
    Insecure {
        /// The address that it leads to, without anything secret.
        to: String,
    },
    /// A success that is none.
    #[error("answered {status} where a WHIP endpoint answers 201; check that meeting.url is one")]
    NotCreated {
        /// The status code.
        status: u16,
    },
    /// A 201 whose content is no session description.
    #[error(
        "answered 201 with {content} instead of a session description; check that meeting.url is a WHIP endpoint"
    )]
    NoDescription {
        /// What kind of content.
        content: String,
    },
    /// A session description that cannot be used.
    #[error(
        "answered with a session description that cannot be used ({0}); check which codecs it takes: VP8 and Opus are offered"
    )]
    Unusable(String),
    /// No media connection came about.
    #[error(
        "took the offer, but no connection for media came about within {} s; check that UDP gets through between this \
         device and the server, and which addresses the server names",
        after.as_secs()
    )]
    NoMedia {
        /// The time allowed.
        after: Duration,
    },
    /// The media connection was lost, and did not come back.
    #[error("lost the connection for media: {0}")]
    Lost(String),
}

impl Fault {
    /// A redirect by the server at `from` that is not followed.
    pub(super) fn redirected(status: u16, from: &Url, to: Option<&str>) -> Self {
        let to = match to.map(|to| from.join(to)) {
            None => "no address".to_owned(),
            Some(Ok(url)) => quote(&shown(&url)),
            // It is not repeated, for nobody can tell which part of it is secret.
            Some(Err(_)) => "what is no address".to_owned(),
        };
        Self::Redirected { status, to }
    }

    /// Whether trying again soon cannot mend it.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Unauthorized(_)
                | Self::Forbidden(_)
                | Self::NotFound(_)
                | Self::Refused { .. }
                | Self::Insecure { .. }
        )
    }
}

/// What a server says beside a status, as it stands in a sentence; empty where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words(String);

impl Words {
    /// The content of an answer. Pages for people are left out.
    pub fn new(content_type: Option<&str>, body: &str) -> Self {
        let is_page = content_type.is_some_and(|kind| kind.starts_with("text/html"));
        let text = quote(body.trim());
        if is_page || text.is_empty() { Self::default() } else { Self(format!(": {text:?}")) }
    }
}

impl std::fmt::Display for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

//! The address of a meeting's server, which has another form for WHIP.

use std::fmt;
use std::str::FromStr;

use url::Url;

use super::values::{Name, RelayUrl, ValueError, web_url};

/// A WHIP endpoint: `http` or `https`, with path and query.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WhipUrl(Url);

impl WhipUrl {
    /// What is allowed, in words.
    pub const ALLOWED: &'static str = "https://HOST[:PORT]/PATH or http://HOST[:PORT]/PATH, a WHIP endpoint";

    /// The URL. Its query may hold a secret.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// What the meeting is called where nobody has named it: the host.
    pub(super) fn default_room(&self) -> Option<Name> {
        self.0.host_str()?.parse().ok()
    }
}

impl FromStr for WhipUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut url = web_url(text, Self::ALLOWED)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ValueError::new(Self::ALLOWED));
        }
        url.set_fragment(None);
        Ok(Self(url))
    }
}

/// Where the meeting's server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeetingUrl {
    /// A Socket.IO server.
    Relay(RelayUrl),
    /// A WHIP endpoint.
    Whip(WhipUrl),
}

impl MeetingUrl {
    /// The URL. That of a WHIP endpoint may hold a secret in its query.
    pub fn as_url(&self) -> &Url {
        match self {
            Self::Relay(url) => url.as_url(),
            Self::Whip(url) => url.as_url(),
        }
    }
}

impl fmt::Display for MeetingUrl {
    /// Without the query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relay(url) => url.fmt(f),
            Self::Whip(url) => {
                let mut shown = url.as_url().clone();
                shown.set_query(None);
                shown.fmt(f)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_keeps_path_and_query_and_shows_no_query() {
        let url: WhipUrl = "https://sfu.example.org/whip/cam1?token=hunter2#x".parse().unwrap();
        assert_eq!(url.as_url().as_str(), "https://sfu.example.org/whip/cam1?token=hunter2");
        assert_eq!(url.default_room().unwrap().as_str(), "sfu.example.org");
        assert_eq!(MeetingUrl::Whip(url).to_string(), "https://sfu.example.org/whip/cam1");
        for wrong in ["wss://h/whip", "h/whip", "https://me:pw@h/whip", ""] {
            assert!(wrong.parse::<WhipUrl>().is_err(), "{wrong:?}");
        }
    }
}

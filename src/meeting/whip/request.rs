//! What is asked of a server, and what it answers, without HTTP.

use std::time::Duration;

use url::Url;

/// How long the server may take to answer, while it has time.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);

/// What is to be done with a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Begin a session, with an offer.
    Post,
    /// Tell candidates, or restart ICE.
    Patch,
    /// End a session.
    Delete,
    /// Ask what an endpoint does, without beginning anything.
    Options,
}

impl Method {
    /// Its name in HTTP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }

    /// The type of what is sent along. Without parameters: with a charset, servers answer 406 or 415.
    pub const fn content_type(self) -> Option<&'static str> {
        match self {
            Self::Post => Some("application/sdp"),
            Self::Patch => Some("application/trickle-ice-sdpfrag"),
            Self::Delete | Self::Options => None,
        }
    }
}

/// Something to ask of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub method: Method,
    /// With what.
    pub url: Url,
    /// What is sent along.
    pub body: String,
    /// The `If-Match` header.
    pub if_match: Option<String>,
    /// How long it may take in all, from looking up the host to the end of the answer.
    pub timeout: Duration,
}

impl Request {
    /// Asks what an endpoint does.
    pub fn options(url: Url) -> Self {
        Self { method: Method::Options, url, body: String::new(), if_match: None, timeout: ANSWER_TIMEOUT }
    }
}

/// What a server answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The `Location` header.
    pub location: Option<String>,
    /// The `ETag` header, as it is written: some servers leave the quotes out, and want it back without them.
    pub etag: Option<String>,
    /// The `Link` headers.
    pub links: Vec<String>,
    /// How long the server wants to be left alone (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// The type of the content.
    pub content_type: Option<String>,
    /// The content; what is no UTF-8 is replaced.
    pub body: String,
}

impl Answer {
    /// The first digit of the status: what a client does not know counts as the x00 of its class (RFC 9110 §15), and what
    /// has no class as a server error.
    pub fn class(&self) -> u16 {
        match self.status / 100 {
            class @ 1..=5 => class,
            _ => 5,
        }
    }
}

/// The longest time that a server can ask for. A device that hears of nothing for longer than this is taken for broken.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Reads a `Retry-After` header (RFC 9110 §10.2.3): seconds, or a date. A date is compared with that of the answer, as the
/// clock of the device may be wrong.
pub(super) fn retry_after(header: &str, date: Option<&str>) -> Option<Duration> {
    let text = header.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // What is too long to be a number is longer than any limit.
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    let now = httpdate::parse_http_date(date?).ok()?;
    Some(at.duration_since(now).unwrap_or_default().min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_on_the_clock_of_the_server() {
        let date = Some("Fri, 31 Dec 1999 23:59:00 GMT");
        for (header, date, wanted) in [
            ("120", None, Some(120)),
            (" 0 ", None, Some(0)),
            ("99999999999999999999999", None, Some(3600)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", date, Some(59)),
            ("Fri, 31 Dec 1999 23:58:59 GMT", date, Some(0)),
            ("Fri, 31 Dec 2027 23:58:59 GMT", date, Some(3600)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", None, None),
            ("soon", date, None),
            ("-5", date, None),
            ("1.5", date, None),
            ("", date, None),
        ] {
            let got = retry_after(header, date).map(|time| time.as_secs());
            assert_eq!(got, wanted, "{header:?}");
        }
    }

    #[test]
    fn an_unknown_status_counts_as_the_first_of_its_class() {
        let class = |status| Answer { status, ..Answer::default() }.class();
        assert_eq!([201, 299, 307, 418, 499, 503, 599].map(class), [2, 2, 3, 4, 4, 5, 5]);
        assert_eq!([0, 99, 600, 999].map(class), [5, 5, 5, 5]);
    }
}

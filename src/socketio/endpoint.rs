//! Where to connect, and with which secret.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use url::{Host, Url};

use super::packet::{DEFAULT_NAMESPACE, Json};

/// The largest message accepted from a relay, in bytes, attachments of one packet together. Relays forward
/// the chunks of other participants and accept 1 MB each by default; 4 MiB leaves room for those configured
/// higher, and bounds what a misbehaving one can make us hold.
const MAX_MESSAGE: usize = 4 << 20;

/// How long connecting may take in all: DNS, TCP, TLS, WebSocket, Engine.IO open and Socket.IO CONNECT.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What the CONNECT packet carries. Never shown in `Debug`.
#[derive(Clone)]
pub struct Auth(Json);

impl Auth {
    /// Sends `credentials` as they are.
    pub fn new(credentials: Map<String, Value>) -> Self {
        Self(Json::from(Value::Object(credentials)))
    }

    pub(super) fn json(&self) -> Json {
        self.0.clone()
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auth(redacted)")
    }
}

/// What `encodeURIComponent` encodes, and the apostrophe, which browsers encode when they read the URL.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'(')
    .remove(b')');

/// A Socket.IO server: base URL, credentials, and whom to trust.
#[derive(Debug, Clone)]
pub struct Endpoint {
    secure: bool,
    host: Host,
    port: u16,
    /// Path of the Socket.IO server, `/socket.io/` at its end.
    path: String,
    /// The namespace to join, `/` at its beginning; `/` itself is the one that servers have by default.
    pub namespace: Cow<'static, str>,
    /// What the CONNECT packet carries, if anything.
    pub auth: Option<Auth>,
    /// Names and values in the query of the handshake, beside the protocol's own. Proxies see and log them.
    pub query: Vec<(&'static str, String)>,
    /// A PEM file with certificates to trust beside the platform's.
    pub ca_file: Option<PathBuf>,
}

/// Why a URL cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// It cannot be parsed.
    #[error("{0:?} is no URL ({1}); write it like https://meet.example.org")]
    Unreadable(String, url::ParseError),
    /// It has another scheme.
    #[error("a relay URL begins with https://, http://, wss:// or ws://, not with {0}://")]
    Scheme(String),
    /// It names no host.
    #[error("the relay URL names no host; write it like https://meet.example.org")]
    NoHost,
}

impl Endpoint {
    /// The server at `url` (http, https, ws or wss; a path is kept as a prefix; user, query and fragment are
    /// ignored), its default namespace, without credentials, trusting the platform's certificate authorities.
    pub fn new(url: &str) -> Result<Self, BadUrl> {
        let parsed = Url::parse(url).map_err(|error| BadUrl::Unreadable(url.to_owned(), error))?;
        let secure = match parsed.scheme() {
            "https" | "wss" => true,
            "http" | "ws" => false,
            other => return Err(BadUrl::Scheme(other.to_owned())),
        };
        let host = parsed.host().ok_or(BadUrl::NoHost)?.to_owned();
        let port = parsed.port_or_known_default().unwrap_or(if secure { 443 } else { 80 });
        let prefix = parsed.path().trim_end_matches('/');
        let prefix = prefix.strip_suffix("/socket.io").unwrap_or(prefix);
        Ok(Self {
            secure,
            host,
            port,
            path: format!("{prefix}/socket.io/"),
            namespace: DEFAULT_NAMESPACE,
            auth: None,
            query: Vec::new(),
            ca_file: None,
        })
    }

    /// The URL of the WebSocket, without anything secret; it stands in every error.
    pub fn url(&self) -> String {
        let Self { host, path, .. } = self;
        let (scheme, usual) = if self.secure { ("wss", 443) } else { ("ws", 80) };
        let port = if self.port == usual { String::new() } else { format!(":{}", self.port) };
        format!("{scheme}://{host}{port}{path}?EIO=4&transport=websocket")
    }

    /// What is asked for: the URL with the query. Encoded byte for byte as browsers' clients do, because load balancers
    /// compare values as they are written.
    pub(super) fn handshake_url(&self) -> String {
        let mut url = self.url();
        for (name, value) in &self.query {
            url.extend(["&", name, "="]);
            url.extend(utf8_percent_encode(value, COMPONENT));
        }
        url
    }

    /// Whether the connection is encrypted.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host as the resolver takes it: IPv6 addresses without brackets.
    pub(super) fn host(&self) -> String {
        match &self.host {
            Host::Ipv6(address) => address.to_string(),
            other => other.to_string(),
        }
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }
}

/// How far to trust a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long connecting may take in all, from DNS to the accepted CONNECT.
    pub connect_timeout: Duration,
    /// The largest packet accepted, in bytes.
    pub max_message: usize,
}

impl Default for Limits {
    /// 10 s and 4 MiB.
    fn default() -> Self {
        Self { connect_timeout: CONNECT_TIMEOUT, max_message: MAX_MESSAGE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accepted_scheme_becomes_a_websocket_url() {
        for (url, expected) in [
            ("https://meet.example", "wss://meet.example/socket.io/?EIO=4&transport=websocket"),
            ("wss://meet.example:443/", "wss://meet.example/socket.io/?EIO=4&transport=websocket"),
            ("http://10.0.0.1:3000", "ws://10.0.0.1:3000/socket.io/?EIO=4&transport=websocket"),
            ("ws://[::1]:80/a/b/", "ws://[::1]/a/b/socket.io/?EIO=4&transport=websocket"),
            ("http://h/socket.io/", "ws://h/socket.io/?EIO=4&transport=websocket"),
            ("http://u:secret@h/p?token=x#y", "ws://h/p/socket.io/?EIO=4&transport=websocket"),
        ] {
            assert_eq!(Endpoint::new(url).unwrap().url(), expected, "{url}");
        }
    }

    #[test]
    fn the_query_is_written_as_browsers_write_it() {
        let mut endpoint = Endpoint::new("ws://h").unwrap();
        endpoint.query = vec![("room", "회의 1/&?#+!~*'()-_.%".to_owned())];
        // Of the same name, by node: new URL(`ws://h/?room=${encodeURIComponent(name)}`).search.
        let room = "%ED%9A%8C%EC%9D%98%201%2F%26%3F%23%2B!~*%27()-_.%25";
        assert_eq!(
            endpoint.handshake_url(),
            format!("ws://h/socket.io/?EIO=4&transport=websocket&room={room}")
        );
        assert_eq!(
            endpoint.url(),
            "ws://h/socket.io/?EIO=4&transport=websocket",
            "errors say what they said"
        );
    }

    #[test]
    fn other_urls_are_refused_with_what_to_write() {
        assert_eq!(
            Endpoint::new("meet.example").unwrap_err().to_string(),
            "\"meet.example\" is no URL (relative URL without a base); write it like https://meet.example.org"
        );
        assert_eq!(
            Endpoint::new("ftp://meet.example").unwrap_err().to_string(),
            "a relay URL begins with https://, http://, wss:// or ws://, not with ftp://"
        );
    }

    #[test]
    fn credentials_do_not_show_in_debug() {
        let mut endpoint = Endpoint::new("http://h").unwrap();
        endpoint.auth = Some(Auth::new(Map::from_iter([("token".to_owned(), "hush".into())])));
        assert!(!format!("{endpoint:?}").contains("hush"));
    }
}

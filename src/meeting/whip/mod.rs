//! Publishing to a media server by WHIP (RFC 9725, docs/whip.md).
//!
//! - [`session`]: one session as a value: what follows from each [`event`]. Pure;
//! - [`redirect`]: where a server sends us, and where we go. Pure;
//! - [`request`]: requests and answers, without HTTP;
//! - [`fragment`]: ICE credentials and candidates, alone and in descriptions. Pure;
//! - [`ice_server`]: what `Link` headers say of STUN and TURN servers. Pure;
//! - [`http`]: from a request to its answer;
//! - [`resource_file`]: the URL of the session, kept over a restart;
//! - [`error`]: why a session ended.

pub mod error;
pub mod event;
pub mod fragment;
pub mod http;
pub mod ice_server;
pub mod redirect;
pub mod request;
pub mod resource_file;
pub mod session;

pub use error::{Fault, WhipError};
pub use event::{Action, Event};
pub use fragment::Fragment;
pub use http::{HttpClient, HttpFault};
pub use ice_server::UnusableServer;
pub use request::{Answer, Method, Request};
pub use resource_file::ResourceFile;
pub use session::Session;

use url::Url;

/// A URL as it is shown: without user, password, query and fragment, which may hold secrets.
pub fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    // Only URLs that have no host refuse these.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.into()
}

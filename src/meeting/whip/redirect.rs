//! Where a server sends us, and where we go. Pure.

use url::Url;

use super::error::Fault;
use super::request::Answer;
use super::shown;

/// Redirects that are followed in a row.
pub const MAX_REDIRECTS: u32 = 5;

/// The redirects that one request has met.
#[derive(Debug, Default)]
pub(super) struct Redirects {
    followed: u32,
}

impl Redirects {
    /// Where `answer`, which `from` gave, leads.
    ///
    /// # Errors
    /// It leads nowhere, to where the token could be read on the way, or to one place too many.
    pub(super) fn follow(&mut self, endpoint: &Url, from: &Url, answer: &Answer) -> Result<Url, Fault> {
        let to = answer.location.as_deref();
        let joined = to.and_then(|to| from.join(to).ok());
        let url = joined.ok_or_else(|| Fault::redirected(answer.status, from, to))?;
        stay_secure(endpoint, &url)?;
        self.followed += 1;
        if self.followed > MAX_REDIRECTS {
            return Err(Fault::RedirectLoop { to: shown(&url) });
        }
        Ok(url)
    }
}

/// What was encrypted at first stays so: the token goes along.
///
/// # Errors
/// The token could be read on the way to `url`.
pub(super) fn stay_secure(endpoint: &Url, url: &Url) -> Result<(), Fault> {
    match (endpoint.scheme(), url.scheme()) {
        (_, "https") | ("http", "http") => Ok(()),
        _ => Err(Fault::Insecure { to: shown(url) }),
    }
}

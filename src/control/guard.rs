//! Who may ask over TCP: who shows the token, and no page of another site that a browser on this device shows.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::problem::Problem;
use crate::config::Secret;
use crate::http::origin;

/// What decides it.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    token: Option<Arc<Secret>>,
    loopback: bool,
}

impl Guard {
    /// For a listener on `addr`; with a token, if there is one.
    pub fn new(addr: SocketAddr, token: Option<Secret>) -> Self {
        Self { token: token.map(Arc::new), loopback: addr.ip().is_loopback() }
    }

    fn admit(&self, headers: &HeaderMap, host: Option<&str>) -> Result<(), Problem> {
        let forbidden = |message: &str| Err(Problem::new(StatusCode::FORBIDDEN, message));
        // A browser names the page that asks; programs have none.
        let fetched = headers.get("sec-fetch-site").is_some_and(|site| site != "none");
        if headers.contains_key(header::ORIGIN) || fetched {
            return forbidden("web pages may not ask; use a program, such as roomcam ctl or curl");
        }
        // DNS rebinding: the name of another site that leads to this device.
        if self.loopback && !host.is_some_and(origin::names_this_device) {
            return forbidden(
                "the Host header must be localhost or a loopback address: use http://127.0.0.1:PORT",
            );
        }
        match &self.token {
            Some(token) if !shows(headers, token) => Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "show the token of control.token_file: Authorization: Bearer TOKEN (roomcam ctl: --token-file FILE)",
            )),
            _ => Ok(()),
        }
    }
}

/// Lets a request through, or answers it.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let host = origin::host(request.uri(), request.headers());
    match guard.admit(request.headers(), host) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn shows(headers: &HeaderMap, token: &Secret) -> bool {
    let shown = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
    let (scheme, shown) = shown.split_at(shown.len().min(b"Bearer ".len()));
    scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(shown.ct_eq(token.expose().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_whole_or_not_at_all() {
        let token = Secret::new("hunter2", "a test").unwrap();
        let shown = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            shows(&headers, &token)
        };
        assert!(shown("Bearer hunter2") && shown("bearer hunter2"));
        for wrong in ["", "Bearer", "Bearer ", "Bearer hunter", "Bearer hunter22", "Basic hunter2", "hunter2"]
        {
            assert!(!shown(wrong), "{wrong}");
        }
        assert!(!shows(&HeaderMap::new(), &token));
    }
}

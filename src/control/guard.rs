//! Who may ask over TCP: who shows the token, and no page of another site that a browser on this device shows.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::problem::Problem;
use crate::config::{ControlApi, Secret};
use crate::http::origin;

/// What decides it.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    token: Option<Arc<Secret>>,
    metrics_token: Option<Arc<Secret>>,
    loopback: bool,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Whether the agent answers, which everybody may know.
    Health,
    /// Numbers.
    Metrics,
    /// Anything else.
    All,
}

impl Wanted {
    fn of(request: &Request) -> Self {
        let reads = request.method() == Method::GET || request.method() == Method::HEAD;
        match request.uri().path() {
            "/healthz" if reads => Self::Health,
            "/metrics" if reads => Self::Metrics,
            _ => Self::All,
        }
    }
}

impl Guard {
    /// For a listener on `addr`, with the tokens there are.
    pub fn new(addr: SocketAddr, config: &ControlApi) -> Self {
        let shared = |token: &Option<Secret>| token.clone().map(Arc::new);
        Self {
            token: shared(&config.token),
            metrics_token: shared(&config.metrics_token),
            loopback: addr.ip().is_loopback(),
        }
    }

    fn admit(&self, wanted: Wanted, headers: &HeaderMap, host: Option<&str>) -> Result<(), Problem> {
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
        let shown = |token: &Option<Arc<Secret>>| token.as_ref().is_some_and(|token| shows(headers, token));
        let unguarded = self.token.is_none() && self.metrics_token.is_none();
        match wanted {
            _ if unguarded || shown(&self.token) => Ok(()),
            Wanted::Health => Ok(()),
            Wanted::Metrics if shown(&self.metrics_token) => Ok(()),
            Wanted::Metrics => unauthorized("control.metrics_token_file or control.token_file"),
            Wanted::All if self.token.is_none() => forbidden(
                "only /metrics and /healthz can be asked over TCP: set control.token_file for the rest",
            ),
            Wanted::All => unauthorized("control.token_file"),
        }
    }
}

fn unauthorized(file: &str) -> Result<(), Problem> {
    let how = "Authorization: Bearer TOKEN (roomcam ctl: --token-file FILE)";
    Err(Problem::new(StatusCode::UNAUTHORIZED, format!("show the token of {file}: {how}")))
}

/// Lets a request through, or answers it.
pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let host = origin::host(request.uri(), request.headers());
    match guard.admit(Wanted::of(&request), request.headers(), host) {
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

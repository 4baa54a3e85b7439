//! Who may ask over TCP: who shows the token, and no page of another site that a browser on this device shows.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::problem::Problem;
use crate::config::Secret;

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
        if self.loopback && !host.is_some_and(names_this_device) {
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
    // An absolute request target goes before the header (RFC 9112 §3.2.2).
    let in_header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().authority().map(|authority| authority.as_str()).or(in_header);
    match guard.admit(request.headers(), host) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn names_this_device(host: &str) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    let bare = without_port.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(without_port);
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
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
    fn only_names_of_this_device_are_taken() {
        for host in
            ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:9780", "127.1.2.3:1", "[::1]", "[::1]:9780"]
        {
            assert!(names_this_device(host), "{host}");
        }
        for host in [
            "",
            ":80",
            "evil.example",
            "localhost.evil.example:80",
            "127.0.0.1.evil.example",
            "192.0.2.1",
            "[::2]:1",
        ] {
            assert!(!names_this_device(host), "{host}");
        }
    }

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

//! Why the relay does not do what a client wants.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A refusal, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Code {
    /// No token was shown where one is needed.
    TokenRequired,
    /// The token is not the one.
    TokenWrong,
    /// The page or the host is none of ours.
    Origin,
    /// The room has as many participants, or the relay as many rooms, as it takes.
    RoomFull,
    /// The relay has as many sessions as it takes, of all clients or of those of one address.
    RelayFull,
    /// The relay is about to end.
    Draining,
    /// Too many connections, or too much of something at a time.
    TooMany,
    /// An event is too large.
    TooLarge,
    /// Somebody else is connected under this user id.
    UserTaken,
    /// Somebody may not do that.
    NotAllowed,
    /// It makes no sense.
    BadRequest,
}

/// A refusal.
#[derive(Debug)]
pub(super) struct Refusal {
    pub code: Code,
    /// What happened and what to do, for people.
    pub message: String,
    pub ends: Ends,
}

/// Whether a refusal ends the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// It goes on.
    No,
    /// What comes after that makes no sense, or there has been too much of it.
    Yes,
}

impl Refusal {
    /// One after which the session goes on.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), ends: Ends::No }
    }

    /// One that ends the session.
    pub fn last(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), ends: Ends::Yes }
    }
}

/// A refusal as the answer to a request.
#[derive(Debug)]
pub(super) struct HttpRefusal {
    pub status: StatusCode,
    pub code: Code,
    pub message: String,
}

#[derive(Serialize)]
struct ErrorBody {
    error: String,
    code: Code,
}

impl HttpRefusal {
    pub fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// A request that makes no sense.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::BadRequest, message)
    }

    /// The relay takes no new sessions, because it is about to end.
    pub fn draining() -> Self {
        let message = "this relay is about to end and takes nobody new; try again in a second";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Draining, message)
    }

    /// There is as much of this at this moment as the relay takes.
    pub fn busy(what: &str) -> Self {
        let message = format!("this relay has as many {what} as it takes; try again in a second");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::TooMany, message)
    }

    /// The client's address has its share of that.
    pub fn rate_share_used(share: &str) -> Self {
        let message =
            format!("your address has {share}, as many as one address may have; try again in a second");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::TooMany, message)
    }

    /// All places of this kind are taken.
    pub fn full(what: &str) -> Self {
        let message = format!("this relay has as many {what} as it takes; try again when somebody has left");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::RelayFull, message)
    }

    /// The client's address has its share of the places.
    pub fn share_used(share: &str, remedy: &str) -> Self {
        let message = format!("your address has {share}, as many as one address may have; {remedy}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::RelayFull, message)
    }
}

impl IntoResponse for HttpRefusal {
    fn into_response(self) -> Response {
        let body = ErrorBody { error: self.message, code: self.code };
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

//! What clients are told when something is wrong: always JSON, always with what to do about it.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::requests::AgentGone;
use super::{Refusal, RefusalKind};

/// An error as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What happened and what to do.
    pub error: String,
}

/// An error and its HTTP status.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    message: String,
}

impl Problem {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// The agent did not answer in time.
    pub fn silent() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the agent does not answer in time; try again, and if it stays so, look into its log and restart it",
        )
    }

    /// All places of this kind are taken.
    pub fn busy(what: &str) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("too many {what} are open; close some, or try later"),
        )
    }
}

impl From<AgentGone> for Problem {
    fn from(_: AgentGone) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the agent is ending; try again when it has started anew")
    }
}

impl From<Refusal> for Problem {
    fn from(Refusal { kind, message }: Refusal) -> Self {
        let status = match kind {
            RefusalKind::Conflict => StatusCode::CONFLICT,
            RefusalKind::Unusable => StatusCode::UNPROCESSABLE_ENTITY,
            RefusalKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, message)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(ErrorBody { error: self.message })).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

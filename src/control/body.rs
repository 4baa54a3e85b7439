//! The bodies of requests: small, JSON, and what is expected, or an error that says what is.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::problem::Problem;

/// Bytes in a body at most; the longest that means anything has some twenty.
pub(super) const MAX_BYTES: usize = 4096;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to do with the camera.
#[derive(Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CameraWish {
    /// Whether it is to be on.
    pub on: bool,
}

/// What to do with the microphone.
#[derive(Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MicWish {
    /// Whether it is to be muted.
    pub muted: bool,
}

/// What to write.
#[derive(Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SayWish {
    /// The line: 1 to 1000 characters, none of them a control character.
    pub text: Line,
}

/// One line of text.
#[derive(Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String)]
pub(super) struct Line(pub String);

impl TryFrom<String> for Line {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = (1..=1000).contains(&text.chars().count()) && !text.contains(char::is_control);
        if fits { Ok(Self(text)) } else { Err("a line has 1 to 1000 characters and no control characters") }
    }
}

/// What a client can wish for in a body.
pub(super) trait Wish: DeserializeOwned {
    /// How it is written.
    const EXPECTED: &str;
}

impl Wish for CameraWish {
    const EXPECTED: &str = r#"{"on": true} or {"on": false}"#;
}

impl Wish for MicWish {
    const EXPECTED: &str = r#"{"muted": true} or {"muted": false}"#;
}

impl Wish for SayWish {
    const EXPECTED: &str = r#"{"text": "Good morning"}"#;
}

/// The body of a request, read and understood.
pub(super) struct Body<T>(pub T);

impl<T: Wish, S: Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let message = format!("send Content-Type: application/json and {}", T::EXPECTED);
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        let bytes = match tokio::time::timeout(PATIENCE, to_bytes(request.into_body(), MAX_BYTES)).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return Err(unreadable::<T>(error)),
            Err(_) => {
                let message = format!("the body did not arrive in time; send {}", T::EXPECTED);
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, message));
            }
        };
        parse(&bytes).map(Body)
    }
}

/// Why reading a body failed: it is too long, or the connection broke.
fn unreadable<T: Wish>(error: axum::Error) -> Problem {
    if error.into_inner().is::<http_body_util::LengthLimitError>() {
        let message = format!("the body is longer than {MAX_BYTES} bytes; send {}", T::EXPECTED);
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    } else {
        Problem::new(StatusCode::BAD_REQUEST, format!("the body is incomplete; send {}", T::EXPECTED))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    content_type.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json")
}

fn parse<T: Wish>(bytes: &[u8]) -> Result<T, Problem> {
    let not_a_wish = |why: &dyn std::fmt::Display| {
        let message = format!("expected is {}; this is not: {why}", T::EXPECTED);
        Problem::new(StatusCode::BAD_REQUEST, message)
    };
    // serde would read `[true]` as the fields of any wish, in their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(not_a_wish(&"it is an array"));
    }
    serde_json::from_slice(bytes).map_err(|error| not_a_wish(&error))
}

/// Reads a body as each of the wishes, for the fuzzer; how many it is.
#[cfg(fuzzing)]
pub fn read_any(bytes: &[u8]) -> usize {
    [parse::<CameraWish>(bytes).is_ok(), parse::<MicWish>(bytes).is_ok(), parse::<SayWish>(bytes).is_ok()]
        .into_iter()
        .filter(|read| *read)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_taken_exactly_as_it_is_written() {
        assert_eq!(parse::<CameraWish>(br#" {"on":false} "#).unwrap(), CameraWish { on: false });
        assert_eq!(parse::<MicWish>(br#"{"muted":true}"#).unwrap(), MicWish { muted: true });
        assert_eq!(parse::<SayWish>(r#"{"text":"Grüß Gott"}"#.as_bytes()).unwrap().text.0, "Grüß Gott");
        for refused in [r#"{"text":""}"#, r#"{"text":"a\nb"}"#, r#"{"text":1}"#] {
            assert!(parse::<SayWish>(refused.as_bytes()).is_err(), "{refused}");
        }
        let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(1001));
        assert!(parse::<SayWish>(long.as_bytes()).is_err());
        for refused in [
            r#"{"on":1}"#,
            r#"{"on":"true"}"#,
            r#"{"on":true,"x":1}"#,
            r#"{"on":true}{}"#,
            "[true]",
            " \n[true]",
            "{}",
            "",
            "null",
            "\u{0}",
        ] {
            assert!(parse::<CameraWish>(refused.as_bytes()).is_err(), "{refused}");
        }
        assert!(parse::<CameraWish>(&b"[".repeat(MAX_BYTES)).is_err());
    }

    #[test]
    fn json_is_json_with_any_parameter_and_in_any_case() {
        let json = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            is_json(&headers)
        };
        assert!(json("application/json") && json("Application/JSON; charset=utf-8"));
        assert!(!json("text/plain") && !json("application/json5") && !json(""));
        assert!(!is_json(&HeaderMap::new()));
    }
}

//! A session by HTTP long-polling (engine.io-protocol v4), for where a proxy forbids WebSockets.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use data_encoding::BASE64;
use tokio::time::timeout;

use super::hub::{Hub, MAX_TEXT_BYTES, Received, text_too_large};
use super::refusal::{Code, HttpRefusal, Refusal};
use super::session::{Permits, Session};

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);
/// Between two packets.
const SEPARATOR: char = '\u{1e}';

/// Opens a session.
pub(super) fn open(hub: &Arc<Hub>, permits: Permits) -> Response {
    let session = Session::polling(&hub.terms, permits);
    hub.sessions.insert(&session);
    text(hub.open_packet(&session, &["websocket"]))
}

/// Waits for something to send.
pub(super) async fn poll(hub: &Arc<Hub>, session: &Arc<Session>) -> Result<Response, HttpRefusal> {
    let Some(_claim) = session.claim_poll() else {
        hub.close(session);
        return Err(HttpRefusal::bad("this session polls already; it has been closed"));
    };
    let max = hub.options.max_message_bytes;
    loop {
        if let Some(packets) = session.poll(max) {
            if session.is_finished() {
                hub.close(session);
            }
            return Ok(text(packets));
        }
        tokio::select! {
            () = session.cut.cancelled() => return Err(unknown()),
            () = session.wake.notified() => {}
        }
        if session.is_finished() {
            // Ended, and there is nothing more to say.
            hub.close(session);
            return Ok(text("1".to_owned()));
        }
    }
}

/// Takes what a client sends.
pub(super) async fn post(
    hub: &Arc<Hub>,
    session: &Arc<Session>,
    request: Request,
) -> Result<Response, HttpRefusal> {
    let Some(_claim) = session.claim_post() else {
        hub.close(session);
        return Err(HttpRefusal::bad("this session sends two requests at a time; it has been closed"));
    };
    // Base64 takes a third more.
    let media = if session.may_publish() { hub.options.max_message_bytes / 3 * 4 } else { 0 };
    let largest = media + 4 * MAX_TEXT_BYTES;
    let length =
        request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let Some(length) = length else {
        return Err(HttpRefusal::new(
            StatusCode::LENGTH_REQUIRED,
            Code::BadRequest,
            "say the Content-Length",
        ));
    };
    if length > largest {
        hub.dismiss(
            session,
            &Refusal::last(Code::TooLarge, format!("A request has {largest} bytes at most")),
        );
        return Err(too_large(largest));
    }
    let charge = hub.arriving.charge(length);
    if charge.is_exceeded() {
        return Err(HttpRefusal::busy("requests"));
    }
    let body = match timeout(BODY_TIMEOUT, to_bytes(request.into_body(), largest)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return Err(too_large(largest)),
        Err(_) => {
            let message = "the body did not arrive in time";
            return Err(HttpRefusal::new(StatusCode::REQUEST_TIMEOUT, Code::TooMany, message));
        }
    };
    let body = std::str::from_utf8(&body).map_err(|_| HttpRefusal::bad("the body is no UTF-8 text"))?;
    for packet in body.split(SEPARATOR) {
        match packet.strip_prefix('b') {
            None if packet.len() > MAX_TEXT_BYTES => hub.dismiss(session, &text_too_large()),
            None => hub.receive(session, Received::Text(packet)).await,
            Some(base64) => {
                let bytes = BASE64.decode(base64.as_bytes());
                let bytes = bytes.map_err(|_| HttpRefusal::bad("an attachment is no Base64"))?;
                hub.receive(session, Received::Binary(Bytes::from(bytes))).await;
            }
        }
        if session.cut.is_cancelled() {
            return Err(unknown());
        }
    }
    Ok(text("ok".to_owned()))
}

/// A session that there is not.
pub(super) fn unknown() -> HttpRefusal {
    HttpRefusal::bad("there is no such session; open one anew")
}

fn too_large(largest: usize) -> HttpRefusal {
    let message = format!("a request has {largest} bytes at most");
    HttpRefusal::new(StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge, message)
}

fn text(packets: String) -> Response {
    let mut response = Body::from(packets).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

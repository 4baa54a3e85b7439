//! What `roomcam check` asks a media server.

use crate::config::Meeting;
use crate::meeting::whip::{HttpClient, Request, WhipError, shown};

/// Asks a WHIP endpoint what it does. Nothing is published, as that could take the place of the running daemon; so a wrong
/// token may show only when it publishes.
pub(super) async fn endpoint(meeting: &Meeting) -> Result<String, WhipError> {
    let url = meeting.url.as_url();
    let http = HttpClient::new(meeting.token.clone(), meeting.ca_file.clone());
    let request = Request::options(url.clone());
    let answer = http.ask(&request).await.map_err(|fault| WhipError::new(url, fault.into()))?;
    if matches!(answer.status, 401 | 403 | 404) || answer.class() == 5 && answer.status != 501 {
        return Err(WhipError::refused(url, &answer));
    }
    Ok(format!(
        "{}: answers ({} to OPTIONS); the token is tried when the daemon publishes",
        shown(url),
        answer.status
    ))
}

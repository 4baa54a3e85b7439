//! The viewer page and what it needs, out of the binary.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// What the page may do: nothing but run its own scripts, show its own styles, play what it has put
/// together itself (MediaSource) or gets by WebRTC, and talk to this relay. Images may come from elsewhere, over
/// HTTPS: participants name their avatars.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; media-src blob:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
);

const HTML: &str = "text/html; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

struct Asset {
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($path:literal: $content_type:expr),* $(,)?) => {
        [$(Asset {
            path: $path,
            content_type: $content_type,
            bytes: include_bytes!(concat!("viewer/", $path)),
        }),*]
    };
}

static PAGE: Asset =
    Asset { path: "index.html", content_type: HTML, bytes: include_bytes!("viewer/index.html") };

/// What `/viewer/…` serves.
static ASSETS: &[Asset] = &assets![
    "address.js": JS,
    "announcer.js": JS,
    "app.js": JS,
    "autoplay.js": JS,
    "avatar.js": JS,
    "chat.js": JS,
    "chunk-player.js": JS,
    "condition.js": JS,
    "connection.js": JS,
    "ebml.js": JS,
    "grid.js": JS,
    "live-edge.js": JS,
    "mesh-dialect.js": JS,
    "noom-dialect.js": JS,
    "notice.js": JS,
    "peer.js": JS,
    "peers.js": JS,
    "people.js": JS,
    "progress.js": JS,
    "relay-dialect.js": JS,
    "sink.js": JS,
    "sound.js": JS,
    "stage.js": JS,
    "statistics.js": JS,
    "stats.js": JS,
    "stream-player.js": JS,
    "tile.js": JS,
    "tools.js": JS,
    "tracks.js": JS,
    "webm.js": JS,
    "words.js": JS,
    "cards.css": CSS,
    "chat.css": CSS,
    "tile.css": CSS,
    "viewer.css": CSS,
    "vendor/socket.io.esm.min.js": JS,
];

/// The routes of the viewer: the page at `/` and whatever stands below `/room`, its modules under `/viewer/`.
/// Which room an address names is the page's business.
pub(super) fn routes() -> Router {
    Router::new()
        .route("/", get(page))
        .route("/room", get(page))
        .route("/room/", get(page))
        .route("/room/{*room}", get(page))
        .route("/viewer/{*path}", get(asset))
}

async fn page(headers: HeaderMap) -> Response {
    PAGE.respond(&headers)
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    match ASSETS.iter().find(|asset| asset.path == path) {
        Some(asset) => asset.respond(&headers),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

impl Asset {
    fn respond(&self, request: &HeaderMap) -> Response {
        let etag = self.etag();
        let mut response =
            if request.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
                StatusCode::NOT_MODIFIED.into_response()
            } else {
                ([(header::CONTENT_TYPE, self.content_type)], self.bytes).into_response()
            };
        let headers = response.headers_mut();
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            headers.insert(header::ETAG, etag);
        }
        // Ask each time: after an upgrade of the relay, page and modules must be of one version.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }

    fn etag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.bytes.hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_page_is_in_the_binary() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/relay/viewer");
        let mut files: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains('.') && name != PAGE.path)
            .collect();
        files.sort();
        let mut served: Vec<&str> =
            ASSETS.iter().map(|asset| asset.path).filter(|path| !path.contains('/')).collect();
        served.sort_unstable();
        assert_eq!(files, served);
    }
}

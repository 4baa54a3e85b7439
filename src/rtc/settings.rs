//! How a peer is made.

use crate::media::VideoCodec;

/// How a peer is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerSettings {
    /// The codec of the video track; `None` for a device without a camera.
    pub video: Option<VideoCodec>,
    /// The id of our stream, the same in all descriptions.
    pub stream: String,
    /// What the way to the peer must carry for full quality, in bits per second: what the estimate begins with, and what
    /// is looked for.
    pub full_bitrate: u32,
    /// What it must carry for a picture at all, in bits per second. Less is not believed at once, and checked again and
    /// again.
    pub needed_bitrate: u32,
    /// Whether our offers have the data channel `chat`.
    pub offers_chat: bool,
    /// What is at the other end.
    pub remote: Remote,
}

/// What is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remote {
    /// A page in a browser.
    Page,
    /// A media server, which gets offers as RFC 8842 wants them.
    Server,
}

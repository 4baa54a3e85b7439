//! Why a description, or a peer, cannot be used.

use super::description::MAX_DESCRIPTION_BYTES;

/// Why a peer connection does not come about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// No certificate could be made.
    #[error("no certificate for WebRTC can be made: {0}")]
    Certificate(String),
    /// A description that is too long to be one.
    #[error(
        "a session description of {bytes} bytes is not read; browsers' have less than {MAX_DESCRIPTION_BYTES}"
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A description that str0m does not accept.
    #[error("the session description cannot be used: {0}")]
    Description(String),
    /// An offer without a media section.
    #[error("the offer asks for nothing: it has no media section")]
    NothingAsked,
    /// An answer to nothing.
    #[error("an answer came, and nothing was offered")]
    NotOffered,
    /// There is nothing to offer.
    #[error("there is nothing to offer")]
    NothingToOffer,
}

impl PeerError {
    pub(super) fn description(error: impl std::fmt::Display) -> Self {
        Self::Description(error.to_string())
    }
}

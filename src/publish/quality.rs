//! What is sent of the picture, and why no more.

use std::fmt;

/// The size of the picture; another one is a new epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SizeStep {
    /// Width and height are halved.
    Half,
    /// As configured.
    Full,
}

impl SizeStep {
    /// Which part of the configured area it is.
    pub(super) fn area(self) -> f64 {
        match self {
            Self::Half => 0.25,
            Self::Full => 1.0,
        }
    }
}

/// Whether new pictures are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    /// Yes.
    Moving,
    /// No: the last one is repeated.
    Held,
}

/// What the link is trusted to carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// The target of the video encoder in bits per second, also while the picture is held.
    pub bitrate: u32,
    /// Frames per second, at most.
    pub frame_rate: u8,
    /// The picture's size.
    pub size: SizeStep,
    /// Whether there are new pictures.
    pub picture: Picture,
}

/// Why the quality is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Nothing limits it.
    Full,
    /// The link carries no more, as far as is known.
    Link,
    /// The link carries less than the lowest bitrate.
    Minimum,
    /// The link delivers nothing.
    Stall,
    /// The encoder makes more than it is asked for.
    Encoder,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "full",
            Self::Link => "link",
            Self::Minimum => "minimum",
            Self::Stall => "stall",
            Self::Encoder => "encoder",
        })
    }
}

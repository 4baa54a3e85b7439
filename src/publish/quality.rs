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

/// What a quality may be chosen from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// The lowest target of the video encoder in bits per second; below it the picture is held.
    pub min_bitrate: u32,
    /// The highest, and the one to begin with.
    pub max_bitrate: u32,
    /// Frames per second of the camera.
    pub frame_rate: u8,
    /// Bits per second that are sent beside the video: the voice, and what both cost in container and protocol.
    pub other_bitrate: u32,
}

impl RateLimits {
    /// The best that there is.
    pub const fn best_quality(&self) -> Quality {
        let Self { max_bitrate: bitrate, frame_rate, .. } = *self;
        Quality { bitrate, frame_rate, size: SizeStep::Full, picture: Picture::Moving }
    }

    /// The frames per second at which `bitrate` looks best at this size. Noise has a size that no target changes: of the test
    /// picture 30 frames in a second have more than 600 kbit/s, whatever the encoder is asked for.
    pub fn frame_rate_for(&self, bitrate: u32, size: SizeStep) -> u8 {
        self.frame_rate_of(f64::from(bitrate) / (f64::from(self.max_bitrate) * size.area()))
    }

    /// The same for a part of the highest bitrate.
    pub(super) fn frame_rate_of(&self, share: f64) -> u8 {
        let divisor = match share {
            share if share >= 0.5 => 1,
            share if share >= 0.18 => 2,
            _ => 3,
        };
        (self.frame_rate / divisor).max(self.frame_rate.min(5))
    }
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

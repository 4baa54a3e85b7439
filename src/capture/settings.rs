//! What is asked of a device.

/// What is asked of a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraSettings {
    /// `auto`, or what the profile's `{device}` is: `/dev/video0`, a libcamera name, a file's path.
    pub device: String,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Frames per second.
    pub fps: u8,
    /// Bits per second.
    pub bitrate: u32,
}

/// What is asked of a microphone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MicSettings {
    /// `auto`, or what the profile's `{device}` is: an ALSA name like `plughw:1,0`, a file's path.
    pub device: String,
    /// Bits per second.
    pub bitrate: u32,
    /// Packets in a hundred whose loss the encoder is to make up for in those that follow (in-band FEC, RFC 6716 §2.1.7);
    /// 0 where none are lost.
    pub loss: u8,
}

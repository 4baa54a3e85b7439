//! Where a track's pictures and packets come from.

use bytes::Bytes;

use crate::media::VideoFormat;

/// Where the video track's pictures come from.
#[derive(Debug)]
pub enum VideoFeed {
    /// There is no video track.
    Absent,
    /// From the camera.
    Camera(CameraFeed),
    /// A black picture, repeated.
    Black {
        /// The picture, as a key frame.
        key_frame: Bytes,
        /// Whether it has been shown since the last interruption.
        shown: bool,
    },
}

/// The camera as the segmenter sees it.
#[derive(Debug)]
pub struct CameraFeed {
    /// Its pictures are given up until a key frame comes.
    pub awaiting_key: bool,
    /// What its pictures look like from its next key frame on, if that is something new.
    pub next_format: Option<VideoFormat>,
    /// Its last key frame.
    pub last_key: Option<Bytes>,
}

/// Where the audio track's packets come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioFeed {
    /// From the microphone.
    Microphone,
    /// A silent packet, repeated.
    Silence,
}

impl VideoFeed {
    /// Whether the camera's pictures are given up until a key frame comes.
    pub fn awaits_key(&self) -> bool {
        matches!(self, Self::Camera(CameraFeed { awaiting_key: true, .. }))
    }
}

impl CameraFeed {
    /// What is shown while the camera delivers nothing, and whether it is a key frame: the picture that viewers have,
    /// or in a new epoch, which must begin with a key frame, the camera's last one.
    pub fn stand_in(&self, epoch_due: bool, repeat: &Bytes) -> Option<(Bytes, bool)> {
        if epoch_due {
            let same_format = self.next_format.is_none();
            self.last_key.clone().filter(|_| same_format).map(|key| (key, true))
        } else {
            Some((repeat.clone(), false))
        }
    }
}

impl Default for CameraFeed {
    fn default() -> Self {
        Self { awaiting_key: true, next_format: None, last_key: None }
    }
}

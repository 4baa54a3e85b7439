//! What goes into the machine and what comes out of it.

use std::time::Duration;

use crate::meeting::Presence;
use crate::panel::{Command, PanelState};

/// One of the two devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// The camera.
    Camera,
    /// The microphone.
    Mic,
}

/// What people at the device chose last: what outlives a restart of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Whether the camera is on; `None` if the configuration has none.
    pub camera: Option<bool>,
    /// Whether the microphone is live; `None` if the configuration has none.
    pub mic: Option<bool>,
    /// Whether the device is to be in the meeting.
    pub attending: bool,
}

impl Choice {
    /// This choice with the microphone muted, if there is one: nobody holds a button when the daemon starts.
    pub fn muted(self) -> Self {
        Self { mic: self.mic.map(|_| false), ..self }
    }

    /// This choice, with everything closed that is closed in the other.
    pub fn no_more_open_than(self, other: Self) -> Self {
        let both = |this: Option<bool>, other: Option<bool>| match (this, other) {
            (Some(this), Some(other)) => Some(this && other),
            _ => other,
        };
        Self {
            camera: both(self.camera, other.camera),
            mic: both(self.mic, other.mic),
            attending: self.attending && other.attending,
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A frame came from the device.
    Frame(DeviceKind),
    /// How loud the microphone is, in dB below full scale.
    Level {
        /// Root mean square over the last 100 ms.
        dbfs: f64,
    },
    /// Somebody pressed a button.
    Press(Command),
    /// Somebody at the device chose that the camera be on or off, the microphone live or muted.
    Choose(DeviceKind, bool),
    /// Somebody at the device wants it to be in the meeting.
    Join,
    /// Somebody at the device wants it to be out of the meeting.
    Leave,
    /// The device has other settings now.
    Reopen(DeviceKind),
    /// The configuration has such a device from now on, which is on or off; or, with `None`, has it no more.
    Equip(DeviceKind, Option<bool>),
    /// The meeting, or the way to it, is another one now.
    Rejoin,
    /// The device could not be opened, or was lost; it is closed.
    Failed(DeviceKind),
    /// The relay took the join.
    Joined {
        /// Whether the relay forwards our chunks.
        may_publish: bool,
        /// Whether it is of the first generation: it tells newcomers of us what it heard at our join, and its clients
        /// mix up who stands where when somebody leaves.
        first_generation: bool,
    },
    /// The relay gave the right to publish, or took it away.
    MayPublish(bool),
    /// Somebody joined, or asks for a key frame.
    LateJoin,
    /// Somebody turned a camera or a microphone on or off, or says how they are.
    OtherChanged {
        /// Whether the room did not know it.
        news: bool,
    },
    /// Somebody left who was in the room before the agent, or came back who was there before the agent's connection was
    /// lost: on their page, or everybody's, the agent has another place now.
    CardMoved,
    /// The session with the relay is over.
    SessionEnded {
        /// Whether trying again soon cannot mend it: another login took the seat, the meeting is over, the
        /// token is refused.
        refused: bool,
        /// Even in 0 to 1, for the jitter of the back-off.
        random: f64,
    },
    /// The server that ended the session does not want to hear of us before this has passed.
    NotBefore(Duration),
    /// The daemon is to end.
    Shutdown,
    /// Nothing but time passed.
    Tick,
}

/// What is to be done. The order matters: state events precede the media that they are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Connect to the relay and join with this presence.
    Connect(Presence),
    /// Leave the room, if in one, and end the session.
    Leave,
    /// End the daemon.
    Exit,
    /// Let this be what the daemon begins with the next time.
    Remember(Choice),
    /// Let the lamps tell this, before anything else is done.
    ShowPanel(PanelState),
    /// Tell the room whether the camera is on.
    AnnounceCamera {
        /// Whether the camera is on now.
        has_video: bool,
    },
    /// Tell the room whether the microphone is muted.
    AnnounceMic {
        /// Whether the microphone is muted now.
        is_muted: bool,
    },
    /// Tell the room whether somebody speaks.
    AnnounceSpeaking {
        /// Whether somebody speaks.
        speaking: bool,
    },
    /// Join the room once more on the same connection, with this presence.
    JoinAgain(Presence),
    /// Open the device.
    Open(DeviceKind),
    /// Close the device; nothing that it captured may leave any more.
    Close(DeviceKind),
    /// As `Close`, because the device has gone silent; say so.
    GiveUp(DeviceKind),
    /// The video track shows the camera.
    ShowCamera,
    /// The video track shows black.
    ShowBlack,
    /// The audio track carries the microphone.
    HearMicrophone,
    /// The audio track carries silence.
    HearSilence,
    /// Media flows from here on, in a new epoch.
    StartMedia,
    /// No media flows from here on.
    StopMedia {
        /// Whether it is because the relay took the right to publish away. What was sent last may not have been
        /// forwarded then.
        seat_lost: bool,
    },
}

//! What a press of a button means: from the edges of a bouncing contact to presses, as values. Knows no clock
//! and no pin.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::config::{self, ButtonAction, ButtonCommand};

/// The contact of a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Contact {
    /// Closed by a finger.
    Pressed,
    /// Open.
    Released,
}

/// What somebody did with a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Press {
    /// Pressed and released before it was held long enough for [`Press::Long`].
    Short,
    /// Held; told while it is still held, once.
    Long,
    /// A push-to-talk button was pressed.
    TalkStart,
    /// It was released.
    TalkEnd,
}

/// What the people in the room ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// Mute the microphone or make it live.
    ToggleMic,
    /// Turn the camera off or on.
    ToggleCamera,
    /// Make the microphone live.
    Unmute,
    /// Mute the microphone.
    Mute,
    /// Leave the meeting.
    Leave,
}

impl Command {
    /// What a press asks for on a button that does this; `None` if nothing.
    pub fn of(action: ButtonAction, press: Press) -> Option<Self> {
        let word = match (action, press) {
            (_, Press::TalkStart) => return Some(Self::Unmute),
            (_, Press::TalkEnd) => return Some(Self::Mute),
            (ButtonAction::Press { short, .. }, Press::Short) => short,
            (ButtonAction::Press { long, .. }, Press::Long) => long,
            (ButtonAction::PushToTalk, Press::Short | Press::Long) => return None,
        };
        match word {
            ButtonCommand::ToggleMic => Some(Self::ToggleMic),
            ButtonCommand::ToggleCamera => Some(Self::ToggleCamera),
            ButtonCommand::Mute => Some(Self::Mute),
            ButtonCommand::Leave => Some(Self::Leave),
            ButtonCommand::None => None,
        }
    }
}

/// What a button is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reading {
    /// [`Press::Short`] and [`Press::Long`].
    Presses {
        /// From when on a press is a long one.
        hold: Duration,
    },
    /// [`Press::TalkStart`] and [`Press::TalkEnd`].
    Talk,
}

/// One button. What comes in are the edges of its contact, in order, with their times; what comes out are
/// presses.
///
/// A contact counts once it has been quiet for the debounce time, and then from its last edge on. A button that
/// was held before the first edge came does nothing until it is released and pressed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    reading: Reading,
    debounce: Duration,
    state: State,
    /// Since when the contact is another than the settled one, if it is.
    unsettled: Option<Instant>,
    /// Nothing before this time can happen any more.
    seen: Option<Instant>,
    presses: VecDeque<Press>,
}

/// The settled contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Released,
    /// Since then, and not yet long.
    Pressed(Instant),
    /// Pressed, and what there is to tell has been told.
    Told,
}

impl Button {
    /// A released button.
    pub fn new(reading: Reading, debounce: Duration) -> Self {
        Self {
            reading,
            debounce,
            state: State::Released,
            unsettled: None,
            seen: None,
            presses: VecDeque::new(),
        }
    }

    /// The button as it is configured.
    pub fn configured(button: &config::Button) -> Self {
        let reading = match button.action {
            ButtonAction::PushToTalk => Reading::Talk,
            ButtonAction::Press { .. } => Reading::Presses { hold: button.hold.duration() },
        };
        Self::new(reading, button.debounce.duration())
    }

    /// Takes in an edge: from `at` on the contact is `contact`. What was due before is done first, however late
    /// the edge comes in; a time before one that was already seen counts as that.
    pub fn edge(&mut self, contact: Contact, at: Instant) {
        let at = self.seen.map_or(at, |seen| seen.max(at));
        self.tick(at);
        let settled = if self.state == State::Released { Contact::Released } else { Contact::Pressed };
        // A second edge of the same kind tells that one between them was lost: the contact is not quiet.
        self.unsettled = (contact != settled).then_some(at);
        // A contact that comes back to rest after a bounce may have been pressed for long meanwhile.
        self.tick(at);
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Instant) {
        self.seen = Some(self.seen.map_or(now, |seen| seen.max(now)));
        // Twice at most: a contact that settles, and a press that has become long.
        while self.poll_timeout().is_some_and(|due| due <= now) {
            self.happen();
        }
    }

    /// What is due by now, of which [`Button::poll_timeout`] told.
    fn happen(&mut self) {
        match (self.state, self.unsettled.take()) {
            (State::Released, Some(since)) => {
                self.state = State::Pressed(since);
                if self.reading == Reading::Talk {
                    self.state = State::Told;
                    self.presses.push_back(Press::TalkStart);
                }
            }
            (State::Pressed(_), Some(_)) => {
                self.state = State::Released;
                self.presses.push_back(Press::Short);
            }
            (State::Told, Some(_)) => {
                self.state = State::Released;
                if self.reading == Reading::Talk {
                    self.presses.push_back(Press::TalkEnd);
                }
            }
            (State::Pressed(_), None) => {
                self.state = State::Told;
                self.presses.push_back(Press::Long);
            }
            (State::Released | State::Told, None) => {}
        }
    }

    /// When [`Button::tick`] has something to do; `None` while only an edge can change anything.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match (self.unsettled, self.state, self.reading) {
            (Some(since), ..) => since.checked_add(self.debounce),
            (None, State::Pressed(since), Reading::Presses { hold }) => since.checked_add(hold),
            (None, ..) => None,
        }
    }

    /// Ends what is going on, as if the contact were open from now on: for a button that can no longer be read.
    /// Whoever talks stops talking; a press that was begun does not count.
    pub fn lose(&mut self) {
        if self.reading == Reading::Talk && self.state == State::Told {
            self.presses.push_back(Press::TalkEnd);
        }
        self.state = State::Released;
        self.unsettled = None;
    }

    /// The next press, oldest first.
    pub fn poll_press(&mut self) -> Option<Press> {
        self.presses.pop_front()
    }
}

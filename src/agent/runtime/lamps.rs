//! Lamps, and who was told to wait for them: what was closed is kept before a lamp calls it closed.
//!
//! Keeping a choice takes as long as the disk does, and nothing waits for it but this: media were cut before, and a
//! lamp that is to say more than the last time says it at once.

use std::time::Instant;

use tokio::sync::oneshot;

use super::Runtime;
use crate::agent::choice_file::ChoiceFileError;
use crate::agent::faults::Part;
use crate::control::{Refusal, Status};
use crate::panel::{Camera, Mic, PanelState};

/// Where the answer to a command is to go.
pub(super) type CommandAnswer = oneshot::Sender<Result<Status, Refusal>>;

/// What the lamps are to tell, and what they tell.
#[derive(Debug)]
pub(super) struct Shown {
    wanted: PanelState,
    told: PanelState,
    /// Answers that wait until both are the same.
    answers: Vec<(CommandAnswer, Result<(), Refusal>)>,
}

impl Shown {
    pub(super) fn new() -> Self {
        Self { wanted: PanelState::CLOSED, told: PanelState::CLOSED, answers: Vec::new() }
    }
}

impl Runtime {
    /// Lets the lamps tell this, but for what is closed and not kept yet.
    pub(super) async fn show_panel(&mut self, wanted: PanelState) {
        let told = match self.choice_file.is_awaited() {
            true => not_closed_since(self.shown.told, wanted),
            false => wanted,
        };
        (self.shown.wanted, self.shown.told) = (wanted, told);
        let shown = self.panel.show(&told, Instant::now());
        self.trust_panel(shown).await;
        if self.lamps_have_followed() {
            for (answer, done) in std::mem::take(&mut self.shown.answers) {
                self.answer(answer, done);
            }
        }
    }

    /// Whether the lamps tell what they are to tell.
    pub(super) fn lamps_have_followed(&self) -> bool {
        self.shown.wanted == self.shown.told
    }

    /// The choice is kept, or is not, or takes long: then the lamps tell at least what is now.
    pub(super) async fn choice_kept(&mut self, kept: Result<(), ChoiceFileError>) {
        match kept {
            Ok(()) => self.faults.clear(Part::ChoiceFile),
            Err(error) => {
                self.fault(Part::ChoiceFile, &error.to_string());
            }
        }
        if !self.choice_file.is_awaited() && !self.lamps_have_followed() {
            self.show_panel(self.shown.wanted).await;
            self.tell_state();
        }
    }

    /// A command is answered when the lamps have followed.
    pub(super) fn answer(&mut self, answer: CommandAnswer, done: Result<(), Refusal>) {
        if self.lamps_have_followed() {
            // The caller may have gone.
            let _ = answer.send(done.map(|()| self.status()));
        } else {
            self.shown.answers.push((answer, done));
        }
    }
}

/// `wanted`, but a device that was open in `told` is not closed yet.
fn not_closed_since(told: PanelState, wanted: PanelState) -> PanelState {
    PanelState {
        camera: if wanted.camera == Camera::Off { told.camera } else { wanted.camera },
        mic: if wanted.mic == Mic::Muted { told.mic } else { wanted.mic },
        ..wanted
    }
}

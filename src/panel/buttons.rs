//! The buttons, each with what it means, and the edges that come in from all of them.

use std::future::pending;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::backend::{Edge, Inputs};
use super::button::{Button, Command, Press};
use super::error::{Cause, PanelError};
use crate::config;

/// A press that asks for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pressed {
    /// The pin of the button.
    pub pin: String,
    /// What was done with it.
    pub press: Press,
    /// What is asked for.
    pub command: Command,
}

/// All buttons of the panel.
#[derive(Debug, Default)]
pub struct Buttons {
    buttons: Vec<(config::Button, Button)>,
    inputs: Option<Inputs>,
    /// Why there are no inputs any more, until that was told.
    lost: Option<PanelError>,
}

impl Buttons {
    /// Buttons whose edges come from somewhere else: [`Edge::button`] counts through `buttons`. An error, or the
    /// end of the channel, is a loss of the buttons.
    pub fn fed(buttons: Vec<config::Button>, edges: mpsc::Receiver<Result<Edge, Cause>>) -> Self {
        Self::read(buttons, Inputs { edges, _source: Box::new(()) })
    }

    pub(super) fn read(buttons: Vec<config::Button>, inputs: Inputs) -> Self {
        let buttons =
            buttons.into_iter().map(|button| (button.clone(), Button::configured(&button))).collect();
        Self { buttons, inputs: Some(inputs), lost: None }
    }

    pub(super) async fn next_press(&mut self) -> Result<Pressed, PanelError> {
        loop {
            if let Some(pressed) = self.poll_press() {
                return Ok(pressed);
            }
            if let Some(error) = self.lost.take() {
                return Err(error);
            }
            let due = self.buttons.iter().filter_map(|(_, button)| button.poll_timeout()).min();
            tokio::select! {
                // Edges first: what they say happened before whatever was due since.
                biased;
                edge = next_edge(&mut self.inputs) => self.take_in(edge),
                due = until(due) => self.buttons.iter_mut().for_each(|(_, button)| button.tick(due)),
            }
        }
    }

    fn take_in(&mut self, edge: Option<Result<Edge, Cause>>) {
        match edge {
            Some(Ok(edge)) => {
                if let Some((_, button)) = self.buttons.get_mut(edge.button) {
                    button.edge(edge.contact, edge.at);
                }
            }
            Some(Err(cause)) => self.lose(PanelError::ButtonsLost(cause)),
            None => self.lose(PanelError::ButtonsUnfed),
        }
    }

    fn lose(&mut self, error: PanelError) {
        self.buttons.iter_mut().for_each(|(_, button)| button.lose());
        self.inputs = None;
        self.lost = Some(error);
    }

    /// Ends what is going on, as [`Button::lose`] does, and returns the presses that were not told yet.
    pub(super) fn end_presses(&mut self) -> Vec<Pressed> {
        self.buttons.iter_mut().for_each(|(_, button)| button.lose());
        std::iter::from_fn(|| self.poll_press()).collect()
    }

    fn poll_press(&mut self) -> Option<Pressed> {
        self.buttons.iter_mut().find_map(|(config, button)| {
            // A press that asks for nothing is skipped.
            loop {
                let press = button.poll_press()?;
                if let Some(command) = Command::of(config.action, press) {
                    return Some(Pressed { pin: config.pin.to_string(), press, command });
                }
            }
        })
    }
}

async fn next_edge(inputs: &mut Option<Inputs>) -> Option<Result<Edge, Cause>> {
    match inputs {
        Some(inputs) => inputs.edges.recv().await,
        None => pending().await,
    }
}

async fn until(due: Option<Instant>) -> Instant {
    match due {
        Some(due) => {
            sleep_until(due.into()).await;
            due
        }
        None => pending().await,
    }
}

//! The door between those who ask and the agent that answers.

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Command, Refusal, State, Status};

/// Requests that wait for the agent at most; more wait outside.
const QUEUE: usize = 16;

/// What is asked of the agent. Whoever drops the sender refuses to answer, as an agent does that ends.
#[derive(Debug)]
pub enum Request {
    /// What is the state of everything?
    Status(oneshot::Sender<Status>),
    /// Do this. The answer is the state after it: lamps have followed, what was closed is closed, and a device that
    /// takes a moment to open says that it does.
    Command(Command, oneshot::Sender<Result<Status, Refusal>>),
    /// What does the camera see? The answer is a JPEG.
    Snapshot(oneshot::Sender<Result<Bytes, Refusal>>),
}

/// For those who ask.
#[derive(Debug, Clone)]
pub struct Control {
    requests: mpsc::Sender<Request>,
    state: watch::Receiver<State>,
}

/// For the agent, which answers.
#[derive(Debug)]
pub struct Requests {
    requests: mpsc::Receiver<Request>,
    state: watch::Sender<State>,
}

/// A door; `state` is what is known before the agent has told anything.
pub fn requests(state: State) -> (Control, Requests) {
    let (request_sender, request_receiver) = mpsc::channel(QUEUE);
    let (state_sender, state_receiver) = watch::channel(state);
    (
        Control { requests: request_sender, state: state_receiver },
        Requests { requests: request_receiver, state: state_sender },
    )
}

/// The agent is ending, or has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the agent is ending")]
pub struct AgentGone;

impl Control {
    /// Asks for the state of everything.
    pub async fn status(&self) -> Result<Status, AgentGone> {
        self.ask(Request::Status).await
    }

    /// Asks for something to be done; answers when it is.
    pub async fn command(&self, command: Command) -> Result<Result<Status, Refusal>, AgentGone> {
        self.ask(|answer| Request::Command(command, answer)).await
    }

    /// Asks for a picture.
    pub async fn snapshot(&self) -> Result<Result<Bytes, Refusal>, AgentGone> {
        self.ask(Request::Snapshot).await
    }

    /// The state as it is and as it changes.
    pub fn watch(&self) -> Result<watch::Receiver<State>, AgentGone> {
        self.state.has_changed().map_err(|_| AgentGone)?;
        Ok(self.state.clone())
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, AgentGone> {
        let (sender, answer) = oneshot::channel();
        self.requests.send(request(sender)).await.map_err(|_| AgentGone)?;
        answer.await.map_err(|_| AgentGone)
    }
}

impl Requests {
    /// What is asked next; `None` if nobody can ask any more. Can be dropped while it waits.
    pub async fn next(&mut self) -> Option<Request> {
        self.requests.recv().await
    }

    /// Tells the state, to those who watch it if it is another one.
    pub fn tell(&self, state: State) {
        self.state.send_if_modified(|told| {
            let changed = *told != state;
            if changed {
                *told = state;
            }
            changed
        });
    }
}

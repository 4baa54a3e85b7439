//! A thread that reads edges, and can be stopped while it waits for one.

use std::io::{self, PipeReader, PipeWriter, pipe};
use std::os::fd::AsFd;
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::sync::mpsc;

use super::input::Edge;
use crate::config::Backend;
use crate::panel::error::Cause;

/// The thread. Dropped, it ends, and what it reads from is closed. If somebody else holds the other end of its
/// channel and does not read it, that must be dropped first.
#[derive(Debug)]
pub(super) struct Reader {
    /// The thread ends when this is closed.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Reads from `source` whenever there is something, and sends the edges. `read` must not wait then; what it
    /// reads may be no edge. After an error, which is sent too, the thread ends.
    pub fn start<S: AsFd + Send + 'static>(
        source: S,
        mut read: impl FnMut(&S) -> Result<Option<Edge>, Cause> + Send + 'static,
        sender: mpsc::Sender<Result<Edge, Cause>>,
    ) -> io::Result<Self> {
        let (stopped, stop) = pipe()?;
        let thread = thread::Builder::new().name("panel-buttons".to_owned()).spawn(move || {
            loop {
                let edge = match wait(&source, &stopped) {
                    Wait::Stopped => return,
                    Wait::Ready => read(&source).transpose(),
                    Wait::Failed(error) => {
                        let remedy = "the daemon must be restarted";
                        Some(Err(Cause::new(Backend::Gpiochip, error.to_string(), remedy)))
                    }
                };
                let Some(edge) = edge else { continue };
                let failed = edge.is_err();
                // Nobody listens any more only when the panel is being closed.
                if sender.blocking_send(edge).is_err() || failed {
                    return;
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that reads the buttons has panicked");
        }
    }
}

enum Wait {
    Ready,
    Stopped,
    Failed(Errno),
}

fn wait(source: &impl AsFd, stopped: &PipeReader) -> Wait {
    loop {
        let mut fds = [PollFd::new(stopped, PollFlags::IN), PollFd::new(source, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) if !fds[0].revents().is_empty() => return Wait::Stopped,
            Ok(_) => return Wait::Ready,
            Err(Errno::INTR) => {}
            Err(error) => return Wait::Failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::time::Instant;

    use super::*;
    use crate::panel::backend::Inputs;
    use crate::panel::button::Contact;

    /// Each byte is an edge of that button, but 255 is none, and the end of the pipe an error.
    fn read_byte(mut source: &PipeReader) -> Result<Option<Edge>, Cause> {
        let mut byte = [0];
        match source.read(&mut byte) {
            Ok(1) if byte == [255] => Ok(None),
            Ok(1) => Ok(Some(Edge { button: byte[0].into(), contact: Contact::Pressed, at: Instant::now() })),
            _ => Err(Cause::new(Backend::Gpiochip, "the end", "nothing")),
        }
    }

    fn start(capacity: usize) -> (Inputs, PipeWriter) {
        let (source, pin) = pipe().unwrap();
        let (sender, edges) = mpsc::channel(capacity);
        let reader = Reader::start(source, read_byte, sender).unwrap();
        (Inputs { edges, _source: Box::new(reader) }, pin)
    }

    #[test]
    fn edges_come_in_order_and_after_an_error_none() {
        let (mut inputs, mut pin) = start(1);
        pin.write_all(&[3, 255, 1, 2]).unwrap();
        drop(pin);

        let buttons = [(); 3].map(|()| inputs.edges.blocking_recv().unwrap().unwrap().button);
        assert_eq!(buttons, [3, 1, 2]);
        let Some(Err(cause)) = inputs.edges.blocking_recv() else { panic!("the error was lost") };
        assert_eq!(cause.to_string(), "gpiochip: the end; nothing");
        assert_eq!(inputs.edges.blocking_recv(), None);
    }

    #[test]
    fn it_ends_while_it_waits_for_an_edge_and_while_it_waits_for_room() {
        let (inputs, _pin) = start(1);
        drop(inputs);

        let (mut inputs, mut pin) = start(1);
        pin.write_all(&[0; 100]).unwrap();
        assert!(inputs.edges.blocking_recv().is_some());
        drop(inputs);
    }
}

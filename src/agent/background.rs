//! Work that may take longer than a frame, on a thread of its own.

use tokio::sync::oneshot;

/// A job on a thread of its own. Dropping this leaves the thread to itself.
///
/// It is none of tokio's threads for blocking work: the daemon could not end before one of them that hangs.
#[derive(Debug)]
pub(super) struct Background<T>(oneshot::Receiver<T>);

/// The thread could not be started, or has panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its thread did not start, or has panicked")]
pub(super) struct JobLost;

impl<T: Send + 'static> Background<T> {
    /// Starts the job; `name` is the thread's.
    pub(super) fn start(name: &str, job: impl FnOnce() -> T + Send + 'static) -> Self {
        let (done, result) = oneshot::channel();
        let started = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Nobody may want the result any more.
            let _ = done.send(job());
        });
        if let Err(error) = started {
            // The job and its sender are gone with the thread, and `done` says so.
            tracing::error!("cannot start the thread {name}: {error}");
        }
        Self(result)
    }

    /// Waits for the result, which comes once. Can be dropped while it waits.
    pub(super) async fn done(&mut self) -> Result<T, JobLost> {
        (&mut self.0).await.map_err(|_| JobLost)
    }
}

//! The thread behind a pipeline, from its start to its end.

use std::sync::mpsc as std_mpsc;

use tokio::sync::oneshot;

use super::CaptureError;
use super::worker::{Opened, Wake, Worker};

/// A device that is being closed.
#[derive(Debug)]
pub struct Closing {
    /// Fails as soon as the thread is through; `None` once that is known.
    ended: Option<oneshot::Receiver<()>>,
}

impl Closing {
    /// Of a device that nobody has.
    pub(super) fn over() -> Self {
        Self { ended: None }
    }

    /// Waits until the device is closed, for as long as its driver takes. Can be dropped while it waits.
    pub async fn done(&mut self) {
        if let Some(ended) = &mut self.ended {
            // Nothing is ever sent: the channel ends with the thread.
            let _ = ended.await;
            self.ended = None;
        }
    }

    /// Whether the device is closed.
    pub fn is_over(&mut self) -> bool {
        if let Some(ended) = &mut self.ended
            && ended.try_recv() != Err(oneshot::error::TryRecvError::Empty)
        {
            self.ended = None;
        }
        self.ended.is_none()
    }
}

/// The thread behind a pipeline. Dropping this tells it to close the device and end, and does not wait.
#[derive(Debug)]
pub(super) struct WorkerThread {
    waker: std_mpsc::Sender<Wake>,
    /// Its sender is the last thing the thread drops.
    ended: Option<oneshot::Receiver<()>>,
}

impl WorkerThread {
    /// Starts it.
    pub(super) fn spawn(
        worker: Worker,
        opened: oneshot::Sender<Result<Opened, CaptureError>>,
        waker: std_mpsc::Sender<Wake>,
        device: &str,
    ) -> Result<Self, CaptureError> {
        let (end, ended) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name(format!("capture-{}", worker.request.track()))
            .spawn(move || {
                worker.run(opened);
                drop(end);
            })
            .map_err(|error| CaptureError::Device {
                device: device.to_owned(),
                reason: format!("cannot start a thread: {error}"),
            })?;
        Ok(Self { waker, ended: Some(ended) })
    }

    pub(super) fn wake(&self, wake: Wake) {
        // A thread that is gone needs no waking: its pipeline has failed and said so.
        let _ = self.waker.send(wake);
    }

    /// Has the thread close the device and end.
    pub(super) fn stop(&mut self) -> Closing {
        self.wake(Wake::Stop);
        Closing { ended: self.ended.take() }
    }
}

impl Drop for WorkerThread {
    fn drop(&mut self) {
        self.wake(Wake::Stop);
    }
}

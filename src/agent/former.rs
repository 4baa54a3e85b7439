//! Workers that nobody wants any more and that have not ended yet: they are closing a device, or hang in its driver.

use tokio::time::{Instant, timeout_at};

use crate::capture::{CLOSE_TIMEOUT, CaptureError, Closing};

/// The former workers of a camera or a microphone: at most one for each name under which it was configured.
#[derive(Debug, Default)]
pub(super) struct FormerWorkers(Vec<Former>);

#[derive(Debug)]
struct Former {
    /// The device as configured.
    configured: String,
    closing: Closing,
    /// By then it counts as hung.
    due: Instant,
    /// Why the device cannot be opened while it hangs.
    fault: CaptureError,
    /// Whether those who want the device know that.
    told: bool,
}

impl FormerWorkers {
    /// A worker is closing a device that was open or opening.
    pub(super) fn closes(&mut self, configured: String, device: String, closing: Closing) {
        let due = Instant::now() + CLOSE_TIMEOUT;
        let fault = CaptureError::CloseTimeout { device, after: CLOSE_TIMEOUT };
        self.0.push(Former { configured, closing, due, fault, told: false });
    }

    /// A worker hangs in the driver of the device that it was to open; whoever wants it open is told by the caller.
    pub(super) fn hangs(&mut self, configured: String, fault: CaptureError, closing: Closing) {
        self.0.push(Former { configured, closing, due: Instant::now(), fault, told: true });
    }

    /// Nobody wants the device any more; whoever wants it again is to be told again that it hangs.
    pub(super) fn tell_again(&mut self) {
        for former in &mut self.0 {
            former.told = false;
        }
    }

    /// Waits until a worker for `configured` can be started: as long as one for the same device hangs, there is no
    /// second one. That it hangs is an error once; after that this waits for as long as it takes. Can be dropped
    /// while it waits.
    pub(super) async fn gone(&mut self, configured: &str) -> Result<(), CaptureError> {
        loop {
            self.0.retain_mut(|former| !former.closing.is_over());
            let now = Instant::now();
            // One of another name may have the same device, as `auto` does; but it is not waited for if it hangs.
            let in_the_way = |former: &&mut Former| former.configured == configured || now < former.due;
            let Some(former) = self.0.iter_mut().find(in_the_way) else { return Ok(()) };
            if former.told {
                former.closing.done().await;
            } else if timeout_at(former.due, former.closing.done()).await.is_err()
                && former.configured == configured
            {
                former.told = true;
                return Err(former.fault.clone());
            }
        }
    }

    /// Waits until all have ended or count as hung.
    pub(super) async fn end(&mut self) {
        for mut former in self.0.drain(..) {
            if timeout_at(former.due, former.closing.done()).await.is_err() {
                tracing::warn!("{}", former.fault);
            }
        }
    }
}

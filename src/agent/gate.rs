//! A gate at which a test stops a thread.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Condvar, Mutex};

/// Open at first. Its clones are the same gate.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Arc<(Mutex<Passing>, Condvar)>);

#[derive(Debug, Default)]
struct Passing {
    closed: bool,
    /// How many threads stand before it.
    waiting: usize,
}

impl Gate {
    pub(super) fn close(&self) {
        self.0.0.lock().unwrap().closed = true;
    }

    pub(super) fn open(&self) {
        self.0.0.lock().unwrap().closed = false;
        self.0.1.notify_all();
    }

    /// Goes through, as soon as it is open.
    pub(super) fn pass(&self) {
        let mut passing = self.0.0.lock().unwrap();
        passing.waiting += 1;
        let mut passing = self.0.1.wait_while(passing, |passing| passing.closed).unwrap();
        passing.waiting -= 1;
    }

    /// Whether somebody stands before it.
    pub(super) fn holds_somebody(&self) -> bool {
        self.0.0.lock().unwrap().waiting > 0
    }
}

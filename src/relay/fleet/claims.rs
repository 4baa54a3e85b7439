//! A user id is one client's at a time, on all relays together: who connects claims it, and waits for what the others say.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::Fleet;
use super::wire::{Answer, Body};
use crate::relay::identity::Identity;

/// How long the other relays may take to answer. One that does not is frozen or has died, and its clients come here.
const ANSWERED: Duration = Duration::from_millis(300);
/// How long one may take that asks its client whether it is there.
const ASKED: Duration = Duration::from_secs(4);
/// Answers that may wait for who claims: more relays than anybody has.
const ANSWERS: usize = 256;

/// What comes of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::relay) enum Claimed {
    /// No relay that answers has somebody who keeps the user id.
    Free,
    /// Another relay has.
    Taken,
}

/// Claims that wait for answers.
#[derive(Default)]
pub(super) struct Claims {
    waiting: Mutex<HashMap<u64, mpsc::Sender<Answer>>>,
}

impl Claims {
    /// An answer has come.
    pub fn hear(&self, id: u64, answer: Answer) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(claim) = waiting.get(&id) {
            // Who claimed may have gone.
            let _ = claim.try_send(answer);
        }
    }

    fn open(&self) -> Claim<'_> {
        let id = rand::random();
        let (sender, answers) = mpsc::channel(ANSWERS);
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        Claim { claims: self, id, answers }
    }
}

/// A claim that waits for answers until it is dropped.
struct Claim<'a> {
    claims: &'a Claims,
    id: u64,
    answers: mpsc::Receiver<Answer>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.claims.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Fleet {
    /// Claims a user id for somebody who connects here. Takes as long as the other relays take to answer, or 4 s at most.
    pub async fn claim(&self, identity: Identity) -> Claimed {
        let mut others = self.relays.load(Ordering::Relaxed);
        if others == 0 || !self.there.load(Ordering::Relaxed) {
            return Claimed::Free;
        }
        let mut claim = self.claims.open();
        let Identity { user_id, role, proof } = identity;
        self.tell_all(Body::Claim { id: claim.id, user_id: user_id.to_string(), role, proof });
        let begun = Instant::now();
        let mut deadline = begun + ANSWERED;
        while others > 0 {
            let Ok(Some(answer)) = timeout_at(deadline, claim.answers.recv()).await else {
                return Claimed::Free;
            };
            match answer {
                Answer::Taken => return Claimed::Taken,
                Answer::Free => others -= 1,
                Answer::Asking => deadline = begun + ASKED,
            }
        }
        Claimed::Free
    }
}

//! A rate, of which clients of one address take half at most, as of [`places`](super::places). Pure; time comes in.

use std::collections::HashMap;
use std::time::Instant;

use super::rate::{Allowance, Rate};
use crate::http::ClientAddress;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct SharedRate {
    all: Rate,
    share: Allowance,
    by_client: HashMap<ClientAddress, Rate>,
    /// Addresses at most; then those that have rested are forgotten, which is half of them at least.
    max_clients: usize,
}

/// Why one more is not within the rate.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TooMany {
    /// All clients together have used it up.
    OfAll,
    /// The client's address has its share.
    OfClient,
}

impl SharedRate {
    /// So many per second, all of them at once after a quiet time.
    pub fn new(per_second: u32, now: Instant) -> Self {
        let share = per_second.div_ceil(2);
        Self {
            all: Rate::new(Allowance::new(per_second, per_second), now),
            share: Allowance::new(share, share),
            by_client: HashMap::new(),
            // Twice as many as can have been admitted since their buckets were full, a second ago.
            max_clients: usize::try_from(per_second).unwrap_or(usize::MAX).saturating_mul(4),
        }
    }

    /// How many per second clients of one address may have.
    pub fn share(&self) -> u32 {
        self.share.per_second
    }

    /// Counts one more, of a client; one of this machine (`None`) may use up all of the rate.
    pub fn admit(&mut self, client: Option<ClientAddress>, now: Instant) -> Result<(), TooMany> {
        if !self.all.would_admit(now) {
            return Err(TooMany::OfAll);
        }
        if let Some(client) = client {
            if self.by_client.len() >= self.max_clients {
                self.by_client.retain(|_, rate| !rate.is_rested(now));
            }
            let own = self.by_client.entry(client).or_insert_with(|| Rate::new(self.share, now));
            if !own.admits(now) {
                return Err(TooMany::OfClient);
            }
        }
        self.all.admits(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn client(last: u8) -> Option<ClientAddress> {
        ClientAddress::remote([192, 0, 2, last].into())
    }

    #[test]
    fn one_address_leaves_half_to_others() {
        let start = Instant::now();
        let mut rate = SharedRate::new(6, start);
        let mut admitted = |client, at| (0..100).filter(|_| rate.admit(client, at).is_ok()).count();

        assert_eq!(
            (admitted(client(1), start), admitted(client(2), start), admitted(client(3), start)),
            (3, 3, 0)
        );
        let later = start + Duration::from_secs(1);
        assert_eq!((admitted(client(1), later), admitted(client(3), later)), (3, 3));
    }

    #[test]
    fn who_asks_too_often_is_told_apart_from_a_crowd() {
        let start = Instant::now();
        let mut rate = SharedRate::new(4, start);
        let mut last = |client| (0..3).map(|_| rate.admit(client, start)).last();

        assert_eq!(last(client(1)), Some(Err(TooMany::OfClient)));
        assert_eq!(last(client(2)), Some(Err(TooMany::OfAll)));
    }

    #[test]
    fn a_proxy_on_this_machine_may_use_all_of_it() {
        let start = Instant::now();
        let mut rate = SharedRate::new(6, start);
        assert_eq!((0..100).filter(|_| rate.admit(None, start).is_ok()).count(), 6);
    }

    #[test]
    fn addresses_are_forgotten_when_they_have_rested() {
        let start = Instant::now();
        let mut rate = SharedRate::new(100, start);
        let address = |number: u32| ClientAddress::remote(number.to_be_bytes().into());
        for number in 1..=5000 {
            rate.admit(address(number), start + Duration::from_millis(10) * number).unwrap();
        }
        assert!(rate.by_client.len() <= 400, "{} addresses", rate.by_client.len());
    }
}

//! A number of places, of which clients of one address take half at most: who uses up their share leaves the rest to
//! others. A whole office behind one router is one address, so the share is large.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::ClientAddress;

/// See the module's documentation.
pub(super) struct Places {
    max: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_client: HashMap<ClientAddress, usize>,
}

/// Why there is no place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// All are taken.
    Full,
    /// The client's address has its share.
    ShareUsed,
}

/// A place, given back when it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    client: Option<ClientAddress>,
}

impl Places {
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, taken: Mutex::default() })
    }

    /// How many clients of one address may have.
    pub fn share(&self) -> usize {
        self.max.div_ceil(2)
    }

    /// A place for a client; one of this machine (`None`) may take all.
    pub fn take(self: &Arc<Self>, client: Option<ClientAddress>) -> Result<Place, NoPlace> {
        let mut taken = self.taken();
        if taken.all >= self.max {
            return Err(NoPlace::Full);
        }
        if let Some(client) = client {
            let own = taken.by_client.entry(client).or_default();
            if *own >= self.share() {
                return Err(NoPlace::ShareUsed);
            }
            *own += 1;
        }
        taken.all += 1;
        drop(taken);
        Ok(Place { places: self.clone(), client })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whose it is; `None` for a client of this machine.
    pub fn client(&self) -> Option<ClientAddress> {
        self.client
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        if let Some(client) = self.client
            && let Some(own) = taken.by_client.get_mut(&client)
        {
            *own -= 1;
            if *own == 0 {
                taken.by_client.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> Option<ClientAddress> {
        ClientAddress::remote([192, 0, 2, last].into())
    }

    fn take(places: &Arc<Places>, client: Option<ClientAddress>, count: usize) -> Vec<Place> {
        (0..count).map(|_| places.take(client).ok().unwrap()).collect()
    }

    #[test]
    fn one_address_leaves_half_to_others() {
        let places = Places::new(6);
        let mut greedy = take(&places, client(1), 3);
        assert_eq!(places.take(client(1)).err(), Some(NoPlace::ShareUsed));
        let others = take(&places, client(2), 3);
        assert_eq!(places.take(client(3)).err(), Some(NoPlace::Full));

        greedy.pop();
        drop(others);
        drop(take(&places, client(1), 1));
        drop(greedy);
        assert!(places.taken().by_client.is_empty());
        assert_eq!(places.taken().all, 0);
    }

    #[test]
    fn a_proxy_on_this_machine_may_take_all() {
        let places = Places::new(6);
        let _all = take(&places, None, 6);
        assert_eq!(places.take(None).err(), Some(NoPlace::Full));
    }

    #[test]
    fn the_only_place_is_for_anybody() {
        let places = Places::new(1);
        assert!(places.take(client(1)).is_ok());
    }
}

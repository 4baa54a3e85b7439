//! A model of a peer connection: descriptions in and out, and whether two of them carry media.

use std::collections::BTreeSet;

use super::paths::Way;

/// The certificate and the ICE credentials of one end, as a description carries them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    pub fingerprint: u32,
    pub fragment: u32,
}

impl Credentials {
    /// A description with these candidates; `origin` is the name that software of this kind writes.
    fn sdp(self, origin: &str, ways: &BTreeSet<Way>) -> String {
        let candidates: String = ways.iter().map(|way| format!("a={}\r\n", way.candidate())).collect();
        format!(
            "v=0\r\no={origin} 1 2 IN IP4 0.0.0.0\r\na=ice-ufrag:u{}\r\na=fingerprint:sha-256 {}\r\n{candidates}",
            self.fragment, self.fingerprint
        )
    }

    /// What candidates of the description carry.
    pub fn username_fragment(self) -> String {
        format!("u{}", self.fragment)
    }

    pub fn read(sdp: &str) -> Self {
        let number =
            |prefix| sdp.lines().find_map(|line| line.strip_prefix(prefix)).unwrap().parse().unwrap();
        Self { fragment: number("a=ice-ufrag:u"), fingerprint: number("a=fingerprint:sha-256 ") }
    }
}

/// One end, as browsers behave: an offer that comes takes back one that was made.
#[derive(Debug)]
pub struct Connection {
    origin: &'static str,
    pub local: Credentials,
    pub remote: Option<Credentials>,
    /// The other end's candidates, of its description in force.
    pub known: BTreeSet<Way>,
    /// The fragment of an offer that has no answer.
    offer: Option<u32>,
    pub connected: bool,
    /// Whether it carries something only by way of its owner's address at the TURN server.
    pub relayed: bool,
    /// Since when (ms) nothing is carried, from the first description on.
    pub broken_since: Option<u64>,
    /// That it is broken was told.
    pub told: u8,
}

impl Connection {
    pub fn new(origin: &'static str, ids: &mut u32) -> Self {
        *ids += 2;
        let local = Credentials { fingerprint: *ids, fragment: *ids + 1 };
        Self {
            origin,
            local,
            remote: None,
            known: BTreeSet::new(),
            offer: None,
            connected: false,
            relayed: false,
            broken_since: None,
            told: 0,
        }
    }

    /// An offer with the candidates `ways`; `restart`: with other ICE credentials.
    pub fn make_offer(&mut self, restart: bool, ways: &BTreeSet<Way>, ids: &mut u32) -> String {
        if restart {
            *ids += 2;
        }
        let fragment = if restart { *ids } else { self.local.fragment };
        self.offer = Some(fragment);
        Credentials { fragment, ..self.local }.sdp(self.origin, ways)
    }

    /// Answers an offer, with the candidates `ways`. An end that had made an offer before anything was agreed, or sees other credentials, has others
    /// itself.
    pub fn answer(&mut self, offer: &str, ways: &BTreeSet<Way>, ids: &mut u32) -> String {
        let remote = Credentials::read(offer);
        let rolled_back = self.offer.take().is_some();
        let restarted = self.remote.is_some_and(|known| known != remote);
        if (rolled_back && self.remote.is_none()) || restarted {
            *ids += 2;
            self.local.fragment = *ids;
        }
        self.learn(offer);
        self.local.sdp(self.origin, ways)
    }

    /// Takes in an answer; says whether there was an offer.
    pub fn accept(&mut self, answer: &str) -> bool {
        let Some(fragment) = self.offer.take() else { return false };
        self.local.fragment = fragment;
        self.learn(answer);
        true
    }

    fn learn(&mut self, sdp: &str) {
        let remote = Credentials::read(sdp);
        if self.remote.replace(remote) != Some(remote) {
            self.known.clear();
        }
        self.known.extend(sdp.lines().filter_map(|line| Way::read(line.strip_prefix("a=")?)));
    }

    /// Takes in a candidate; says whether it belongs to the description in force.
    pub fn add_candidate(&mut self, candidate: &str, username_fragment: Option<&str>) -> bool {
        let described = self.remote.map(Credentials::username_fragment);
        let belongs = described.is_some() && described.as_deref() == username_fragment;
        if belongs {
            self.known.insert(Way::read(candidate).unwrap());
        }
        belongs
    }

    /// Whether the two are ends of one connection.
    pub fn fits(&self, other: &Self) -> bool {
        self.remote == Some(other.local) && other.remote == Some(self.local)
    }
}

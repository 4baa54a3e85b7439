//! A model of a peer connection: descriptions in and out, and whether two of them carry media.

/// The certificate and the ICE credentials of one end, as a description carries them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    pub fingerprint: u32,
    pub fragment: u32,
}

impl Credentials {
    /// A description; `origin` is the name that software of this kind writes.
    pub fn sdp(self, origin: &str) -> String {
        format!(
            "v=0\r\no={origin} 1 2 IN IP4 0.0.0.0\r\na=ice-ufrag:u{}\r\na=fingerprint:sha-256 {}\r\n",
            self.fragment, self.fingerprint
        )
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
    /// The fragment of an offer that has no answer.
    offer: Option<u32>,
    pub connected: bool,
    /// Since when (ms) nothing is carried, from the first description on.
    pub broken_since: Option<u64>,
    /// That it is broken was told.
    pub told: u8,
}

impl Connection {
    pub fn new(origin: &'static str, ids: &mut u32) -> Self {
        *ids += 2;
        let local = Credentials { fingerprint: *ids, fragment: *ids + 1 };
        Self { origin, local, remote: None, offer: None, connected: false, broken_since: None, told: 0 }
    }

    /// An offer; `restart`: with other ICE credentials.
    pub fn make_offer(&mut self, restart: bool, ids: &mut u32) -> String {
        if restart {
            *ids += 2;
        }
        let fragment = if restart { *ids } else { self.local.fragment };
        self.offer = Some(fragment);
        Credentials { fragment, ..self.local }.sdp(self.origin)
    }

    /// Answers an offer. An end that had made an offer before anything was agreed, or sees other credentials, has others
    /// itself.
    pub fn answer(&mut self, offer: &str, ids: &mut u32) -> String {
        let remote = Credentials::read(offer);
        let rolled_back = self.offer.take().is_some();
        let restarted = self.remote.is_some_and(|known| known != remote);
        if (rolled_back && self.remote.is_none()) || restarted {
            *ids += 2;
            self.local.fragment = *ids;
        }
        self.remote = Some(remote);
        self.local.sdp(self.origin)
    }

    /// Takes in an answer; says whether there was an offer.
    pub fn accept(&mut self, answer: &str) -> bool {
        let Some(fragment) = self.offer.take() else { return false };
        self.local.fragment = fragment;
        self.remote = Some(Credentials::read(answer));
        true
    }

    /// Whether the two are ends of one connection.
    pub fn fits(&self, other: &Self) -> bool {
        self.remote == Some(other.local) && other.remote == Some(self.local)
    }
}

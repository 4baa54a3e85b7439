//! A model of the network between participants: NATs, firewalls, a STUN and TURN server, and which candidates lead where.

use std::collections::BTreeSet;

/// Where somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At an address that everybody can send to.
    Open,
    /// Behind a NAT with one public port for all destinations, which lets in what comes from those who were sent to (RFC 4787
    /// §4.1, §5).
    Cone,
    /// Behind a NAT with another public port for each destination: the one that a STUN server saw is of no use to others.
    Symmetric,
    /// Behind a firewall that lets nothing pass but what goes to the TURN server.
    Firewalled,
}

impl Place {
    /// The candidates that do not take a TURN server.
    pub fn ways(self) -> BTreeSet<Way> {
        match self {
            Self::Open | Self::Firewalled => BTreeSet::from([Way::Host]),
            Self::Cone | Self::Symmetric => BTreeSet::from([Way::Host, Way::Reflexive]),
        }
    }

    /// The candidate that tells the public address from which packets come, of a symmetric NAT without its port.
    fn public_way(self) -> Option<Way> {
        match self {
            Self::Open => Some(Way::Host),
            Self::Cone | Self::Symmetric => Some(Way::Reflexive),
            Self::Firewalled => None,
        }
    }
}

/// A candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Host,
    Reflexive,
    /// An address that the TURN server gave after its start of this number. It forgets all addresses when it ends.
    Relayed {
        start: u32,
    },
}

impl Way {
    pub fn candidate(self) -> String {
        match self {
            Self::Host => "candidate:host".to_owned(),
            Self::Reflexive => "candidate:srflx".to_owned(),
            Self::Relayed { start } => format!("candidate:relay{start}"),
        }
    }

    pub fn read(candidate: &str) -> Option<Self> {
        Some(match candidate.strip_prefix("candidate:")? {
            "host" => Self::Host,
            "srflx" => Self::Reflexive,
            relayed => Self::Relayed { start: relayed.strip_prefix("relay")?.parse().ok()? },
        })
    }
}

/// One end of a connection.
#[derive(Debug)]
pub struct End<'a> {
    pub place: Place,
    /// Its own candidates.
    pub ways: &'a BTreeSet<Way>,
    /// What it knows of the other's.
    pub known: &'a BTreeSet<Way>,
}

/// Whether packets get from one end to the other and back. ICE finds such a path if there is any. `turn`: the number of its
/// start, if the TURN server works.
pub fn has_path(one: &End<'_>, other: &End<'_>, turn: Option<u32>) -> bool {
    arrives(one, other, turn) || arrives(other, one, turn)
}

/// Whether a check of one end arrives at the other, whose answer then finds its way back.
fn arrives(from: &End<'_>, to: &End<'_>, turn: Option<u32>) -> bool {
    let relayed = turn.map(|start| Way::Relayed { start });
    let own_relayed = relayed.filter(|way| from.ways.contains(way));
    let direct = from.place.public_way();
    // Those who are sent from there are let in by whoever knows the address, and has sent a check to it.
    let expects = |source: Option<Way>| source.is_some_and(|way| to.known.contains(&way));
    from.known.iter().any(|way| match way {
        Way::Host => to.place == Place::Open && (direct.is_some() || own_relayed.is_some()),
        Way::Reflexive if to.place == Place::Cone => {
            (from.place != Place::Symmetric && expects(direct)) || expects(own_relayed)
        }
        Way::Reflexive => false,
        // A TURN server looks at the address alone (RFC 8656 §9).
        Way::Relayed { .. } => Some(*way) == relayed && (expects(direct) || expects(own_relayed)),
    })
}

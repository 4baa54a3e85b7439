//! Two peers, and a network between their addresses in which addresses come and go.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::peer::is_stun;
use super::*;
use crate::rtc::Remote;

const STEP: Duration = Duration::from_millis(5);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Of a peer that has the voice and the chat only.
pub(super) fn settings(stream: &str) -> PeerSettings {
    PeerSettings {
        video: None,
        stream: stream.to_owned(),
        full_bitrate: 100_000,
        needed_bitrate: 50_000,
        offers_chat: true,
        remote: Remote::Page,
    }
}

struct Ends {
    peers: [Peer; 2],
    now: Instant,
    /// Addresses from and to which packets get.
    up: BTreeSet<SocketAddr>,
    heard: [Vec<String>; 2],
    /// How often the first peer has said that it is connected.
    connections: usize,
    /// From where the first peer has sent since this was cleared.
    sent_from: BTreeSet<SocketAddr>,
    /// The same of media and their handshake.
    media_sent_from: BTreeSet<SocketAddr>,
    /// Parts of the handshake that are lost from now on.
    handshakes_lost: usize,
}

impl Ends {
    /// The first peer can be reached in the ways `ours`.
    fn new(ours: &[LocalCandidate], theirs: SocketAddr) -> Self {
        let now = Instant::now();
        let mut peer = Peer::new(settings("one"), &[], now).unwrap();
        for candidate in ours {
            assert!(peer.add_candidate(*candidate).is_some());
        }
        let up = ours.iter().map(|candidate| candidate.address()).chain([theirs]).collect();
        let other = Peer::new(settings("other"), &[theirs], now).unwrap();
        Self {
            peers: [peer, other],
            now,
            up,
            heard: Default::default(),
            connections: 0,
            sent_from: BTreeSet::new(),
            media_sent_from: BTreeSet::new(),
            handshakes_lost: 0,
        }
    }

    fn offer(&mut self, offering: usize) {
        let [first, second] = &mut self.peers;
        let (offerer, answerer) = if offering == 0 { (first, second) } else { (second, first) };
        let offer = offerer.offer().unwrap();
        let answer = answerer.answer(&offer).unwrap();
        offerer.accept(&answer.sdp).unwrap();
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            for index in [0, 1] {
                self.peers[index].handle_timeout(self.now);
                self.drain(index);
            }
        }
    }

    fn drain(&mut self, index: usize) {
        loop {
            match self.peers[index].poll() {
                Output::Transmit { from, to, datagram } => {
                    if index == 0 {
                        self.sent_from.insert(from);
                        if !is_stun(&datagram) {
                            self.media_sent_from.insert(from);
                        }
                    }
                    if self.handshakes_lost > 0 && is_handshake(&datagram) {
                        self.handshakes_lost -= 1;
                    } else if self.up.contains(&from) && self.up.contains(&to) {
                        self.peers[1 - index].receive(from, to, &datagram, self.now);
                    }
                }
                Output::Event(PeerEvent::Chat(text)) => self.heard[index].push(text),
                Output::Event(PeerEvent::Connected) if index == 0 => self.connections += 1,
                Output::Event(_) => {}
                Output::Timeout(_) => return,
            }
        }
    }

    fn connected(&self) -> [bool; 2] {
        [self.peers[0].is_connected(), self.peers[1].is_connected()]
    }
}

fn is_handshake(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| (20..64).contains(first))
}

#[test]
fn a_part_of_the_handshake_that_is_lost_is_said_again_soon() {
    for lost in 1..=3 {
        let ours = [LocalCandidate::Host(address("192.168.0.2:5000"))];
        let mut ends = Ends::new(&ours, address("203.0.113.5:6000"));
        ends.handshakes_lost = lost;
        ends.offer(0);
        ends.run(Duration::from_millis(1000));
        assert_eq!((ends.connected(), ends.handshakes_lost), ([true, true], 0), "{lost} lost");
    }
}

#[test]
fn what_goes_through_a_turn_server_is_sent_from_its_address() {
    let relayed = address("198.51.100.1:50000");
    for offering in [0, 1] {
        let local = address("192.168.0.2:5000");
        let ours = [LocalCandidate::Relayed { address: relayed, local }];
        let mut ends = Ends::new(&ours, address("203.0.113.5:6000"));
        ends.offer(offering);
        ends.run(Duration::from_secs(2));
        assert_eq!(ends.connected(), [true, true]);
        assert_eq!(ends.sent_from, BTreeSet::from([relayed]));
    }
}

/// The model of the negotiation (tests/mesh_negotiation) takes it for granted that candidates which come late are tried.
#[test]
fn a_relayed_candidate_that_comes_late_connects_what_had_no_path() {
    let (local, relayed) = (address("192.168.0.2:5000"), address("198.51.100.1:50000"));
    for offering in [0, 1] {
        let mut ends = Ends::new(&[LocalCandidate::Host(local)], address("203.0.113.5:6000"));
        ends.up.remove(&local);
        ends.offer(offering);
        ends.run(Duration::from_secs(4));
        assert_eq!(ends.connected(), [false, false]);
        ends.up.insert(relayed);
        let late = LocalCandidate::Relayed { address: relayed, local };
        let trickled = ends.peers[0].add_candidate(late).unwrap();
        ends.peers[1].add_remote_candidate(&trickled.candidate);
        ends.run(Duration::from_secs(4));
        assert_eq!(ends.connected(), [true, true], "offered by {offering}");
    }
}

/// The first peer moves from one address to another.
fn moved(offering: usize) -> (Ends, SocketAddr) {
    let (old, new) = (address("192.0.2.1:5000"), address("192.0.2.9:5000"));
    let mut ends = Ends::new(&[LocalCandidate::Host(old)], address("203.0.113.5:6000"));
    ends.offer(offering);
    ends.run(Duration::from_secs(2));
    assert_eq!(ends.connected(), [true, true]);
    ends.up.remove(&old);
    ends.up.insert(new);
    ends.peers[0].add_candidate(LocalCandidate::Host(new)).unwrap();
    ends.peers[0].remove_candidate(LocalCandidate::Host(old));
    (ends, new)
}

#[test]
fn a_connection_that_we_offered_goes_on_from_another_address_without_signalling() {
    let (mut ends, new) = moved(0);
    ends.run(Duration::from_secs(1));
    ends.sent_from.clear();
    ends.run(Duration::from_secs(10));
    assert_eq!(ends.connected(), [true, true]);
    assert_eq!(ends.sent_from, BTreeSet::from([new]));
}

/// Signalling may be lost with the address, and the other end goes on sending to it.
#[test]
fn a_connection_that_the_other_end_offered_is_sent_to_from_another_address_at_once() {
    let (mut ends, new) = moved(1);
    ends.run(Duration::from_millis(300));
    assert!(ends.peers[0].say("still here"));
    ends.sent_from.clear();
    ends.run(Duration::from_millis(200));
    assert_eq!(ends.heard[1], ["still here"]);
    assert_eq!(ends.sent_from, BTreeSet::from([new]));
}

#[test]
fn where_another_address_was_there_before_nothing_is_waited_for() {
    let (old, new) = (address("192.0.2.1:5000"), address("192.0.2.9:5000"));
    for offering in [0, 1] {
        let mut ends = Ends::new(&[LocalCandidate::Host(old)], address("203.0.113.5:6000"));
        ends.offer(offering);
        ends.run(Duration::from_secs(1));
        ends.up.insert(new);
        ends.peers[0].add_candidate(LocalCandidate::Host(new)).unwrap();
        ends.run(Duration::from_secs(2));
        ends.up.remove(&old);
        assert!(ends.peers[0].remove_candidate(LocalCandidate::Host(old)), "media went that way");
        assert!(ends.peers[0].say("still here"));
        ends.run(STEP * 4);
        assert_eq!(ends.heard[1], ["still here"], "offered by {offering}");
    }
}

/// Anybody can write the peer's address on a datagram.
#[test]
fn only_who_knows_the_password_leads_media_another_way() {
    let (mut ends, new) = moved(1);
    let dead_end = address("198.51.100.66:5000");
    ends.peers[0].add_candidate(LocalCandidate::Host(dead_end)).unwrap();
    let (peer, forged) = (address("203.0.113.5:6000"), [0x80; 40]);
    assert!(ends.peers[0].accepts(peer, dead_end, &forged, ends.now));
    ends.peers[0].receive(peer, dead_end, &forged, ends.now);
    ends.run(Duration::from_millis(300));
    assert!(ends.peers[0].say("still here"));
    ends.media_sent_from.clear();
    ends.run(Duration::from_millis(200));
    assert_eq!(ends.heard[1], ["still here"]);
    assert_eq!(ends.media_sent_from, BTreeSet::from([new]));
}

/// Whoever offered first decides over the path (RFC 8445 §6.1.1), and may not see that there is a better one.
#[test]
fn a_restart_moves_a_connection_that_the_other_end_offered() {
    let (mut ends, new) = moved(1);
    assert_eq!(ends.connections, 1);
    ends.offer(0);
    ends.run(Duration::from_secs(2));
    ends.sent_from.clear();
    ends.run(Duration::from_secs(10));
    assert_eq!(ends.connected(), [true, true]);
    assert_eq!(ends.connections, 2, "that media get through again is told");
    assert_eq!(ends.sent_from, BTreeSet::from([new]));
}

#[test]
fn a_candidate_that_comes_later_is_told_with_its_description() {
    let mut ends = Ends::new(&[LocalCandidate::Host(address("192.0.2.1:5000"))], address("203.0.113.5:6000"));
    let offer = ends.peers[0].offer().unwrap();
    let (later, base) = (address("198.51.100.7:61000"), address("192.0.2.1:5000"));
    let trickled = ends.peers[0].add_candidate(LocalCandidate::Reflexive { address: later, base }).unwrap();
    assert!(trickled.candidate.contains("198.51.100.7 61000 typ srflx"), "{trickled:?}");
    assert_eq!(trickled.mid.as_deref(), first_mid(&offer));
    assert!(offer.contains(&format!("a=ice-ufrag:{}", trickled.username_fragment)));
    assert_eq!(ends.peers[0].add_candidate(LocalCandidate::Host(base)), None, "it is known already");
}

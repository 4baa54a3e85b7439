//! Two peer connections between which there is no path but through a TURN server, over a link to it that fails. The server is
//! a library's.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::allocation::Output as TurnOutput;
use super::allocation_tests::{Rig, local, peer};
use super::server::REPLACE;
use crate::config::IceTransport;
use crate::rtc::path_tests::settings;
use crate::rtc::{LocalCandidate, Output, Peer};

const STEP: Duration = Duration::from_millis(20);
/// As the negotiation of a meeting does.
const BEGUN_ANEW_AFTER: Duration = Duration::from_secs(5);
/// After the last fault they are connected within this time.
const CALM: Duration = Duration::from_secs(60);

struct World {
    rig: Rig,
    /// Whether the link to the server works.
    up: Rc<Cell<bool>>,
    /// What the allocation is good for; only packets to and from its address get to the near peer.
    candidate: Option<LocalCandidate>,
    replace_at: Option<Instant>,
    near: Peer,
    far: Peer,
    apart_since: Instant,
}

fn peers(candidate: Option<LocalCandidate>, now: Instant) -> [Peer; 2] {
    let mut near = Peer::new(settings("near"), &[local()], now).unwrap();
    if let Some(candidate) = candidate {
        near.add_candidate(candidate);
    }
    let mut far = Peer::new(settings("far"), &[peer()], now).unwrap();
    let answer = far.answer(&near.offer().unwrap()).unwrap();
    near.accept(&answer.sdp).unwrap();
    [near, far]
}

impl World {
    fn new() -> Self {
        let mut rig = Rig::new(IceTransport::Udp, "right");
        let up = Rc::new(Cell::new(true));
        let arrives = up.clone();
        rig.arrives = Box::new(move || arrives.get());
        let now = rig.now;
        let [near, far] = peers(None, now);
        Self { rig, up, candidate: None, replace_at: None, near, far, apart_since: now }
    }

    fn step(&mut self) {
        self.rig.pass(STEP);
        let now = self.rig.now;
        for output in std::mem::take(&mut self.rig.outputs) {
            match output {
                TurnOutput::Allocated(address) => {
                    let candidate = LocalCandidate::Relayed { address, local: local() };
                    self.candidate = Some(candidate);
                    if let Some(trickled) = self.near.add_candidate(candidate) {
                        self.far.add_remote_candidate(&trickled.candidate);
                    }
                }
                TurnOutput::Received { from, datagram } => {
                    if let Some(candidate) = self.candidate {
                        self.near.receive(from, candidate.address(), &datagram, now);
                    }
                }
                TurnOutput::Ended(_) => {
                    if let Some(candidate) = self.candidate.take() {
                        self.near.remove_candidate(candidate);
                    }
                    self.replace_at = Some(now + REPLACE);
                }
                TurnOutput::Transmit(_) | TurnOutput::Timeout(_) => unreachable!(),
            }
        }
        for (from, to, datagram) in std::mem::take(&mut self.rig.at_peers) {
            self.far.receive(from, to, &datagram, now);
        }
        if self.replace_at.is_some_and(|at| at <= now) {
            self.replace_at = None;
            self.rig.allocate_anew();
        }
        self.run_peers(now);
        if self.are_connected() {
            self.apart_since = now;
        } else if now >= self.apart_since + BEGUN_ANEW_AFTER {
            self.apart_since = now;
            [self.near, self.far] = peers(self.candidate, now);
        }
    }

    fn run_peers(&mut self, now: Instant) {
        let relayed = self.candidate.map(LocalCandidate::address);
        self.near.handle_timeout(now);
        loop {
            match self.near.poll() {
                Output::Transmit { from, datagram, .. } if Some(from) == relayed => self.rig.send(&datagram),
                Output::Timeout(_) => break,
                _ => {}
            }
        }
        self.far.handle_timeout(now);
        loop {
            match self.far.poll() {
                Output::Transmit { to, datagram, .. } if Some(to) == relayed => {
                    self.rig.answer_of_peer(&datagram);
                }
                Output::Timeout(_) => break,
                _ => {}
            }
        }
    }

    fn are_connected(&self) -> bool {
        self.near.is_connected() && self.far.is_connected()
    }

    fn pass(&mut self, time: Duration) {
        let end = self.rig.now + time;
        while self.rig.now < end {
            self.step();
        }
    }

    /// How long it took until they were connected, and remained so for longer than a lost connection goes unnoticed.
    fn connected_after(&mut self) -> Option<Duration> {
        let start = self.rig.now;
        while self.rig.now < start + CALM {
            self.step();
            if self.are_connected() {
                let after = self.rig.now - start;
                self.pass(Duration::from_secs(10));
                if self.are_connected() {
                    return Some(after);
                }
            }
        }
        None
    }
}

#[derive(Debug, Clone)]
enum Fault {
    LinkFails { millis: u64 },
    ServerRestarts,
    None { millis: u64 },
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        (10u64..20_000).prop_map(|millis| Fault::LinkFails { millis }),
        Just(Fault::ServerRestarts),
        (0u64..10_000).prop_map(|millis| Fault::None { millis }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn they_are_connected_once_faults_stop(faults in prop::collection::vec(fault(), 0..6)) {
        let mut world = World::new();
        for fault in faults {
            match fault {
                Fault::LinkFails { millis } => {
                    world.up.set(false);
                    world.pass(Duration::from_millis(millis));
                    world.up.set(true);
                }
                Fault::ServerRestarts => world.rig.restart_server(),
                Fault::None { millis } => world.pass(Duration::from_millis(millis)),
            }
        }
        let after = world.connected_after();
        prop_assert!(after.is_some(), "not connected within {CALM:?}");
    }
}

#[test]
fn a_server_that_was_started_again_is_connected_through_again_soon() {
    let mut world = World::new();
    assert!(world.connected_after().is_some_and(|after| after < Duration::from_secs(2)));
    world.rig.restart_server();
    world.pass(Duration::from_secs(9));
    assert!(!world.are_connected());
    let after = world.connected_after();
    assert!(after.is_some_and(|after| after < Duration::from_secs(30)), "connected again after {after:?}");
}

//! An allocation and a TURN server that are played by hand.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use turn_client_proto::api::Transmit;
use turn_client_proto::types::stun::message::Message;
use turn_client_proto::types::{Instant as TurnInstant, TransportType, TurnCredentials};
use turn_server_proto::api::{TurnServerApi, TurnServerPollRet};
use turn_server_proto::server::TurnServer;
use turn_server_proto::types::prelude::DelayedTransmitBuild;

use super::allocation::{Allocation, Output, Refusal};
use crate::config::IceTransport;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// What the network does with the next message.
type Fate = Box<dyn FnMut() -> bool>;

pub(super) struct Rig {
    pub(super) allocation: Allocation,
    server: TurnServer,
    transport: TransportType,
    start: Instant,
    pub(super) now: Instant,
    /// Where the allocation is, and the address that the server gives next.
    local: SocketAddr,
    relayed: SocketAddr,
    /// Says of each message whether it arrives.
    pub(super) arrives: Fate,
    /// Messages that the allocation has sent.
    sent: Vec<Vec<u8>>,
    /// What peers of the allocation got, with the address that it came from.
    pub(super) at_peers: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    pub(super) outputs: Vec<Output>,
}

impl Rig {
    pub(super) fn new(transport: IceTransport, password: &str) -> Self {
        let now = Instant::now();
        let of_turn = match transport {
            IceTransport::Udp => TransportType::Udp,
            IceTransport::Tcp => TransportType::Tcp,
        };
        let credentials = TurnCredentials::new("lobby", password);
        Self {
            allocation: Allocation::new(transport, local(), listen(), credentials, now),
            server: server(of_turn),
            transport: of_turn,
            start: now,
            now,
            local: local(),
            relayed: relayed(),
            arrives: Box::new(|| true),
            sent: Vec::new(),
            at_peers: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// The server forgets everything.
    pub(super) fn restart_server(&mut self) {
        self.server = server(self.transport);
    }

    /// Another allocation is asked for over UDP, from another port.
    pub(super) fn allocate_anew(&mut self) {
        for address in [&mut self.local, &mut self.relayed] {
            address.set_port(address.port() + 1);
        }
        let credentials = TurnCredentials::new("lobby", "right");
        self.allocation = Allocation::new(IceTransport::Udp, self.local, listen(), credentials, self.now);
    }

    fn turn_now(&self) -> TurnInstant {
        TurnInstant::from_nanos(i64::try_from((self.now - self.start).as_nanos()).unwrap())
    }

    /// Lets both do all they have to do now. Returns when there is more.
    fn settle(&mut self) -> Instant {
        loop {
            let due = self.poll_allocation();
            if !self.poll_server() {
                return due;
            }
        }
    }

    fn poll_allocation(&mut self) -> Instant {
        loop {
            match self.allocation.poll(self.now) {
                Output::Transmit(message) => self.deliver_to_server(message),
                Output::Timeout(at) => return at,
                output => self.outputs.push(output),
            }
        }
    }

    fn deliver_to_server(&mut self, message: Vec<u8>) {
        self.sent.push(message.clone());
        if (self.arrives)() {
            let transmit = Transmit::new(message, self.transport, self.local, listen());
            let answer = self.server.recv(transmit, self.turn_now());
            if let Some(answer) = answer {
                let (from, to) = (answer.from, answer.to);
                self.deliver(from, to, answer.data.build());
            }
        }
    }

    /// Says whether anything happened.
    fn poll_server(&mut self) -> bool {
        let now = self.turn_now();
        if let TurnServerPollRet::AllocateSocket {
            transport,
            listen_addr,
            client_addr,
            allocation_transport,
            family,
        } = self.server.poll(now)
        {
            self.server.allocated_socket(
                transport,
                listen_addr,
                client_addr,
                allocation_transport,
                family,
                Ok(self.relayed),
                now,
            );
        }
        let mut happened = false;
        while let Some(transmit) = self.server.poll_transmit(now) {
            happened = true;
            self.deliver(transmit.from, transmit.to, transmit.data);
        }
        happened
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, data: Vec<u8>) {
        if !(self.arrives)() {
            return;
        }
        if to == self.local {
            self.allocation.receive(&data, self.now);
        } else {
            self.at_peers.push((from, to, data));
        }
    }

    /// Lets the time pass.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let due = self.settle();
            if due > end {
                self.now = end;
                self.settle();
                return;
            }
            self.now = due.max(self.now + Duration::from_millis(1));
        }
    }

    pub(super) fn send(&mut self, data: &[u8]) {
        if let Some(message) = self.allocation.send(peer(), data, self.now) {
            self.deliver_to_server(message);
        }
    }

    pub(super) fn answer_of_peer(&mut self, data: &[u8]) {
        let transmit = Transmit::new(data.to_vec(), TransportType::Udp, peer(), self.relayed);
        if let Some(forwarded) = self.server.recv(transmit, self.turn_now()) {
            let (from, to) = (forwarded.from, forwarded.to);
            self.deliver(from, to, forwarded.data.build());
        }
    }

    fn ended(&self) -> Vec<&Refusal> {
        fn refusal(output: &Output) -> Option<&Refusal> {
            match output {
                Output::Ended(refusal) => Some(refusal),
                _ => None,
            }
        }
        self.outputs.iter().filter_map(refusal).collect()
    }
}

fn server(transport: TransportType) -> TurnServer {
    let mut server = TurnServer::new(transport, listen(), "example.org".to_owned());
    server.add_user("lobby".to_owned(), "right".to_owned());
    server
}

pub(super) fn local() -> SocketAddr {
    address("192.168.0.2:5000")
}

fn listen() -> SocketAddr {
    address("198.51.100.1:3478")
}

fn relayed() -> SocketAddr {
    address("198.51.100.1:50000")
}

pub(super) fn peer() -> SocketAddr {
    address("203.0.113.5:6000")
}

/// As the first byte of DTLS and of SRTP.
const MEDIA: &[u8] = &[0x80, 1, 2, 3];
/// As that of STUN.
const CHECK: &[u8] = &[0x00, 1, 2, 3];

#[test]
fn what_is_sent_gets_to_the_peer_and_what_it_answers_comes_back() {
    for transport in [IceTransport::Udp, IceTransport::Tcp] {
        let mut rig = Rig::new(transport, "right");
        rig.pass(Duration::from_secs(1));
        assert_eq!(rig.outputs, [Output::Allocated(relayed())]);
        assert_eq!(rig.allocation.relayed(), Some(relayed()));

        rig.send(CHECK);
        assert_eq!(rig.at_peers, [], "it waits for the permission");
        rig.pass(Duration::from_secs(1));
        assert_eq!(rig.at_peers, [(relayed(), peer(), CHECK.to_vec())]);

        rig.answer_of_peer(b"hello");
        rig.settle();
        assert_eq!(
            rig.outputs[1..],
            [Output::Received { from: peer(), datagram: b"hello".to_vec() }],
            "{transport:?}"
        );
    }
}

#[test]
fn media_go_through_a_channel_which_costs_four_bytes() {
    let mut rig = Rig::new(IceTransport::Udp, "right");
    rig.pass(Duration::from_secs(1));
    rig.send(MEDIA);
    rig.pass(Duration::from_secs(1));
    rig.send(MEDIA);
    rig.pass(Duration::from_secs(1));
    rig.send(MEDIA);
    assert_eq!(rig.sent.last().map(Vec::len), Some(MEDIA.len() + 4));
    assert_eq!(rig.at_peers.len(), 3);
}

#[test]
fn an_hour_later_it_still_forwards() {
    let mut rig = Rig::new(IceTransport::Udp, "right");
    rig.pass(Duration::from_secs(1));
    rig.send(MEDIA);
    rig.pass(Duration::from_secs(3600));
    rig.at_peers.clear();
    rig.send(MEDIA);
    rig.settle();
    assert_eq!(rig.at_peers, [(relayed(), peer(), MEDIA.to_vec())]);
    assert_eq!(rig.ended(), [] as [&Refusal; 0]);
}

#[test]
fn a_wrong_password_is_told_and_not_mistaken_for_silence() {
    let mut rig = Rig::new(IceTransport::Udp, "wrong");
    rig.pass(Duration::from_secs(60));
    assert_eq!(rig.ended(), [&Refusal::Credentials]);
    assert!(rig.ended()[0].to_string().contains("credential_file"));
}

#[test]
fn a_server_that_is_away_is_told_after_the_deadline() {
    let mut rig = Rig::new(IceTransport::Udp, "right");
    rig.arrives = Box::new(|| false);
    rig.pass(Duration::from_secs(7));
    assert_eq!(rig.ended(), [] as [&Refusal; 0]);
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.ended(), [&Refusal::Silent]);
    assert!(rig.sent.len() > 2, "it was asked again");
}

#[test]
fn a_server_that_was_started_again_is_noticed_by_whom_it_does_not_permit() {
    let mut rig = Rig::new(IceTransport::Udp, "right");
    rig.pass(Duration::from_secs(1));
    rig.restart_server();
    rig.send(CHECK);
    rig.pass(Duration::from_secs(15));
    assert_eq!(rig.ended(), [&Refusal::Expired]);
}

#[test]
fn what_is_given_back_is_not_forwarded_any_more() {
    let mut rig = Rig::new(IceTransport::Udp, "right");
    rig.pass(Duration::from_secs(1));
    rig.send(CHECK);
    rig.pass(Duration::from_secs(1));
    for message in rig.allocation.release(rig.now) {
        rig.deliver_to_server(message);
    }
    rig.outputs.clear();
    rig.answer_of_peer(b"hello");
    rig.settle();
    assert_eq!(rig.outputs, []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However much is lost on the way, there is an address or a reason in the end, and once it arrives again all of it works.
    #[test]
    fn losses_end(fates in prop::collection::vec(any::<bool>(), 0..40)) {
        let mut rig = Rig::new(IceTransport::Udp, "right");
        let mut fates = fates.into_iter();
        rig.arrives = Box::new(move || fates.next().unwrap_or(true));
        rig.pass(Duration::from_secs(20));
        match rig.outputs.first() {
            Some(Output::Allocated(_)) => {
                rig.send(CHECK);
                rig.pass(Duration::from_secs(60));
                rig.arrives = Box::new(|| true);
                rig.at_peers.clear();
                rig.send(MEDIA);
                rig.pass(Duration::from_secs(60));
                prop_assert!(!rig.at_peers.is_empty() || rig.ended() == [&Refusal::Expired]);
            }
            Some(Output::Ended(_)) => {}
            other => prop_assert!(false, "{other:?}"),
        }
    }

    /// What comes from a server may be anything.
    #[test]
    fn nonsense_is_survived(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..20),
        flips in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        tcp in any::<bool>(),
    ) {
        let mut rig = Rig::new(if tcp { IceTransport::Tcp } else { IceTransport::Udp }, "right");
        rig.pass(Duration::from_secs(1));
        for mut piece in pieces {
            rig.allocation.receive(&piece, rig.now);
            rig.settle();
            // A message with a right length and some wrong bits gets further.
            if let Some(mut message) = rig.sent.first().cloned() {
                for flip in &flips {
                    let at = flip.index(message.len());
                    message[at] ^= 1 << (piece.len() % 8);
                }
                prop_assert!(message.len() >= 20 || Message::from_bytes(&message).is_err());
                piece.extend(&message);
                rig.allocation.receive(&message, rig.now);
                rig.settle();
            }
            rig.pass(Duration::from_secs(5));
        }
    }
}

//! One address of a TURN server, and what goes through it (RFC 8656), on `turn-client-proto`. Pure: what comes from the
//! server and the time come in, what is to be sent to it and what peers have sent goes out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use turn_client_proto::api::{Transmit, TurnConfig, TurnEvent, TurnPeerData, TurnPollRet, TurnRecvRet};
use turn_client_proto::client::TurnClient;
use turn_client_proto::prelude::{DelayedTransmitBuild, TurnClientApi};
use turn_client_proto::tcp::TurnClientTcp;
use turn_client_proto::types::stun::attribute::ErrorCode;
use turn_client_proto::types::stun::message::Message;
use turn_client_proto::types::{Instant as TurnInstant, TransportType, TurnCredentials};
use turn_client_proto::udp::TurnClientUdp;

use super::framing::{Framer, NotTurn, framed};
use crate::config::IceTransport;

/// How long the server may take until there is an address. A password that it refuses is no event of the library.
const DEADLINE: Duration = Duration::from_secs(8);
/// When a request that was not answered is sent again, doubled each time, and how often one is sent. It has failed 7.5 s after
/// the first time.
const RETRANSMIT: Duration = Duration::from_millis(500);
const TRANSMISSIONS: u32 = 4;
/// Codes with which a server refuses one peer: it is forbidden, or one too many (RFC 8656 §10.2).
const PEER_REFUSED: [u16; 2] = [ErrorCode::FORBIDDEN, ErrorCode::INSUFFICIENT_CAPACITY];
/// How often a permission is asked for that was refused before, or never answered.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// How long nothing may come from the server, though something is sent, before it is asked whether it still knows us. One that
/// was started again ignores what it is to forward, which the library would notice 4 minutes later.
const SILENCE: Duration = Duration::from_secs(5);
/// Peers for which there are permissions, at most.
const MAX_PERMISSIONS: usize = 64;
/// Datagrams that wait for a permission, at most; the oldest give way.
const MAX_WAITING: usize = 16;
/// The library wants to be asked at once at times when nothing can be done yet.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);
/// The library leaves this much time between two requests.
const REQUEST_CADENCE: Duration = Duration::from_millis(50);
/// Bytes of a datagram below this are those of STUN (RFC 7983); media and its handshake are above.
const FIRST_OF_MEDIA: u8 = 20;

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    /// Send this to the server.
    Transmit(Vec<u8>),
    /// A peer has sent this to the address.
    Received {
        /// Who.
        from: SocketAddr,
        /// What.
        datagram: Vec<u8>,
    },
    /// The server forwards what comes to this address.
    Allocated(SocketAddr),
    /// There is no address, or none any more. The last output.
    Ended(Refusal),
    /// Nothing before this time.
    Timeout(Instant),
}

/// Why there is no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nothing came from the server.
    Silent,
    /// The server does not accept the credentials.
    Credentials,
    /// The server says this.
    Error {
        /// The code (RFC 8489 §14.8).
        code: u16,
        /// What it adds in words.
        reason: String,
    },
    /// What came makes no sense.
    Nonsense,
    /// The server has forgotten the address.
    Expired,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => write!(
                f,
                "it did not answer within {} s; check the address, and whether a firewall lets packets through",
                DEADLINE.as_secs()
            ),
            Self::Credentials => f.write_str(
                "it refuses the credentials; check username and credential_file, or secret_file and the clock of this \
                 device",
            ),
            Self::Error { code, reason } => write!(f, "it refuses to forward packets: {code} {reason:?}"),
            Self::Nonsense => f.write_str("what it sends is not TURN; check the address"),
            Self::Expired => f.write_str("it has forgotten this device"),
        }
    }
}

/// The last question whether the server still knows us: none that has forgotten us gives a permission.
struct Probe {
    at: Instant,
    number: u8,
}

impl Probe {
    /// For whom the permission is asked: an address that nobody has (RFC 5737, RFC 3849), and another one each time, because the
    /// library asks but once for each.
    fn subject(&self, relayed: Option<SocketAddr>) -> IpAddr {
        let number = self.number;
        match relayed {
            Some(SocketAddr::V6(_)) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number.into()).into(),
            _ => Ipv4Addr::new(192, 0, 2, number).into(),
        }
    }
}

/// An address of a TURN server.
pub(super) struct Allocation {
    client: TurnClient,
    /// Where the server is reached over a stream.
    framer: Option<Framer>,
    /// What times of the library are counted from.
    origin: Instant,
    deadline: Instant,
    relayed: Option<SocketAddr>,
    /// When each permission was asked for last.
    asked: BTreeMap<IpAddr, Instant>,
    channels: BTreeSet<SocketAddr>,
    waiting: VecDeque<(SocketAddr, Vec<u8>)>,
    outputs: VecDeque<Output>,
    /// When the server has sent something last.
    heard: Option<Instant>,
    probe: Probe,
    /// Requests in a row that were refused for their credentials. The first always is: it carries none.
    unauthorized: u32,
    last_error: Option<(u16, String)>,
    over: bool,
    due: Instant,
}

impl Allocation {
    /// Asks `server` for an address, over a connection from `local`.
    pub(super) fn new(
        transport: IceTransport,
        local: SocketAddr,
        server: SocketAddr,
        credentials: TurnCredentials,
        now: Instant,
    ) -> Self {
        let mut config = TurnConfig::new(credentials);
        config.set_request_retransmits(RETRANSMIT, RETRANSMIT * 8, TRANSMISSIONS, RETRANSMIT * 8);
        let client = match transport {
            IceTransport::Udp => TurnClient::Udp(TurnClientUdp::allocate(local, server, config)),
            IceTransport::Tcp => TurnClient::Tcp(TurnClientTcp::allocate(local, server, config)),
        };
        Self {
            client,
            framer: (transport == IceTransport::Tcp).then(Framer::default),
            origin: now,
            deadline: now + DEADLINE,
            relayed: None,
            asked: BTreeMap::new(),
            channels: BTreeSet::new(),
            waiting: VecDeque::new(),
            outputs: VecDeque::new(),
            heard: None,
            probe: Probe { at: now, number: 0 },
            unauthorized: 0,
            last_error: None,
            over: false,
            due: now,
        }
    }

    /// The address, once there is one.
    pub(super) fn relayed(&self) -> Option<SocketAddr> {
        self.relayed
    }

    /// When [`Allocation::poll`] is due, as it said last; at once after anything else was called.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Law 1: nothing that waits for a permission is sent.
    pub(super) fn forget_waiting(&mut self) {
        self.waiting.clear();
    }

    /// Takes in what came from the server: a datagram, or the next bytes of the connection.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.heard = Some(now);
        let Some(framer) = &mut self.framer else { return self.receive_message(bytes, now) };
        framer.push(bytes);
        while let Some(message) = self.framer.as_mut().map(Framer::next_message) {
            match message {
                Ok(Some(message)) => self.receive_message(&message, now),
                Ok(None) => break,
                Err(NotTurn) => {
                    self.end_with(Refusal::Nonsense);
                    break;
                }
            }
        }
    }

    fn receive_message(&mut self, bytes: &[u8], now: Instant) {
        self.note_error(bytes);
        let (server, local) = (self.client.remote_addr(), self.client.local_addr());
        let transmit = Transmit::new(bytes, self.client.transport(), server, local);
        let time = self.time(now);
        if let TurnRecvRet::PeerData(data) = self.client.recv(transmit, time) {
            self.hear_peer(&data);
        }
        while let Some(data) = self.client.poll_recv(time) {
            self.hear_peer(&data);
        }
    }

    fn hear_peer<T: AsRef<[u8]> + fmt::Debug>(&mut self, data: &TurnPeerData<T>) {
        self.outputs.push_back(Output::Received { from: data.peer, datagram: data.data().to_vec() });
    }

    /// The library does not tell why something is refused.
    fn note_error(&mut self, bytes: &[u8]) {
        let Ok(message) = Message::from_bytes(bytes) else { return };
        if !message.is_response() {
            return;
        }
        match message.attribute::<ErrorCode>() {
            Ok(error) => {
                self.unauthorized += u32::from(error.code() == ErrorCode::UNAUTHORIZED);
                self.last_error = Some((error.code(), error.reason().chars().take(80).collect()));
            }
            Err(_) => (self.unauthorized, self.last_error) = (0, None),
        }
    }

    /// What is to be sent to the server so that a datagram gets from the address to a peer. `None` while it waits until the
    /// server permits that. One that cannot be sent is lost, as on any network.
    pub(super) fn send(&mut self, to: SocketAddr, datagram: &[u8], now: Instant) -> Option<Vec<u8>> {
        let time = self.time(now);
        if self.over || self.relayed.is_none_or(|relayed| relayed.is_ipv4() != to.is_ipv4()) {
            return None;
        }
        if !self.client.have_permission(TransportType::Udp, to.ip()) {
            self.ask_permission(to.ip(), now);
            if self.waiting.len() == MAX_WAITING {
                self.waiting.pop_front();
            }
            self.waiting.push_back((to, datagram.to_vec()));
            return None;
        }
        self.probe_if_silent(now);
        // A channel costs 4 bytes for each datagram instead of 36, and is bound to the peer that media go to.
        let is_media = datagram.first().is_some_and(|first| *first >= FIRST_OF_MEDIA);
        if is_media && self.channels.insert(to) {
            // Without one it goes on as before.
            let _ = self.client.bind_channel(TransportType::Udp, to, time);
        }
        let transmit = self.client.send_to(TransportType::Udp, to, datagram, time).ok()??;
        Some(self.framed(transmit.data.build()))
    }

    /// Asks a silent server whether it still knows us.
    fn probe_if_silent(&mut self, now: Instant) {
        if self.heard.is_some_and(|heard| now >= heard + SILENCE) && now >= self.probe.at + SILENCE {
            self.probe = Probe { at: now, number: self.probe.number.wrapping_add(1) };
            let time = self.time(now);
            // An error means that there is no address any more, which is told by itself.
            let _ = self.client.create_permission(TransportType::Udp, self.probe.subject(self.relayed), time);
        }
    }

    fn framed(&self, message: Vec<u8>) -> Vec<u8> {
        if self.framer.is_some() { framed(message) } else { message }
    }

    fn ask_permission(&mut self, ip: IpAddr, now: Instant) {
        let asked = self.asked.get(&ip);
        if asked.is_some_and(|asked| now < *asked + ASK_AGAIN)
            || asked.is_none() && self.asked.len() == MAX_PERMISSIONS
        {
            return;
        }
        self.asked.insert(ip, now);
        let time = self.time(now);
        // An error means that it was asked for already, or that there is no address any more, which is told by itself.
        let _ = self.client.create_permission(TransportType::Udp, ip, time);
    }

    /// Gives the address back. Returns what tells the server so.
    pub(super) fn release(&mut self, now: Instant) -> Vec<Vec<u8>> {
        self.over = true;
        if self.client.delete(self.time(now)).is_err() {
            return Vec::new();
        }
        let time = self.time(now + REQUEST_CADENCE);
        std::iter::from_fn(|| self.client.poll_transmit(time))
            .map(|transmit| transmit.data.to_vec())
            .collect()
    }

    /// What is to be done; to be asked until it is [`Output::Timeout`], after everything that was taken in or sent.
    pub(super) fn poll(&mut self, now: Instant) -> Output {
        let output = self.next_output(now);
        if let Output::Timeout(at) = output {
            self.due = at;
        }
        output
    }

    fn next_output(&mut self, now: Instant) -> Output {
        let time = self.time(now);
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return output;
            }
            if self.over {
                return Output::Timeout(now + DEADLINE);
            }
            if let Some(event) = self.client.poll_event() {
                self.hear(event, now);
            } else if let Some(transmit) = self.client.poll_transmit(time) {
                return Output::Transmit(transmit.data.to_vec());
            } else {
                match self.client.poll(time) {
                    TurnPollRet::WaitUntil(at) => {
                        if let Some(at) = self.wait_until(at, now) {
                            return Output::Timeout(at);
                        }
                    }
                    _ => self.end(),
                }
            }
        }
    }

    /// Until when there is nothing to do; `None` if it has ended.
    fn wait_until(&mut self, at: TurnInstant, now: Instant) -> Option<Instant> {
        let is_lost = self.relayed.is_some() && self.client.relayed_addresses().next().is_none();
        let is_late = self.relayed.is_none() && now >= self.deadline;
        if is_lost || is_late {
            self.end();
            return None;
        }
        let at = self.origin + Duration::from_nanos(u64::try_from(at.as_nanos()).unwrap_or(0));
        let at = at.max(now + SHORTEST_WAIT);
        Some(if self.relayed.is_none() { at.min(self.deadline) } else { at })
    }

    fn hear(&mut self, event: TurnEvent, now: Instant) {
        match event {
            TurnEvent::AllocationCreated(_, address) => {
                self.relayed = Some(address);
                self.outputs.push_back(Output::Allocated(address));
            }
            TurnEvent::AllocationCreateFailed(_) => self.end(),
            TurnEvent::PermissionCreated(_, ip) => {
                let waiting = std::mem::take(&mut self.waiting);
                for (to, datagram) in waiting {
                    if to.ip() == ip {
                        let message = self.send(to, &datagram, now);
                        self.outputs.extend(message.map(Output::Transmit));
                    } else {
                        self.waiting.push_back((to, datagram));
                    }
                }
            }
            TurnEvent::PermissionCreateFailed(_, ip) => {
                self.waiting.retain(|(to, _)| to.ip() != ip);
                let refused = |(code, _): &(u16, String)| PEER_REFUSED.contains(code);
                // Without an answer it is silent as before: out of reach, perhaps for a while only.
                let unanswered = ip == self.probe.subject(self.relayed) && self.last_error.is_none();
                if !unanswered && !self.last_error.as_ref().is_some_and(refused) {
                    // The server was started again, or is away: the address is of no use any more.
                    self.end();
                }
            }
            TurnEvent::ChannelCreateFailed(_, to) => {
                self.channels.remove(&to);
            }
            TurnEvent::ChannelCreated(..) | TurnEvent::TcpConnected(_) | TurnEvent::TcpConnectFailed(_) => {}
        }
    }

    fn end(&mut self) {
        self.end_with(if self.relayed.is_some() { Refusal::Expired } else { self.refusal() });
    }

    fn end_with(&mut self, refusal: Refusal) {
        if !std::mem::replace(&mut self.over, true) {
            self.outputs.push_back(Output::Ended(refusal));
        }
    }

    /// Why there is no address yet.
    fn refusal(&self) -> Refusal {
        match &self.last_error {
            _ if self.unauthorized > 1 => Refusal::Credentials,
            Some((code, reason)) => Refusal::Error { code: *code, reason: reason.clone() },
            None if self.heard.is_some() => Refusal::Nonsense,
            None => Refusal::Silent,
        }
    }

    /// The time as the library counts it: from one fixed moment on.
    fn time(&self, now: Instant) -> TurnInstant {
        let nanos = now.saturating_duration_since(self.origin).as_nanos();
        TurnInstant::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

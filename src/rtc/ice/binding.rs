//! One of our addresses as one STUN server sees it (RFC 8489 §5), kept alive. Pure.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use turn_client_proto::types::stun::attribute::XorMappedAddress;
use turn_client_proto::types::stun::message::{
    BINDING, Message, MessageClass, MessageType, MessageWrite, MessageWriteVec, TransactionId,
};

/// When a request that was not answered is sent again; doubled each time (RFC 8489 §6.2.1).
const RETRANSMIT: Duration = Duration::from_millis(500);
/// How often one is sent. With the doubling, a server counts as silent after 7.5 s.
const TRANSMISSIONS: u32 = 4;
/// How often the server is asked again. Routers forget an address that is not used within 30 s or more.
const KEEP_ALIVE: Duration = Duration::from_secs(25);
/// How long after a server was found silent it is asked again.
const RETRY: Duration = Duration::from_secs(30);

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    /// Send this to the server.
    Transmit(Vec<u8>),
    /// The server sees us at this address. Told for the first answer, and when that has changed since.
    Mapped {
        /// The address.
        address: SocketAddr,
        /// Where it saw us until now.
        before: Option<SocketAddr>,
    },
    /// The server does not answer.
    Silent {
        /// Where it saw us until now.
        before: Option<SocketAddr>,
    },
    /// Nothing before this time.
    Timeout(Instant),
}

/// One address of ours and one server.
#[derive(Debug)]
pub(super) struct Binding {
    /// Our address.
    pub(super) base: SocketAddr,
    /// The server's.
    pub(super) server: SocketAddr,
    transaction: TransactionId,
    request: Vec<u8>,
    transmissions: u32,
    due: Instant,
    mapped: Option<SocketAddr>,
    news: Option<Output>,
    silent: bool,
}

impl Binding {
    /// A binding that begins at once.
    pub(super) fn new(base: SocketAddr, server: SocketAddr, now: Instant) -> Self {
        let (transaction, request) = request();
        Self {
            base,
            server,
            transaction,
            request,
            transmissions: 0,
            due: now,
            mapped: None,
            news: None,
            silent: false,
        }
    }

    /// The address at which the server saw us last; `None` while it has not answered.
    pub(super) fn mapped(&self) -> Option<SocketAddr> {
        self.mapped
    }

    /// Whether it did not answer when it was asked last.
    pub(super) fn is_silent(&self) -> bool {
        self.silent
    }

    /// When [`Binding::poll`] is due.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// What is to be done; to be asked until it is [`Output::Timeout`].
    pub(super) fn poll(&mut self, now: Instant) -> Output {
        if let Some(news) = self.news.take() {
            return news;
        }
        if now < self.due {
            return Output::Timeout(self.due);
        }
        if self.transmissions == TRANSMISSIONS {
            self.ask_again(now + RETRY);
            self.silent = true;
            return Output::Silent { before: self.mapped.take() };
        }
        self.due = now + RETRANSMIT * 2_u32.pow(self.transmissions);
        self.transmissions += 1;
        Output::Transmit(self.request.clone())
    }

    /// Takes in a datagram that came to our address. Says whether it was the answer.
    pub(super) fn receive(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) -> bool {
        if from != self.server {
            return false;
        }
        let Ok(message) = Message::from_bytes(datagram) else { return false };
        if !message.is_response() || message.transaction_id() != self.transaction {
            return false;
        }
        if let Ok(address) = message.attribute::<XorMappedAddress>() {
            let address = address.addr(self.transaction);
            let before = self.mapped.replace(address);
            if before != Some(address) {
                self.news = Some(Output::Mapped { address, before });
            }
            self.silent = false;
            self.ask_again(now + KEEP_ALIVE);
        }
        true
    }

    fn ask_again(&mut self, due: Instant) {
        (self.transaction, self.request) = request();
        (self.transmissions, self.due) = (0, due);
    }
}

fn request() -> (TransactionId, Vec<u8>) {
    let transaction = TransactionId::generate();
    let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
    (transaction, Message::builder(kind, transaction, MessageWriteVec::new()).finish())
}

#[cfg(test)]
mod tests {
    use turn_client_proto::types::stun::message::MessageWriteExt;

    use super::*;

    fn addresses() -> (SocketAddr, SocketAddr, SocketAddr) {
        let address = |text: &str| text.parse().unwrap();
        (address("192.168.0.2:5000"), address("198.51.100.1:3478"), address("203.0.113.9:61000"))
    }

    fn answer(request: &[u8], mapped: SocketAddr) -> Vec<u8> {
        let request = Message::from_bytes(request).unwrap();
        let mut answer = Message::builder_success(&request, MessageWriteVec::new());
        answer.add_attribute(&XorMappedAddress::new(mapped, request.transaction_id())).unwrap();
        answer.finish()
    }

    fn transmitted(binding: &mut Binding, now: Instant) -> Vec<u8> {
        match binding.poll(now) {
            Output::Transmit(request) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_answer_tells_the_address_and_is_asked_for_again_before_routers_forget_it() {
        let (base, server, mapped) = addresses();
        let mut now = Instant::now();
        let mut binding = Binding::new(base, server, now);
        let request = transmitted(&mut binding, now);
        assert!(binding.receive(server, &answer(&request, mapped), now));
        assert_eq!(binding.poll(now), Output::Mapped { address: mapped, before: None });
        assert_eq!(binding.poll(now), Output::Timeout(now + KEEP_ALIVE));

        now += KEEP_ALIVE;
        let request = transmitted(&mut binding, now);
        assert!(binding.receive(server, &answer(&request, mapped), now));
        assert_eq!(binding.poll(now), Output::Timeout(now + KEEP_ALIVE), "nothing has changed");

        now += KEEP_ALIVE;
        let request = transmitted(&mut binding, now);
        let other = SocketAddr::new(mapped.ip(), 61001);
        assert!(binding.receive(server, &answer(&request, other), now));
        assert_eq!(binding.poll(now), Output::Mapped { address: other, before: Some(mapped) });
    }

    #[test]
    fn a_server_that_does_not_answer_is_silent_after_7_5_s_and_is_asked_again_later() {
        let (base, server, mapped) = addresses();
        let start = Instant::now();
        let mut binding = Binding::new(base, server, start);
        let mut sent = Vec::new();
        let mut now = start;
        loop {
            match binding.poll(now) {
                Output::Transmit(_) => sent.push((now - start).as_millis()),
                Output::Timeout(at) => now = at,
                Output::Silent { .. } => break,
                Output::Mapped { .. } => panic!("nobody answered"),
            }
        }
        assert_eq!((sent, (now - start).as_millis()), (vec![0, 500, 1500, 3500], 7500));
        assert_eq!(binding.poll(now), Output::Timeout(now + RETRY));
        let request = transmitted(&mut binding, now + RETRY);
        assert!(binding.receive(server, &answer(&request, mapped), now + RETRY));
        assert_eq!(binding.poll(now + RETRY), Output::Mapped { address: mapped, before: None });
    }

    #[test]
    fn only_the_servers_answer_to_the_last_request_counts() {
        let (base, server, mapped) = addresses();
        let now = Instant::now();
        let mut binding = Binding::new(base, server, now);
        let request = transmitted(&mut binding, now);
        let answer = answer(&request, mapped);
        assert!(!binding.receive(mapped, &answer, now), "somebody else");
        assert!(!binding.receive(server, &request, now), "no answer");
        assert!(!binding.receive(server, &answer[..answer.len() - 1], now), "cut off");
        assert!(binding.receive(server, &answer, now));
        assert!(!binding.receive(server, &answer, now), "answered already");
    }
}

//! One configured address of a server, from its name to candidates, and again after a failure.

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use super::allocation::{self, Allocation, Refusal};
use super::binding::{self, Binding};
use super::connection::{Connection, look_up};
use super::credentials;
use super::servers::IceEvent;
use crate::config::{IceCredentials, IceUrl};
use crate::rtc::candidate::LocalCandidate;

/// How long after a failure it is tried again, and after an address was lost that the server had given.
const RETRY: Duration = Duration::from_secs(30);
pub(super) const REPLACE: Duration = Duration::from_secs(2);
/// The largest datagram or piece of a connection that is received, in bytes.
const BUFFER: usize = 4096;

type Opening<T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send>>;

/// What a server is used for.
#[derive(Debug, Clone)]
pub(super) enum Role {
    /// It tells under which address it sees us. `reports` unless somebody else reports its failures.
    Stun {
        /// Whether failures are told.
        reports: bool,
    },
    /// It forwards packets.
    Turn {
        /// What it asks for.
        credentials: IceCredentials,
        /// Certificate authorities to trust beside the system's.
        ca_file: Option<PathBuf>,
    },
}

enum State {
    /// Tried again at this time.
    Waiting(Instant),
    LookingUp(Opening<Vec<SocketAddr>>),
    Bound(Vec<Binding>),
    Connecting(Opening<Connection>),
    Connected {
        connection: Connection,
        allocation: Box<Allocation>,
        buffer: Box<[u8; BUFFER]>,
    },
}

/// Who names a server, and so who mends what is wrong with its address or credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    /// The configuration of this device.
    Configuration,
    /// The media server, for one session.
    MediaServer,
}

/// A server in one role.
pub(super) struct Server {
    /// Which of all that were named it is.
    number: usize,
    named_by: NamedBy,
    url: IceUrl,
    role: Role,
    state: State,
    events: VecDeque<IceEvent>,
    /// What was told last: that it works, or what is wrong.
    told: Option<Option<String>>,
}

impl Server {
    /// A server that is asked at once.
    pub(super) fn new(number: usize, named_by: NamedBy, url: IceUrl, role: Role, now: Instant) -> Self {
        Self { number, named_by, url, role, state: State::Waiting(now), events: VecDeque::new(), told: None }
    }

    /// When [`Server::poll`] is due, if nothing comes before.
    pub(super) fn due(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting(until) => Some(*until),
            State::LookingUp(_) | State::Connecting(_) => None,
            State::Bound(bindings) => bindings.iter().map(Binding::due).min(),
            State::Connected { allocation, .. } => Some(allocation.due()),
        }
    }

    /// What happens next.
    pub(super) fn poll(&mut self, hosts: &[SocketAddr], cx: &mut Context<'_>) -> Poll<IceEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            let now = Instant::now();
            match &mut self.state {
                State::Waiting(until) if now < *until => return Poll::Pending,
                State::Waiting(_) => self.state = self.begin(),
                State::LookingUp(looking_up) => match looking_up.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(addresses)) => self.bind(hosts, &addresses, now),
                    Poll::Ready(Err(why)) => self.fail(why),
                },
                State::Connecting(connecting) => match connecting.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(connection)) => self.allocate(connection, now),
                    Poll::Ready(Err(why)) => self.fail(why),
                },
                State::Bound(bindings) => {
                    let (base, server, output) = match next_output(bindings, now) {
                        Some(next) => next,
                        None => return Poll::Pending,
                    };
                    match output {
                        binding::Output::Transmit(datagram) => {
                            return Poll::Ready(IceEvent::Transmit { from: base, to: server, datagram });
                        }
                        binding::Output::Mapped { address, before } => self.mapped(base, address, before),
                        binding::Output::Silent { before } => self.silent(base, before),
                        binding::Output::Timeout(_) => {}
                    }
                }
                State::Connected { connection, allocation, buffer } => match allocation.poll(now) {
                    allocation::Output::Transmit(bytes) => connection.send(bytes),
                    allocation::Output::Received { from, datagram } => {
                        if let Some(to) = allocation.relayed() {
                            return Poll::Ready(IceEvent::Received { from, to, datagram });
                        }
                    }
                    allocation::Output::Allocated(address) => {
                        let local = connection.local;
                        self.find(LocalCandidate::Relayed { address, local });
                        self.tell_works();
                    }
                    allocation::Output::Ended(Refusal::Credentials)
                        if self.named_by == NamedBy::MediaServer =>
                    {
                        self.fail("it refuses the credentials that the media server gave for it".to_owned());
                    }
                    allocation::Output::Ended(refusal) => self.fail(refusal.to_string()),
                    allocation::Output::Timeout(_) => {
                        match connection.poll_receive(cx, buffer.as_mut_slice()) {
                            Poll::Pending => return Poll::Pending,
                            Poll::Ready(Ok(0)) => self.fail("it closed the connection".to_owned()),
                            Poll::Ready(Ok(length)) => {
                                allocation.receive(buffer.get(..length).unwrap_or_default(), now);
                            }
                            Poll::Ready(Err(error)) => {
                                let why = format!(
                                    "{} cannot be reached: {error}; check the address",
                                    connection.server
                                );
                                self.fail(why);
                            }
                        }
                    }
                },
            }
        }
    }

    fn begin(&self) -> State {
        let url = self.url.clone();
        match &self.role {
            Role::Stun { .. } => State::LookingUp(Box::pin(async move { look_up(&url).await })),
            Role::Turn { ca_file, .. } => {
                let ca_file = ca_file.clone();
                State::Connecting(Box::pin(async move { Connection::open(&url, ca_file).await }))
            }
        }
    }

    fn bind(&mut self, hosts: &[SocketAddr], addresses: &[SocketAddr], now: Instant) {
        let binding = |base: &SocketAddr| {
            let server = addresses.iter().find(|server| server.is_ipv4() == base.is_ipv4())?;
            Some(Binding::new(*base, *server, now))
        };
        let bindings: Vec<_> = hosts.iter().filter_map(binding).collect();
        if bindings.is_empty() {
            self.fail("this device has no address of the same IP version".to_owned());
        } else {
            self.state = State::Bound(bindings);
        }
    }

    fn mapped(&mut self, base: SocketAddr, address: SocketAddr, before: Option<SocketAddr>) {
        self.unmap(base, before);
        // Seen under its own address, a device has no other.
        if address != base {
            self.find(LocalCandidate::Reflexive { address, base });
        }
        self.tell_works();
    }

    fn find(&mut self, candidate: LocalCandidate) {
        self.events.push_back(IceEvent::Found { server: self.number, candidate });
    }

    fn unmap(&mut self, base: SocketAddr, before: Option<SocketAddr>) {
        if let Some(address) = before.filter(|address| *address != base) {
            self.events.push_back(IceEvent::Lost(LocalCandidate::Reflexive { address, base }));
        }
    }

    fn silent(&mut self, base: SocketAddr, before: Option<SocketAddr>) {
        self.unmap(base, before);
        let State::Bound(bindings) = &self.state else { return };
        // Not every address of a device leads to everywhere.
        if bindings.iter().all(Binding::is_silent) {
            self.report(
                "it does not answer; check the address, and whether a firewall lets UDP through".to_owned(),
            );
        }
    }

    fn allocate(&mut self, connection: Connection, now: Instant) {
        let Role::Turn { credentials, .. } = &self.role else { return };
        let shown = credentials::at(credentials, SystemTime::now());
        let Connection { local, server, .. } = connection;
        let allocation = Box::new(Allocation::new(self.url.transport, local, server, shown, now));
        self.state = State::Connected { connection, allocation, buffer: Box::new([0; BUFFER]) };
    }

    /// Lets go of all candidates, and begins anew after a while.
    fn fail(&mut self, why: String) {
        self.lose_candidates();
        let had_address =
            matches!(&self.state, State::Connected { allocation, .. } if allocation.relayed().is_some());
        self.state = State::Waiting(Instant::now() + if had_address { REPLACE } else { RETRY });
        self.report(why);
    }

    fn lose_candidates(&mut self) {
        match &self.state {
            State::Bound(bindings) => {
                let mapped: Vec<_> =
                    bindings.iter().map(|binding| (binding.base, binding.mapped())).collect();
                for (base, address) in mapped {
                    self.unmap(base, address);
                }
            }
            State::Connected { connection, allocation, .. } => {
                if let Some(address) = allocation.relayed() {
                    let local = connection.local;
                    self.events.push_back(IceEvent::Lost(LocalCandidate::Relayed { address, local }));
                }
            }
            State::Waiting(_) | State::LookingUp(_) | State::Connecting(_) => {}
        }
    }

    fn report(&mut self, why: String) {
        if matches!(self.role, Role::Stun { reports: false }) {
            return;
        }
        let named = match self.named_by {
            NamedBy::Configuration => "",
            NamedBy::MediaServer => " (named by the media server)",
        };
        self.tell(Some(format!("{}{named}: {why}", self.url)));
    }

    fn tell_works(&mut self) {
        if !matches!(self.role, Role::Stun { reports: false }) {
            self.tell(None);
        }
    }

    fn tell(&mut self, message: Option<String>) {
        if self.told.as_ref() != Some(&message) {
            self.told = Some(message.clone());
            self.events.push_back(IceEvent::Trouble { server: self.number, message });
        }
    }

    /// This device has other addresses now; `lost` are no longer its.
    pub(super) fn follow_addresses(&mut self, hosts: &[SocketAddr], lost: &[SocketAddr]) {
        match &mut self.state {
            State::Bound(bindings) => {
                let (gone, mut kept): (Vec<_>, Vec<_>) =
                    std::mem::take(bindings).into_iter().partition(|binding| lost.contains(&binding.base));
                let binding = |host: &SocketAddr| {
                    let mut known = kept.iter().chain(&gone);
                    let server = known.find(|known| known.server.is_ipv4() == host.is_ipv4())?.server;
                    Some(Binding::new(*host, server, Instant::now()))
                };
                let is_new = |host: &&SocketAddr| kept.iter().all(|known| known.base != **host);
                let new: Vec<_> = hosts.iter().filter(is_new).filter_map(binding).collect();
                kept.extend(new);
                let is_cut_off = kept.is_empty();
                *bindings = kept;
                for binding in gone {
                    self.unmap(binding.base, binding.mapped());
                }
                if is_cut_off {
                    self.begin_again();
                }
            }
            State::Connected { connection, .. } => {
                if lost.iter().any(|lost| lost.ip() == connection.local.ip()) {
                    self.begin_again();
                }
            }
            // What failed before may be reached from here.
            State::Waiting(until) => *until = Instant::now(),
            State::LookingUp(_) | State::Connecting(_) => self.state = State::Waiting(Instant::now()),
        }
    }

    fn begin_again(&mut self) {
        self.lose_candidates();
        self.state = State::Waiting(Instant::now());
    }

    /// Takes in a datagram that came to one of our addresses. Says whether it was from this server.
    pub(super) fn receive(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> bool {
        let State::Bound(bindings) = &mut self.state else { return false };
        bindings.iter_mut().any(|binding| binding.base == to && binding.receive(from, datagram, now))
    }

    /// Sends a datagram from the address `from`, if it is one of this server's.
    pub(super) fn send(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8], now: Instant) -> bool {
        let State::Connected { connection, allocation, .. } = &mut self.state else { return false };
        if allocation.relayed() != Some(from) {
            return false;
        }
        if let Some(message) = allocation.send(to, datagram, now) {
            connection.send(message);
        }
        true
    }

    /// Law 1: no media wait any longer.
    pub(super) fn forget_media(&mut self) {
        if let State::Connected { connection, allocation, .. } = &mut self.state {
            allocation.forget_waiting();
            connection.forget_media();
        }
    }

    /// Gives the address back.
    pub(super) fn release(&mut self, now: Instant) {
        if let State::Connected { connection, allocation, .. } = &mut self.state {
            allocation.release(now).into_iter().for_each(|message| connection.send(message));
        }
    }
}

/// The next output of a binding, with its addresses.
fn next_output(bindings: &mut [Binding], now: Instant) -> Option<(SocketAddr, SocketAddr, binding::Output)> {
    bindings.iter_mut().find_map(|binding| match binding.poll(now) {
        binding::Output::Timeout(_) => None,
        output => Some((binding.base, binding.server, output)),
    })
}

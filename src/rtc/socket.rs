//! The UDP sockets that all peers share: one for each address of this device, so that each datagram leaves from, and is
//! known to have come to, the address that its candidate names.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use socket2::SockRef;
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

/// Addresses that are offered at most; devices with containers can have dozens.
const MAX_ADDRESSES: usize = 8;
/// The largest datagram that is received, in bytes.
pub const MAX_DATAGRAM: usize = 2048;

/// Whether addresses that only this machine can reach are used beside the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loopback {
    /// Only if there are no others.
    IfAlone,
    /// Yes, because the meeting is on this machine.
    Too,
}

/// A datagram that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// From whom.
    pub from: SocketAddr,
    /// To which of our addresses.
    pub to: SocketAddr,
    /// How many bytes of the buffer it takes.
    pub length: usize,
}

/// How our addresses have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The new ones.
    pub gained: Vec<SocketAddr>,
    /// Those that are no longer ours.
    pub lost: Vec<SocketAddr>,
}

/// One socket for each of our addresses.
#[derive(Debug)]
pub struct Sockets {
    sockets: Vec<(SocketAddr, UdpSocket)>,
    /// Which socket is asked first, so that a busy one does not starve the others.
    first: usize,
}

impl Sockets {
    /// Opens a socket, on a port that is free, for each address of an interface that is up.
    ///
    /// # Errors
    /// The system does not tell its addresses, or no socket can be opened on any of them.
    pub fn open(loopback: Loopback) -> io::Result<Self> {
        let mut sockets = Vec::new();
        let mut refused = io::Error::new(io::ErrorKind::AddrNotAvailable, "no interface has an address");
        for address in addresses(loopback)? {
            match open_on(address) {
                Ok(opened) => sockets.push(opened),
                // An IPv6 address is not usable before it is known to be the only one.
                Err(error) => refused = error,
            }
        }
        if sockets.is_empty() { Err(refused) } else { Ok(Self { sockets, first: 0 }) }
    }

    /// Our addresses, with their ports.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|(address, _)| *address).collect()
    }

    /// Waits for a datagram. Can be dropped while it waits without losing one.
    pub async fn receive(&mut self, buffer: &mut [u8]) -> Received {
        poll_fn(|cx| {
            let count = self.sockets.len();
            for index in (self.first..self.first + count).map(|index| index % count) {
                let (to, socket) = &self.sockets[index];
                let mut read = ReadBuf::new(buffer);
                // An error is that of an earlier datagram (ICMP); it says nothing of those to come.
                while let Poll::Ready(received) = socket.poll_recv_from(cx, &mut read) {
                    if let Ok(from) = received {
                        self.first = (index + 1) % count;
                        return Poll::Ready(Received { from, to: *to, length: read.filled().len() });
                    }
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Sends a datagram from one of our addresses. One that the system does not take is lost, as on any network; says
    /// whether it was taken.
    pub fn send(&self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) -> bool {
        self.sockets
            .iter()
            .find(|(address, _)| *address == from)
            // Not tokio's, which takes nothing before the socket was once found writable.
            .is_some_and(|(_, socket)| SockRef::from(socket).send_to(datagram, &to.into()).is_ok())
    }

    /// Opens sockets on addresses that the device has now, and closes those on addresses that it has no more. Without any
    /// address, as in a moment without a network, all stay as they are.
    pub fn follow_addresses(&mut self, loopback: Loopback) -> Changes {
        match addresses(loopback) {
            Ok(now) if !now.is_empty() => self.follow(now),
            _ => Changes::default(),
        }
    }

    fn follow(&mut self, now: BTreeSet<IpAddr>) -> Changes {
        let (kept, lost): (Vec<_>, Vec<_>) = std::mem::take(&mut self.sockets)
            .into_iter()
            .partition(|(address, _)| now.contains(&address.ip()));
        self.sockets = kept;
        self.first = 0;
        let known: BTreeSet<IpAddr> = self.sockets.iter().map(|(address, _)| address.ip()).collect();
        let fresh: Vec<_> = now.difference(&known).filter_map(|address| open_on(*address).ok()).collect();
        let gained = fresh.iter().map(|(address, _)| *address).collect();
        self.sockets.extend(fresh);
        Changes { gained, lost: lost.into_iter().map(|(address, _)| address).collect() }
    }
}

fn open_on(address: IpAddr) -> io::Result<(SocketAddr, UdpSocket)> {
    let socket = std::net::UdpSocket::bind(SocketAddr::new(address, 0))?;
    socket.set_nonblocking(true)?;
    Ok((socket.local_addr()?, UdpSocket::from_std(socket)?))
}

/// The addresses that others could reach.
fn addresses(loopback: Loopback) -> io::Result<BTreeSet<IpAddr>> {
    let mut all = BTreeSet::new();
    let mut local = BTreeSet::new();
    for interface in getifaddrs()? {
        if !interface.flags.contains(InterfaceFlags::IFF_UP) {
            continue;
        }
        let Some(address) = interface.address.as_ref().and_then(|address| {
            let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
        }) else {
            continue;
        };
        if address.is_loopback() {
            local.insert(address);
        } else if is_usable(address) {
            all.insert(address);
        }
    }
    if all.is_empty() || loopback == Loopback::Too {
        all.extend(local);
    }
    // IPv4 comes first in the set, so a device with many IPv6 addresses keeps it.
    Ok(all.into_iter().take(MAX_ADDRESSES).collect())
}

/// Link-local IPv6 addresses mean nothing without the name of an interface, which candidates do not have.
fn is_usable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_unspecified(),
        IpAddr::V6(address) => !address.is_unspecified() && !address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_datagram_comes_from_the_address_that_it_was_sent_from() {
        let mut sockets = Sockets::open(Loopback::Too).unwrap();
        let home = |address: &SocketAddr| address.ip() == IpAddr::from([127, 0, 0, 1]);
        let ours = sockets.addresses().into_iter().find(home).unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        assert!(sockets.send(ours, other.local_addr().unwrap(), b"hello"));
        let mut buffer = [0; MAX_DATAGRAM];
        let (length, from) = other.recv_from(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..length], from), (&b"hello"[..], ours));
        other.send_to(b"good morning", ours).await.unwrap();
        let received = sockets.receive(&mut buffer).await;
        assert_eq!(received, Received { from: other.local_addr().unwrap(), to: ours, length: 12 });

        assert!(!sockets.follow(BTreeSet::from([ours.ip()])).lost.contains(&ours));
        assert_eq!(sockets.addresses(), [ours], "only the addresses that are left");
        let changes = sockets.follow(BTreeSet::from(["127.0.0.2".parse().unwrap()]));
        assert_eq!(changes, Changes { gained: sockets.addresses(), lost: vec![ours] });
        let foreign = "192.0.2.1:1".parse().unwrap();
        assert!(!sockets.send(foreign, other.local_addr().unwrap(), b"no such address"));
    }

    #[test]
    fn addresses_without_an_interface_are_not_offered() {
        assert!(is_usable("192.0.2.1".parse().unwrap()));
        assert!(is_usable("2001:db8::1".parse().unwrap()));
        assert!(!is_usable("fe80::1".parse().unwrap()));
    }
}

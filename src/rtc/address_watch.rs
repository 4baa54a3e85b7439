//! Hears from the kernel that the addresses of this device may have changed.

use std::io;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, bind, socket_with};
use tokio::net::UdpSocket;

/// Interfaces that go up or down, and changes of IPv4 and IPv6 addresses (`RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`,
/// `RTMGRP_IPV6_IFADDR`; rtnetlink(7)).
const GROUPS: u32 = 0x1 | 0x10 | 0x100;
/// `NETLINK_ROUTE`, the protocol of number 0.
const ROUTE: Option<Protocol> = None;

/// A subscription. What exactly has changed is not read from it: whoever hears of a change looks at the whole.
#[derive(Debug)]
pub struct AddressWatch {
    /// A netlink socket. tokio knows none, and waits for a datagram and receives it in the same way on all of them.
    socket: UdpSocket,
}

impl AddressWatch {
    /// Subscribes.
    ///
    /// # Errors
    /// The system allows no netlink socket.
    pub fn new() -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, ROUTE)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self { socket: UdpSocket::from_std(socket.into())? })
    }

    /// Waits for a change. Can be dropped while it waits without missing one.
    ///
    /// # Errors
    /// The socket is of no use any more.
    pub async fn changed(&mut self) -> io::Result<()> {
        match self.socket.recv(&mut [0; 4096]).await {
            // There were more changes than the socket holds, which is a change too.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(()),
            received => received.map(|_| ()),
        }
    }
}

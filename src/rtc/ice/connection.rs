//! The connection to a TURN server: datagrams, TCP, or TLS over TCP.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use rustls::pki_types::ServerName;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::config::{IceScheme, IceTransport, IceUrl};
use crate::socketio::tls_config;

/// How long looking up a name, connecting and TLS may take together.
const DEADLINE: Duration = Duration::from_secs(8);
/// Bytes of media that may wait for a TCP connection; half a second at 1 Mbit/s. What comes then is lost, as in a router.
const MAX_WAITING: usize = 64 * 1024;

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection to a TURN server.
pub(super) struct Connection {
    pub(super) local: SocketAddr,
    pub(super) server: SocketAddr,
    kind: Kind,
}

enum Kind {
    Datagrams(UdpSocket),
    Stream(Stream),
}

struct Stream {
    stream: Box<dyn Duplex>,
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
    /// How much of the first one was written.
    written: usize,
}

/// The addresses of a server, or what to do about there being none.
pub(super) async fn look_up(url: &IceUrl) -> Result<Vec<SocketAddr>, String> {
    let host = url.host.to_string();
    let name = host.trim_matches(['[', ']']);
    let found = timeout(DEADLINE, lookup_host((name, url.port))).await;
    let found: io::Result<Vec<_>> = match found {
        Ok(found) => found.map(Iterator::collect),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    match found {
        Ok(addresses) if !addresses.is_empty() => Ok(addresses),
        Ok(_) => Err(format!("the name {host} has no address; check the name")),
        Err(error) => Err(format!(
            "the name {host} cannot be looked up: {error}; check the name, and DNS on this device"
        )),
    }
}

impl Connection {
    /// Connects to one of the addresses of the server. `ca_file` has certificate authorities to trust beside the system's.
    pub(super) async fn open(url: &IceUrl, ca_file: Option<PathBuf>) -> Result<Self, String> {
        let addresses = look_up(url).await?;
        let mut refused = String::new();
        for address in addresses {
            let opened = match url.transport {
                IceTransport::Udp => datagrams(address).await,
                IceTransport::Tcp => stream(url, address, ca_file.clone()).await,
            };
            match opened {
                Ok(connection) => return Ok(connection),
                Err(why) => refused = why,
            }
        }
        Err(refused)
    }

    /// Sends a datagram, or a message of the same size. What comes while too much waits is lost, media first.
    pub(super) fn send(&mut self, message: Vec<u8>) {
        match &mut self.kind {
            Kind::Datagrams(socket) => {
                // Not tokio's, which takes nothing before the socket was once found writable.
                let _ = SockRef::from(&*socket).send(&message);
            }
            Kind::Stream(stream) => {
                let room = if is_media(&message) { MAX_WAITING } else { 2 * MAX_WAITING };
                if stream.waiting_bytes < room {
                    stream.waiting_bytes += message.len();
                    stream.waiting.push_back(message);
                    // What cannot be written now is written by `poll_receive`.
                    let _ = stream.poll_write(&mut Context::from_waker(Waker::noop()));
                }
            }
        }
    }

    /// Law 1: no media wait any longer.
    pub(super) fn forget_media(&mut self) {
        let Kind::Stream(stream) = &mut self.kind else { return };
        let begun = usize::from(stream.written > 0);
        let rest = stream.waiting.split_off(begun.min(stream.waiting.len()));
        stream.waiting.extend(rest.into_iter().filter(|message| !is_media(message)));
        stream.waiting_bytes = stream.waiting.iter().map(Vec::len).sum();
    }

    /// Waits for something from the server, and writes what waits. No bytes mean that the server has closed the connection.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut read = ReadBuf::new(buffer);
        match &mut self.kind {
            Kind::Datagrams(socket) => ready!(socket.poll_recv(cx, &mut read))?,
            Kind::Stream(stream) => {
                if let Poll::Ready(Err(error)) = stream.poll_write(cx) {
                    return Poll::Ready(Err(error));
                }
                ready!(Pin::new(&mut stream.stream).poll_read(cx, &mut read))?;
            }
        }
        Poll::Ready(Ok(read.filled().len()))
    }
}

impl Stream {
    /// Writes what waits, one message after the other, so that no more than one waits where it cannot be forgotten.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(message) = self.waiting.front() {
            let rest = message.get(self.written..).unwrap_or_default();
            if rest.is_empty() {
                ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
                self.waiting_bytes -= message.len();
                self.waiting.pop_front();
                self.written = 0;
            } else {
                self.written += ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Whether a message is one of a channel (RFC 8656 §12.4), which media have.
fn is_media(message: &[u8]) -> bool {
    message.first().is_some_and(|first| *first >= 0x40)
}

async fn datagrams(server: SocketAddr) -> Result<Connection, String> {
    let any = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let opened = async {
        let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
        socket.connect(server).await?;
        Ok::<_, io::Error>((socket.local_addr()?, socket))
    };
    let (local, socket) = opened.await.map_err(|error| unreachable(server, &error.to_string()))?;
    Ok(Connection { local, server, kind: Kind::Datagrams(socket) })
}

async fn stream(url: &IceUrl, server: SocketAddr, ca_file: Option<PathBuf>) -> Result<Connection, String> {
    let connected = timeout(DEADLINE, TcpStream::connect(server)).await;
    let tcp = match connected {
        Ok(Ok(tcp)) => tcp,
        Ok(Err(error)) => return Err(unreachable(server, &error.to_string())),
        Err(_) => return Err(unreachable(server, &format!("no answer within {} s", DEADLINE.as_secs()))),
    };
    let local = tcp.local_addr().map_err(|error| error.to_string())?;
    tcp.set_nodelay(true).map_err(|error| error.to_string())?;
    let stream: Box<dyn Duplex> =
        if url.scheme == IceScheme::Turns { Box::new(tls(url, tcp, ca_file).await?) } else { Box::new(tcp) };
    let stream = Stream { stream, waiting: VecDeque::new(), waiting_bytes: 0, written: 0 };
    Ok(Connection { local, server, kind: Kind::Stream(stream) })
}

async fn tls(
    url: &IceUrl,
    tcp: TcpStream,
    ca_file: Option<PathBuf>,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, String> {
    let host = url.host.to_string();
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
        .map_err(|_| format!("{host} is no name that a certificate can have"))?;
    // Reads some 140 files: not on a thread that has media to move.
    let config = tokio::task::spawn_blocking(move || tls_config(ca_file))
        .await
        .map_err(|error| error.to_string())?
        .map_err(|fault| fault.to_string())?;
    match timeout(DEADLINE, TlsConnector::from(Arc::new(config)).connect(name, tcp)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(format!("no TLS: {error}; check its certificate and meeting.ca_file")),
        Err(_) => Err(format!("no TLS within {} s; is it the port for TLS?", DEADLINE.as_secs())),
    }
}

fn unreachable(server: SocketAddr, why: &str) -> String {
    format!(
        "{server} cannot be reached: {why}; check the address, and whether a firewall lets connections through"
    )
}

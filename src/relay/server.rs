//! The relay as a server: bound, run, shut down.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::drain::drain;
use super::fleet::{Link, carry};
use super::hub::Hub;
use super::options::RelayOptions;
use super::refusal::HttpRefusal;
use super::routes;
use crate::http::{self, Bounds};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// What the kernel may hold unsent for one peer. Its own default grows to megabytes, most of a minute of
/// media, before a slow peer would be noticed; this much is two seconds of one stream.
const SEND_BUFFER_BYTES: u32 = 256 * 1024;
/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may idle between two requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a request's head at most.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// How often sessions are looked after.
const TENDING: Duration = Duration::from_secs(1);
/// How long clients get to hear that the relay goes away, before their connections are cut.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long the server may take to let go of what is left.
const WIND_UP: Duration = Duration::from_secs(1);

/// Why a relay does not run.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Another program listens there.
    #[error(
        "the relay cannot listen on {addr}: the port is in use; stop the program that holds it \
         (`ss -ltnp 'sport = :{port}'` names it), or choose another port with --listen (0 picks a free one)",
        port = addr.port()
    )]
    AddressInUse {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// A port below 1024, most likely.
    #[error(
        "the relay may not listen on {addr}: ports below 1024 need CAP_NET_BIND_SERVICE; choose a port \
         above 1023 with --listen"
    )]
    NotPermitted {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// No interface of this machine has the address.
    #[error(
        "the relay cannot listen on {addr}: this machine does not have that address (`ip address` shows \
         what it has); 0.0.0.0 means all of them"
    )]
    NoSuchAddress {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// Anything else the system says about listening.
    #[error("the relay cannot listen on {addr}: {source}")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl RelayError {
    fn listen(addr: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddressInUse { addr },
            io::ErrorKind::PermissionDenied => Self::NotPermitted { addr },
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress { addr },
            _ => Self::Listen { addr, source },
        }
    }
}

/// A relay that listens; [`Relay::run`] makes it serve.
pub struct Relay {
    addr: SocketAddr,
    listener: TcpListener,
    hub: Arc<Hub>,
    link: Option<Link>,
}

impl Relay {
    /// Binds a relay to `addr` (port 0 picks a free one, see [`Relay::local_addr`]). From then on connections
    /// queue, and are served once it runs. Must be called within a tokio runtime, hence async.
    ///
    /// # Errors
    /// If the address cannot be listened on; the error says which and what to try.
    pub async fn bind(addr: SocketAddr, options: RelayOptions) -> Result<Self, RelayError> {
        let failed = |source| RelayError::listen(addr, source);
        let listener = listen(addr).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let (hub, link) = Hub::new(options);
        Ok(Self { addr: local, listener, hub, link })
    }

    /// The address the relay listens on, with the port the system chose if it was asked for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `shutdown` completes. Then takes nobody new, sends its participants elsewhere within
    /// [`RelayOptions::drain`], cuts those off that do not hear, and returns after 3 s more at most.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, hub, link, .. } = self;
        let bounds = Bounds {
            connections: hub.options.max_connections,
            head: HEAD_TIMEOUT,
            idle: IDLE_TIMEOUT,
            stall: hub.options.stall_timeout,
            head_bytes: MAX_HEAD_BYTES,
            // The listener has given it to its connections.
            send_buffer: None,
            farewell: WIND_UP,
        };
        let stop = CancellationToken::new();
        let busy = Router::new().fallback(async || HttpRefusal::busy("connections"));
        let serve = http::serve(listener, routes::all(hub.clone()), busy, bounds, stop.clone());
        let tend = async {
            let mut ticks = interval(TENDING);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                hub.tend();
            }
        };
        let carry = async {
            match (link, &hub.options.redis, &hub.gateway.fleet) {
                (Some(link), Some(redis), Some(fleet)) => carry(link, redis, fleet, &hub.gateway).await,
                _ => pending().await,
            }
        };
        let farewell = async {
            shutdown.await;
            hub.stop_admitting();
            tokio::select! {
                () = hub.sessions.all_gone() => {}
                () = drain(&hub, hub.options.drain) => {}
            }
            stop.cancel();
            if timeout(FAREWELL, hub.sessions.all_gone()).await.is_err() {
                tracing::info!("some clients did not hear that the relay goes away; cutting them off");
            }
            hub.sessions.list().iter().for_each(|session| hub.close(session));
            if let Some(fleet) = &hub.gateway.fleet {
                // So that other relays need not wait for a lease to run out.
                let _ = timeout(WIND_UP, fleet.flushed()).await;
            }
        };
        tokio::select! {
            never = tend => never,
            () = carry => {}
            ((), ()) = async { tokio::join!(serve, farewell) } => {}
        }
    }
}

/// Raises the process's limit of open files as far as it may, for a connection is one. The usual limit is there
/// for programs that call `select`, which this one does not.
pub fn allow_many_connections() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "cannot raise the limit of open files");
    }
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As `TcpListener::bind` does, so that a restarted relay gets its port back at once.
    socket.set_reuseaddr(true)?;
    // Accepted sockets inherit both. Without the second, chunks may come late (Nagle's algorithm).
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_nodelay(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

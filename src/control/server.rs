//! The server: bound to a Unix socket, to a TCP address, to both or to none.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::serve::Listener;
use axum::{Router, middleware};
use nix::unistd::geteuid;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::Control;
use super::api::{self, Api};
use super::guard::{Guard, guard};
use super::limits::Limits;
use super::problem::Problem;
use super::socket::{self, SocketFile};
use crate::config::{ControlApi, SocketChoice};
use crate::http::{self, Line};

/// Why nobody can ask the daemon anything.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another daemon listens there.
    #[error(
        "another daemon holds the control socket {}: stop it, or give this one another with --set control.socket=PATH (\"none\" for none)",
        path.display()
    )]
    Held {
        /// The socket.
        path: PathBuf,
    },
    /// There is something else in its place.
    #[error("{} is no socket, so it is left alone: remove it, or set control.socket to another path", path.display())]
    NoSocket {
        /// What stands there.
        path: PathBuf,
    },
    /// The socket cannot be made.
    #[error("cannot make the control socket {}: {source}; {}", path.display(), remedy(source, path))]
    Socket {
        /// Where it was to be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The TCP address cannot be listened on.
    #[error(
        "the control API cannot listen on {addr}: {source}; set control.listen to another address, or \"none\""
    )]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

fn remedy(source: &io::Error, path: &Path) -> String {
    let folder = path.parent().unwrap_or(path).display();
    match source.kind() {
        io::ErrorKind::NotFound => format!("make the folder {folder}, or set control.socket to another path"),
        io::ErrorKind::PermissionDenied => {
            format!(
                "let the daemon's user (uid {}) write to {folder}, or set control.socket to another path",
                geteuid()
            )
        }
        _ => "set control.socket to another path, or to \"none\"".to_owned(),
    }
}

/// A control API that listens; [`Server::run`] makes it answer.
#[derive(Debug)]
pub struct Server {
    unix: Option<(UnixListener, SocketFile)>,
    tcp: Option<(TcpListener, SocketAddr, Guard)>,
    control: Control,
    limits: Limits,
}

impl Server {
    /// Binds what `config` asks for. From then on clients queue, and are answered once it runs. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// If one of them cannot be bound; the error says which and what to do.
    pub fn open(config: &ControlApi, control: Control) -> Result<Self, ControlError> {
        Self::with_limits(config, control, Limits::default())
    }

    /// As [`Server::open`], with other bounds.
    ///
    /// # Errors
    /// As [`Server::open`].
    pub fn with_limits(config: &ControlApi, control: Control, limits: Limits) -> Result<Self, ControlError> {
        let unix = match &config.socket {
            SocketChoice::None => None,
            SocketChoice::Path(path) => Some(socket::bind(path.as_path(), false)?),
            SocketChoice::Auto => match socket::automatic() {
                Some(path) => Some(socket::bind(&path, true)?),
                None => {
                    tracing::info!(
                        "no control socket: neither RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR says where; \
                         roomcam ctl needs control.socket set to a path"
                    );
                    None
                }
            },
        };
        let tcp = config.listen.map(|addr| listen(addr, config)).transpose()?;
        Ok(Self { unix, tcp, control, limits })
    }

    /// The Unix socket, if there is one.
    pub fn socket(&self) -> Option<&Path> {
        self.unix.as_ref().map(|(_, file)| file.path())
    }

    /// The TCP address, if there is one, with the port that the system chose if it was asked for port 0.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().map(|(_, addr, _)| *addr)
    }

    /// Answers until `shutdown` completes, then takes leave within a second and removes the socket.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { unix, tcp, control, limits } = self;
        let stop = CancellationToken::new();
        let listeners = Arc::new(Semaphore::new(limits.listeners));
        let router = api::router(Api { control, listeners, stop: stop.clone() });
        let (socket, _file) = unix.unzip();
        let local = serve(socket, router.clone(), &limits, stop.clone());
        let (listener, guarded) = match tcp {
            Some((listener, _, rules)) => {
                (Some(listener), router.layer(middleware::from_fn_with_state(rules, guard)))
            }
            None => (None, router),
        };
        let network = serve(listener, guarded, &limits, stop.clone());
        let until = async {
            shutdown.await;
            stop.cancel();
        };
        tokio::join!(local, network, until);
    }
}

fn listen(addr: SocketAddr, config: &ControlApi) -> Result<(TcpListener, SocketAddr, Guard), ControlError> {
    let failed = |source| ControlError::Listen { addr, source };
    let listener = std::net::TcpListener::bind(addr).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = TcpListener::from_std(listener).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound, Guard::new(bound, config)))
}

/// Serves the clients of a listener, if there is one, until it is time to stop.
async fn serve<L>(listener: Option<L>, router: Router, limits: &Limits, stop: CancellationToken)
where
    L: Listener<Io: Line>,
{
    let Some(listener) = listener else { return };
    let busy = Router::new().fallback(async || Problem::busy("connections"));
    http::serve(listener, router, busy, limits.bounds(), stop).await;
}

//! From an [`Endpoint`] to an open WebSocket: DNS, TCP, TLS, upgrade.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use serde::Deserialize;
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::http::{Response, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Error as WsError};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::endpoint::{Endpoint, Limits};
use super::error::{Fault, Phase, quote};
use super::metered::Metered;
use super::send_queue::SendQueue;

/// Bytes that may wait unsent in the kernel before the socket stops being writable (`TCP_NOTSENT_LOWAT`). What lies in
/// the send buffer beyond them is in flight. So what a slow uplink delays waits in this process, where its age is known and
/// where it can still be skipped. The kernel takes a message more than this; 4 KiB are sent in 80 ms at 400 kbit/s.
const NOTSENT_LOWAT: u32 = 4 * 1024;

/// What the kernel may hold of what we send, in bytes, in flight included, until [`SendQueue::expect`] bounds it to what is
/// sent; Linux doubles it for its own accounting. By itself the kernel would take several MiB.
const SEND_BUFFER: u32 = 128 * 1024;

/// How long sent bytes may stay unacknowledged before the kernel ends the connection (`TCP_USER_TIMEOUT`). By itself Linux
/// sends them again for about 15 minutes. Longer than the 8 s after which late media ends a session, which says why; this
/// one is for when no media flows, and also limits how long a closed socket goes on sending.
const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes tungstenite reads at once; allocated for the life of the connection. Its default is 128 KiB.
const READ_BUFFER: usize = 16 * 1024;

pub(super) type WebSocket = WebSocketStream<MaybeTlsStream<Metered>>;

/// Opens the TCP connection. The addresses of the host are tried in turn, each for its even share of the time
/// left, so that one that swallows packets does not keep the others from being tried. The host is looked up anew each time,
/// because its addresses may have changed.
pub(crate) async fn tcp(endpoint: &Endpoint, limits: &Limits, deadline: Instant) -> Result<TcpStream, Fault> {
    let host = endpoint.host();
    let found = lookup_host((host.as_str(), endpoint.port())).await;
    let addresses: Vec<SocketAddr> = match found.map(Iterator::collect) {
        Ok(addresses) => addresses,
        Err(source) => return Err(Fault::Dns { host: endpoint.host(), source }),
    };
    let mut fault = Fault::Dns { host: endpoint.host(), source: io::Error::other("it has no address") };
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let share = deadline.saturating_duration_since(Instant::now()) / left;
        fault = match timeout(share, connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => Fault::from(error),
            // In the same words each time, so that it is logged once.
            Err(_) => Fault::Timeout { phase: Phase::Tcp, after: limits.connect_timeout },
        };
        left -= 1;
    }
    Err(fault)
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.set_nodelay(true)?;
    let options = SockRef::from(&socket);
    options.set_tcp_notsent_lowat(NOTSENT_LOWAT)?;
    options.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    socket.connect(address).await
}

/// TLS, where the endpoint asks for it, and the WebSocket upgrade.
pub(super) async fn upgrade(
    endpoint: &Endpoint,
    tcp: TcpStream,
    limits: &Limits,
) -> Result<(WebSocket, SendQueue), Fault> {
    let queue = SendQueue::new(&tcp)?;
    let metered = Metered::new(tcp, queue.clone());
    let connector = if endpoint.is_secure() {
        let ca_file = endpoint.ca_file.clone();
        // Reads some 140 files: not on a thread that has media to move.
        let config = tokio::task::spawn_blocking(move || tls_config(ca_file))
            .await
            .map_err(|error| Fault::Tls(error.to_string()))??;
        Connector::Rustls(Arc::new(config))
    } else {
        Connector::Plain
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(limits.max_message))
        .max_frame_size(Some(limits.max_message));
    let (socket, _) =
        client_async_tls_with_config(endpoint.handshake_url(), metered, Some(config), Some(connector))
            .await
            .map_err(upgrade_fault)?;
    Ok((socket, queue))
}

/// Trusts the platform's authorities and those in `ca_file`.
pub(crate) fn tls_config(ca_file: Option<PathBuf>) -> Result<ClientConfig, Fault> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    if let Some(path) = ca_file {
        add_ca_file(&mut roots, &path).map_err(|why| Fault::CaFile { path, why })?;
    }
    if roots.is_empty() {
        let why = match native.errors.first() {
            Some(error) => error.to_string(),
            None => "the platform has no certificate authorities; install ca-certificates".to_owned(),
        };
        return Err(Fault::Tls(why));
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::Tls(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn add_ca_file(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let mut found = false;
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())? {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
        found = true;
    }
    if found { Ok(()) } else { Err("it contains no certificate".to_owned()) }
}

/// What a failed upgrade means.
fn upgrade_fault(error: WsError) -> Fault {
    match error {
        WsError::Http(response) => http_fault(&response),
        WsError::Protocol(ProtocolError::HandshakeIncomplete) => {
            Fault::Closed("before it answered the WebSocket request".to_owned())
        }
        WsError::Protocol(_) | WsError::HttpFormat(_) | WsError::AttackAttempt | WsError::Capacity(_) => {
            Fault::NotHttp(error.to_string())
        }
        other => socket_fault(other),
    }
}

fn http_fault(response: &Response<Option<Vec<u8>>>) -> Fault {
    let status = response.status().as_u16();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(quote);
    // Engine.IO's answer to a version it does not speak; the status is 400.
    let body = response.body().as_deref().unwrap_or_default();
    if String::from_utf8_lossy(body).contains("Unsupported protocol version") {
        return Fault::WrongVersion("it refused EIO=4");
    }
    if let Ok(Refusal { error, .. }) = serde_json::from_slice(body) {
        return Fault::HttpRefused { status, message: quote(&error) };
    }
    let content = header(header::CONTENT_TYPE);
    match (status, header(header::LOCATION), content) {
        (300..=399, Some(location), _) => Fault::Redirect { status, location },
        (404, ..) => Fault::NotFound,
        (_, _, Some(content)) if content.starts_with("text/html") => Fault::Page { status },
        (_, _, content) => {
            let content = content.unwrap_or_else(|| "no content type".to_owned());
            Fault::NotWebSocket { status, content }
        }
    }
}

/// Why the embedded relay refuses a request. Others have no code.
#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(rename = "code")]
    _code: String,
}

/// What an error of TLS means, in words that are the same each time: rustls tells the time of day.
fn tls_fault(error: &rustls::Error) -> Fault {
    Fault::Tls(match error {
        rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { .. }) => {
            "the certificate has expired".to_owned()
        }
        rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext { .. }) => {
            "the certificate is not valid yet".to_owned()
        }
        other => other.to_string(),
    })
}

/// What an error of the socket means, which may be that of TLS on it.
pub(crate) fn io_fault(error: io::Error) -> Fault {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(error) => tls_fault(error),
        None => Fault::from(error),
    }
}

/// What an error of the open WebSocket means.
pub(super) fn socket_fault(error: WsError) -> Fault {
    match error {
        WsError::Io(error) => io_fault(error),
        WsError::Tls(error) => Fault::Tls(error.to_string()),
        WsError::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
            Fault::TooLarge { size, max: max_size }
        }
        WsError::ConnectionClosed
        | WsError::AlreadyClosed
        | WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            Fault::Closed("without saying why".to_owned())
        }
        other => Fault::NotHttp(other.to_string()),
    }
}

/// What a close frame says.
pub(super) fn close_reason(frame: Option<tungstenite::protocol::CloseFrame>) -> Fault {
    Fault::Closed(match frame {
        Some(frame) if !frame.reason.is_empty() => format!("code {}, {}", frame.code, quote(&frame.reason)),
        Some(frame) => format!("code {}", frame.code),
        None => "without saying why".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// The largest segment of the loopback interface, by which the kernel may exceed a limit.
    const SEGMENT: usize = 64 * 1024;

    #[tokio::test]
    async fn a_connection_has_the_options_that_bound_what_the_kernel_holds() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();

        let stream = connect(listener.local_addr().unwrap()).await.unwrap();

        let options = SockRef::from(&stream);
        assert_eq!(options.tcp_notsent_lowat().unwrap(), NOTSENT_LOWAT);
        assert_eq!(options.tcp_user_timeout().unwrap(), Some(USER_TIMEOUT));
        assert!(stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_soon_makes_the_socket_unwritable() {
        let peer = TcpSocket::new_v4().unwrap();
        peer.set_recv_buffer_size(8 * 1024).unwrap();
        peer.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = peer.listen(1).unwrap();
        let stream = connect(listener.local_addr().unwrap()).await.unwrap();
        let (_accepted, _) = listener.accept().await.unwrap();

        let mut taken = 0;
        while timeout(Duration::from_millis(200), stream.writable()).await.is_ok() {
            match stream.try_write(&[0; 1024]) {
                Ok(bytes) => taken += bytes,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }

        assert!(taken <= NOTSENT_LOWAT as usize + SEGMENT, "the kernel took {taken} bytes");
    }
}

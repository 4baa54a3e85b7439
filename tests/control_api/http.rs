//! HTTP by hand, so that a test can say what no client would.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// No test waits longer than this for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self
            .head
            .lines()
            .find_map(|line| line.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)));
        line.map(|(_, value)| value.trim())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The text of an error, which is all that its body holds.
    pub fn error(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let json = self.json();
        assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
        json["error"].as_str().unwrap().to_owned()
    }
}

pub async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("nothing happened for 20 s")
}

pub async fn get(socket: &Path, path: &str) -> Answer {
    ask(socket, "GET", path, "", "").await
}

pub async fn ask(socket: &Path, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    exchange(UnixStream::connect(socket).await.unwrap(), &request(method, path, headers, body)).await
}

/// As [`ask`], with a JSON body.
pub async fn put(socket: &Path, path: &str, json: &str) -> Answer {
    ask(socket, "PUT", path, "Content-Type: application/json\r\n", json).await
}

pub async fn ask_tcp(addr: std::net::SocketAddr, method: &str, path: &str, headers: &str) -> Answer {
    exchange(TcpStream::connect(addr).await.unwrap(), &request(method, path, headers, "")).await
}

/// A request; without a Host among `headers` it has one that names this device.
pub fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let host = if headers.to_lowercase().contains("host:") { "" } else { "Host: localhost\r\n" };
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!("{method} {path} HTTP/1.1\r\n{host}Connection: close\r\n{length}{headers}\r\n{body}")
}

/// Sends and reads until the server closes.
pub async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Answer {
    // A server that refuses early may close before it has read everything.
    let _ = stream.write_all(request.as_bytes()).await;
    let bytes = rest(&mut stream).await;
    answer(&bytes)
        .unwrap_or_else(|| panic!("no answer to {request:.200}: {:?}", String::from_utf8_lossy(&bytes)))
}

/// All that comes until the connection ends, however that happens.
pub async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = patiently(stream.read_to_end(&mut bytes)).await;
    bytes
}

pub fn answer(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some(Answer { status, head, body: bytes[end + 4..].to_vec() })
}

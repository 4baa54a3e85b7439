//! HTTP requests for tests, one connection each.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::VecDeque;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    fn parse(answer: &str) -> Self {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        Self { status, headers, body: body.to_owned() }
    }
}

pub async fn get(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    get_as(addr, &addr.to_string(), path, headers).await
}

/// As [`get`], with another Host.
pub async fn get_as(addr: SocketAddr, host: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    exchange(addr, host, "GET", path, headers, "").await
}

pub async fn post(addr: SocketAddr, path: &str, body: &str) -> Answer {
    let headers = [("content-type", "text/plain;charset=UTF-8")];
    exchange(addr, &addr.to_string(), "POST", path, &headers, body).await
}

async fn exchange(
    addr: SocketAddr,
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    // A handshake brings its own.
    let close =
        if headers.iter().any(|(name, _)| *name == "connection") { "" } else { "connection: close\r\n" };
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{close}");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    let mut tcp = TcpStream::connect(addr).await.unwrap();
    tcp.write_all(request.as_bytes()).await.unwrap();
    let (answer, _) = read(&mut tcp).await;
    Answer::parse(&String::from_utf8_lossy(&answer))
}

/// What the server answers, as far as it says, or else until it hangs up. And whether it has not hung up.
async fn read(tcp: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut answer = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        match tcp.read(&mut bytes).await {
            Ok(0) | Err(_) => return (answer, false),
            Ok(read) => answer.extend_from_slice(&bytes[..read]),
        }
        let text = String::from_utf8_lossy(&answer);
        let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
        if length.is_some_and(|length| answer.len() >= head.len() + 4 + length) {
            return (answer, true);
        }
    }
}

/// A connection for many requests; made anew where the server has ended it.
pub struct KeptAlive {
    addr: SocketAddr,
    tcp: Option<TcpStream>,
}

impl KeptAlive {
    pub fn new(addr: SocketAddr) -> Self {
        Self { addr, tcp: None }
    }

    pub async fn exchange(&mut self, request: &str) -> Answer {
        loop {
            let mut tcp = match self.tcp.take() {
                Some(tcp) => tcp,
                None => TcpStream::connect(self.addr).await.unwrap(),
            };
            // Whether all of it arrived does not matter: the server may answer before.
            tcp.write_all(request.as_bytes()).await.ok();
            let (answer, stays) = read(&mut tcp).await;
            if answer.is_empty() {
                // Ended between two requests: this one was not heard.
                continue;
            }
            self.tcp = stays.then_some(tcp);
            return Answer::parse(&String::from_utf8_lossy(&answer));
        }
    }
}

/// Reads the packets of an Engine.IO session by long-polling.
pub struct Poller<'a> {
    addr: SocketAddr,
    path: &'a str,
    polled: VecDeque<String>,
}

impl<'a> Poller<'a> {
    pub fn new(addr: SocketAddr, path: &'a str) -> Self {
        Self { addr, path, polled: VecDeque::new() }
    }

    /// The next packet that is not a heartbeat, which is answered.
    pub async fn packet(&mut self) -> String {
        loop {
            match self.polled.pop_front() {
                Some(packet) if packet == "2" => {
                    post(self.addr, self.path, "3").await;
                }
                Some(packet) => return packet,
                None => {
                    let answer = get(self.addr, self.path, &[]).await;
                    assert_eq!(answer.status, 200);
                    self.polled.extend(answer.body.split('\u{1e}').map(str::to_owned));
                }
            }
        }
    }
}

//! HTTP requests for tests, one connection each.

use std::collections::VecDeque;
use std::net::SocketAddr;

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
}

pub async fn get(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    exchange(addr, "GET", path, headers, "").await
}

pub async fn post(addr: SocketAddr, path: &str, body: &str) -> Answer {
    exchange(addr, "POST", path, &[("content-type", "text/plain;charset=UTF-8")], body).await
}

async fn exchange(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    let mut tcp = TcpStream::connect(addr).await.unwrap();
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    Answer { status, headers, body: body.to_owned() }
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

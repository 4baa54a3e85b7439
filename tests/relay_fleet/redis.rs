//! A Redis of the test's own: a process, a port and a directory that end with it.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

pub const PASSWORD: &str = "a password of the test";

pub struct Redis {
    child: Child,
    port: u16,
    dir: TempDir,
    /// Its certificate, if it speaks TLS, which nobody else has certified.
    pub certificate: Option<String>,
}

impl Redis {
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// One that speaks TLS only, under the name of `localhost`.
    pub async fn start_tls() -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self::start_with(Some(certified)).await
    }

    async fn start_with(certified: Option<rcgen::CertifiedKey<rcgen::KeyPair>>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        if let Some(certified) = &certified {
            std::fs::write(dir.path().join("cert.pem"), certified.cert.pem()).unwrap();
            std::fs::write(dir.path().join("key.pem"), certified.signing_key.serialize_pem()).unwrap();
        }
        let certificate = certified.map(|certified| certified.cert.pem());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Self::spawn(port, &dir, certificate.is_some());
        let redis = Self { child, port, dir, certificate };
        redis.answers().await;
        redis
    }

    fn spawn(port: u16, dir: &TempDir, tls: bool) -> Child {
        let port = port.to_string();
        let ports = if tls {
            vec![
                "--port",
                "0",
                "--tls-port",
                &port,
                "--tls-cert-file",
                "cert.pem",
                "--tls-key-file",
                "key.pem",
            ]
        } else {
            vec!["--port", &port]
        };
        Command::new("redis-server")
            .args(ports)
            .args(["--tls-auth-clients", "no"])
            .args(["--bind", "127.0.0.1", "--save", "", "--requirepass", PASSWORD])
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("redis-server runs: tests/install-deps.sh test installs it")
    }

    async fn answers(&self) {
        let connected = async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(10), connected).await.expect("redis-server listens");
    }

    pub fn url(&self) -> String {
        match self.certificate {
            Some(_) => format!("rediss://localhost:{}", self.port),
            None => format!("redis://127.0.0.1:{}", self.port),
        }
    }

    /// Keeps its connections, and does nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    pub async fn stop(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Starts it anew on its port, with nothing of what it had.
    pub async fn start_again(&mut self) {
        self.child = Self::spawn(self.port, &self.dir, self.certificate.is_some());
        self.answers().await;
    }

    /// Ends the connections of all who are subscribed to something.
    pub async fn drop_subscribers(&self) {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let commands = format!("AUTH \"{PASSWORD}\"\r\nCLIENT KILL TYPE pubsub\r\nQUIT\r\n");
        connection.write_all(commands.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(!answer.contains('-'), "{answer}");
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().expect("it runs")).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }
}

//! The real program as a child process, for what has to be seen from outside: its memory, and what it prints.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::child;
use crate::peer::PATIENCE;

pub struct Program {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    pub addr: SocketAddr,
    /// The address that it printed.
    pub url: String,
    dir: TempDir,
}

/// Where it logs, in its directory.
const LOG: &str = "log";

impl Program {
    /// `roomcam relay` on a free port, with `tokens` as files: `("--view-token-file", "secret")`.
    pub async fn relay(tokens: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut args = vec!["relay".to_owned()];
        for (number, (flag, token)) in tokens.iter().enumerate() {
            args.extend([(*flag).to_owned(), file(dir.path(), number, token).display().to_string()]);
        }
        Self::start(dir, &args).await
    }

    /// `roomcam demo` on a free port, with a test picture.
    pub async fn demo() -> Self {
        Self::start(tempfile::tempdir().unwrap(), &["demo".to_owned()]).await
    }

    async fn start(dir: TempDir, args: &[String]) -> Self {
        // ROOMCAM: another build, such as one that is as quick as what people run.
        let program = std::env::var("ROOMCAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_roomcam").to_owned());
        let mut command = Command::new(program);
        command
            .args(args)
            .args(["--listen", "127.0.0.1:0"])
            .env("ROOMCAM_PIPELINES", concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines"))
            .env_remove("ROOMCAM_LOG")
            .stderr(File::create(dir.path().join(LOG)).unwrap());
        let mut child = child::start(&mut command);
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(PATIENCE, stdout.next_line()).await.expect("it prints its address");
        let line = line.unwrap().expect("it runs");
        let url = line.split(' ').find(|word| word.starts_with("http://")).unwrap().to_owned();
        let addr = url["http://".len()..].split('/').next().unwrap().parse().unwrap();
        Self { child, stdout, addr, url, dir }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join(LOG)).unwrap()
    }

    /// What it holds in memory, in kB.
    pub fn rss_kb(&self) -> u64 {
        let pid = self.child.id().expect("it runs");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Its command line, as everybody on the machine can read it.
    pub fn arguments(&self) -> String {
        let pid = self.child.id().expect("it runs");
        String::from_utf8(fs::read(format!("/proc/{pid}/cmdline")).unwrap()).unwrap()
    }

    /// Ends it, and returns what else it printed.
    pub async fn end(mut self) -> Vec<String> {
        self.child.start_kill().unwrap();
        let mut rest = Vec::new();
        while let Ok(Some(line)) = self.stdout.next_line().await {
            rest.push(line);
        }
        self.child.wait().await.unwrap();
        rest
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

fn file(dir: &Path, number: usize, token: &str) -> PathBuf {
    let path = dir.join(format!("token-{number}"));
    fs::write(&path, token).unwrap();
    path
}

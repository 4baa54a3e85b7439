//! Programs as child processes, whose output is read line by line.

#![allow(dead_code, reason = "each test file uses its part")]

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// No test waits longer than this for a line.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts it without input, and with its standard output to be read. It is killed when it is dropped.
pub fn start(command: &mut Command) -> Child {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"))
}

/// What `pick` takes from the first line of `output` in which it finds something.
pub async fn find_line<T>(output: impl AsyncRead + Unpin, mut pick: impl FnMut(&str) -> Option<T>) -> T {
    let mut lines = BufReader::new(output).lines();
    let found = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(found) = pick(&line) {
                return found;
            }
        }
        panic!("the program ended without the line");
    };
    timeout(PATIENCE, found).await.expect("the program does not print the line")
}

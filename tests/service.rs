//! What the service manager hears, over a socket like its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

use roomcam::service::Service;

/// Runs the test `script` of this file in a process of its own, since the environment belongs to a process; returns
/// what it told, datagram by datagram.
fn told_by(script: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();

    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", script, "--ignored"])
        .env("NOTIFY_SOCKET", &path)
        .env_remove("WATCHDOG_PID")
        .env_remove("WATCHDOG_USEC")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"), "there is no test {script}");

    // The child is gone, so all that will ever come is there.
    socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4096];
    std::iter::from_fn(|| socket.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec()))
        .map(|datagram| String::from_utf8(datagram).unwrap())
        .collect()
}

#[test]
#[ignore = "a script for another test"]
fn a_life() {
    let mut service = Service::from_environment();
    service.status("opening the camera");
    service.ready();
    service.ready();
    service.status("in the room lobby");
    service.status("in the room lobby");
    service.reloading();
    service.ready();
    service.stopping();
    service.stopping();
    service.ready();
}

#[test]
fn a_life_is_told_in_order_and_nothing_twice() {
    let told = told_by("a_life", &[]);

    let [opening, ready, lobby, reloading, ready_again, stopping] = &told[..] else { panic!("{told:?}") };
    assert_eq!(opening, "STATUS=opening the camera\n");
    assert_eq!(ready, "READY=1\n");
    assert_eq!(lobby, "STATUS=in the room lobby\n");
    // systemd.service(5) wants the time with it.
    let (reloading, monotonic) = reloading.split_once('\n').unwrap();
    assert_eq!(reloading, "RELOADING=1");
    let usec = monotonic.trim_end().strip_prefix("MONOTONIC_USEC=").unwrap();
    assert!(usec.parse::<u64>().unwrap() > 0);
    assert_eq!(ready_again, "READY=1\n");
    assert_eq!(stopping, "STOPPING=1\n");
}

#[test]
#[ignore = "a script for another test"]
fn a_treacherous_status() {
    Service::from_environment().status("in the room a\nREADY=1\r\nb");
}

#[test]
fn a_status_cannot_say_anything_but_a_status() {
    assert_eq!(told_by("a_treacherous_status", &[]), ["STATUS=in the room a READY=1  b\n"]);
}

#[test]
#[ignore = "a script for another test"]
fn ten_seconds_of_progress() {
    let mut service = Service::from_environment();
    let start = Instant::now();
    for tenths in 0..100 {
        service.ping(start + Duration::from_millis(100 * tenths));
    }
}

#[test]
fn the_watchdog_is_pinged_every_third_of_its_interval() {
    // Every 1 s, at 0, 1, ... 9 s.
    let told = told_by("ten_seconds_of_progress", &[("WATCHDOG_USEC", "3000000")]);
    assert_eq!(told, vec!["WATCHDOG=1\n"; 10]);
}

#[test]
fn without_a_watchdog_nothing_is_pinged() {
    assert_eq!(told_by("ten_seconds_of_progress", &[]), Vec::<String>::new());
    assert_eq!(told_by("ten_seconds_of_progress", &[("WATCHDOG_USEC", "0")]), Vec::<String>::new());
    // Process 1 is systemd itself, never the one it watches.
    let another = [("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "1")];
    assert_eq!(told_by("ten_seconds_of_progress", &another), Vec::<String>::new());
}

/// Nothing happens in a daemon whose camera and microphone are off and that is in no meeting. systemd would end it.
#[test]
fn an_idle_daemon_is_ready_and_pings_the_watchdog() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    std::fs::write(
        dir.path().join("choice.json"),
        r#"{"camera_on":false,"mic_live":false,"attending":false}"#,
    )
    .unwrap();

    let mut daemon = Command::new(env!("CARGO_BIN_EXE_roomcam"))
        .args(["run", "--url", "ws://127.0.0.1:9", "--room", "a", "--profile", "test-pattern"])
        .args(["--set", "control.socket=none"])
        .env("ROOMCAM_PIPELINES", concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines"))
        .env("STATE_DIRECTORY", dir.path())
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "600000")
        .env_remove("WATCHDOG_PID")
        .spawn()
        .unwrap();
    let mut buffer = [0; 4096];
    let (mut is_ready, mut pings) = (false, 0);
    while pings < 5
        && let Ok(length) = socket.recv(&mut buffer)
    {
        match &buffer[..length] {
            b"READY=1\n" => is_ready = true,
            b"WATCHDOG=1\n" => pings += 1,
            _ => {}
        }
    }
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert_eq!((is_ready, pings), (true, 5));
}

#[test]
fn without_systemd_nothing_happens() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_life", "--ignored"])
        .env_remove("NOTIFY_SOCKET")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}

#[test]
fn a_deaf_service_manager_stops_nothing() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_life", "--ignored"])
        .env("NOTIFY_SOCKET", "/nonexistent/notify")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}

/// A device whose daemon was killed is to be seen again within 3 s, most of which a Pi needs to start. Status 2 is that of a
/// configuration that only an edit heals (tests/cli.rs).
#[test]
fn systemd_starts_a_daemon_again_at_once_and_never_gives_up() {
    for unit in [include_str!("../systemd/roomcam.service"), include_str!("../systemd/roomcam@.service")] {
        let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let wait =
            value("RestartSec").and_then(|wait| wait.strip_suffix("ms")).expect("a time in milliseconds");
        assert!(wait.parse::<u64>().unwrap() <= 500, "{wait} ms");
        assert_eq!(value("Restart"), Some("always"));
        assert_eq!(value("StartLimitIntervalSec"), Some("0"));
        assert_eq!(value("RestartPreventExitStatus"), Some("2"));
    }
}

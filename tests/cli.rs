//! The command as a user meets it: help, refusals, exit status, and what reaches stderr.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml's exception covers tests, not their helpers"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

/// `roomcam` with these arguments, an empty environment and these variables.
fn roomcam(args: &[&str], env: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_roomcam"))
        .args(args)
        .env_clear()
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("roomcam starts")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn help_shows_every_command_and_an_example() {
    let help = roomcam(&["--help"], &[]);

    assert_eq!(help.status.code(), Some(0));
    for wanted in ["run", "demo", "relay", "devices", "check", "Examples:", "roomcam demo"] {
        assert!(stdout(&help).contains(wanted), "{wanted} is not in:\n{}", stdout(&help));
    }
}

#[test]
fn help_of_each_command_names_its_flags() {
    let flags: [(&str, &[&str]); 5] = [
        (
            "run",
            &["--config", "--trace-chunks", "--set", "--room", "--url", "--camera", "--mic", "--profile"],
        ),
        ("demo", &["--listen", "--camera", "--mic", "--profile", "--room", "--protocol", "127.0.0.1:8080"]),
        (
            "relay",
            &[
                "--listen",
                "--token-file",
                "--publish-token-file",
                "--view-token-file",
                "--allow-origin",
                "--max-rooms",
                "--max-sessions",
                "--max-participants",
                "--max-message-bytes",
                "--join-rate",
                "--drain-seconds",
                "--redis",
                "--redis-password-file",
                "--redis-ca-file",
            ],
        ),
        ("devices", &["--json"]),
        ("check", &["--config", "--json"]),
    ];
    for (command, flags) in flags {
        let help = roomcam(&[command, "--help"], &[]);
        for flag in flags.iter().chain(&["--log-level", "--verbose"]) {
            assert!(stdout(&help).contains(flag), "{flag} is not in:\n{}", stdout(&help));
        }
    }
}

#[test]
fn a_refused_configuration_is_printed_once_and_ends_with_2() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("room.toml");
    fs::write(&file, "[meeting]\nurl = 'wss://relay.example'\n[capture]\nfsp = 3\n").unwrap();
    let file = file.to_str().unwrap();

    let run =
        roomcam(&["run", "--config", file, "--set", "capture.width=7"], &[("ROOMCAM_CAPTURE_FPS", "0")]);

    assert_eq!(run.status.code(), Some(2));
    assert_eq!(stdout(&run), "");
    let wanted = format!(
        "roomcam: the configuration has 4 problems:\n\
         \x20 {file}:4:1: there is no key capture.fsp; did you mean capture.fps?\n\
         \x20 environment variable ROOMCAM_CAPTURE_FPS: capture.fps = \"0\" is refused; allowed is a whole number of frames per second from 1 to 120\n\
         \x20 flag --set capture.width: capture.width = \"7\" is refused; allowed is an even number of pixels from 16 to 4096\n\
         \x20 meeting.room is missing; set it in the configuration file, with ROOMCAM_MEETING_ROOM or with --set meeting.room=…; allowed is text of 1 to 128 characters, without control characters and without spaces at its ends\n"
    );
    assert_eq!(stderr(&run), wanted);
}

/// So that the service is not started again before somebody has edited it (`RestartPreventExitStatus`).
#[test]
fn what_an_edit_alone_heals_ends_with_2() {
    let dir = tempfile::tempdir().unwrap();
    let pipelines = concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines");
    let socket = dir.path().join("control.sock");
    for (profile, status, why) in [
        ("no-such-profile", 2, "there is no pipeline profile"),
        ("audio-only", 2, "there is nothing to send"),
        // Whoever makes the directory edits nothing.
        ("test-pattern", 1, "cannot write the chunk trace"),
    ] {
        let file = dir.path().join("room.toml");
        let text = format!(
            "[meeting]\nurl = 'http://127.0.0.1:9'\nroom = 'a'\n[capture]\nprofile = '{profile}'\nmic = 'none'\n\
             [control]\nsocket = '{}'\n",
            socket.display()
        );
        fs::write(&file, text).unwrap();
        let trace = dir.path().join("missing/trace");
        let args = ["run", "--config", file.to_str().unwrap(), "--trace-chunks", trace.to_str().unwrap()];
        let run = roomcam(&args, &[("ROOMCAM_PIPELINES", pipelines)]);
        assert!(stderr(&run).contains(why), "{profile}: {}", stderr(&run));
        assert_eq!(run.status.code(), Some(status), "{profile}");
    }
}

#[test]
fn the_configuration_can_be_named_by_the_environment() {
    let run = roomcam(&["run"], &[("ROOMCAM_CONFIG", "/nowhere/room.toml")]);

    assert_eq!(run.status.code(), Some(2));
    assert!(stderr(&run).contains("/nowhere/room.toml: cannot read the configuration"), "{}", stderr(&run));
}

#[test]
fn wrong_use_ends_with_2_and_says_what_is_wanted() {
    let address = "such as 127.0.0.1:8080, or 0.0.0.0:8080 to be reached from other machines";
    let number = "wanted is a whole number from 1 to 1000000";
    let bytes = "wanted is a whole number from 16384 to 100000000";
    let origin = "such as https://meet.example";
    let token =
        "/nowhere cannot be read: No such file or directory (os error 2); the file has to hold a token";
    let secret = "/nowhere cannot be read: No such file or directory (os error 2); the file has to hold the secret alone";
    let turn = "turn:turn.example";
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage: roomcam"),
        (&["rnu"], "unrecognized subcommand 'rnu'"),
        (&["run", "--set", "capture.fps"], "wanted is section.key=value"),
        (&["demo", "--listen", "localhost"], address),
        (&["demo", "--listen", "8080"], address),
        (&["demo", "--room", ""], "flag --room: meeting.room = \"\" is refused; allowed is text of"),
        (&["demo", "--camera", ""], "flag --camera: capture.camera = \"\" is refused; allowed is \"auto\""),
        (&["relay", "--listen", "127.0.0.1:99999"], address),
        (&["relay", "--listen", ""], address),
        (&["relay", "--max-rooms", "0"], number),
        (&["relay", "--max-sessions", "many"], number),
        (&["relay", "--max-participants", "99999999999999999999"], number),
        (&["relay", "--join-rate=-1"], number),
        (&["relay", "--max-message-bytes", "1"], bytes),
        (&["relay", "--allow-origin", "meet.example"], origin),
        (&["relay", "--token-file", "/nowhere"], token),
        (&["relay", "--publish-token-file", "/nowhere"], token),
        (&["relay", "--ice-server", "turn.example"], "wanted is stun:HOST:PORT, turn:HOST:PORT"),
        (
            &["relay", "--ice-server", "turn:turn.example"],
            "--ice-server turn:turn.example:3478?transport=udp: a TURN server serves nobody without credentials; say \
             --turn-secret-file FILE",
        ),
        (&["relay", "--turn-secret-file", "Cargo.toml"], "--ice-server <URL>"),
        (&["relay", "--ice-server", turn, "--turn-secret-file", "/nowhere"], secret),
        (&["relay", "--redis", "redis://redis.example", "--redis-password-file", "/nowhere"], secret),
    ];
    for (args, wanted) in cases {
        let output = roomcam(args, &[]);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(wanted), "{args:?}: {wanted} is not in:\n{}", stderr(&output));
    }
}

#[test]
fn a_password_of_redis_is_refused_as_an_argument_and_not_repeated() {
    let relay = roomcam(&["relay", "--redis", "redis://:hunter2@redis.example"], &[]);
    assert_eq!(relay.status.code(), Some(2));
    let said = stderr(&relay);
    assert!(said.contains("--redis-password-file") && !said.contains("hunter2"), "{said}");
}

#[test]
fn a_token_is_refused_as_an_argument_and_not_repeated() {
    for args in
        [["run", "--set", "meeting.token=hunter2"], ["run", "--url", "wss://me:hunter2@relay.example"]]
    {
        let run = roomcam(&args, &[]);
        assert_eq!(run.status.code(), Some(2));
        assert!(!stderr(&run).contains("hunter2"), "{}", stderr(&run));
    }
}

/// It is run to find out what is wrong, so it says what `run` would only log.
#[test]
fn check_warns_of_what_works_and_should_not_be() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    fs::write(&token, "hunter2").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    let token_file = format!("meeting.token_file={}", token.display());
    let args = ["check", "--url", "ws://127.0.0.1:9", "--room", "a", "--set", &token_file];
    let check = roomcam(&args, &[("ROOMCAM_METING_ROOM", "b")]);

    let said = stderr(&check);
    let readable = format!(
        "{0}: everybody on this machine can read this secret; make it private: chmod o-r {0}",
        token.display()
    );
    assert!(said.contains(&readable), "{said}");
    assert!(said.contains("ROOMCAM_METING_ROOM means nothing; did you mean ROOMCAM_MEETING_ROOM?"), "{said}");
}

/// WebSocket libraries log what goes over the wire.
#[test]
fn no_token_is_in_the_log_however_much_is_logged() {
    let dir = tempfile::tempdir().unwrap();
    let [token, log] = ["token", "log"].map(|name| dir.path().join(name));
    fs::write(&token, "hunter2").unwrap();
    let mut relay = Command::new(env!("CARGO_BIN_EXE_roomcam"))
        .args(["relay", "--listen", "127.0.0.1:0", "--token-file", token.to_str().unwrap()])
        .env("ROOMCAM_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(relay.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.split_whitespace().last().unwrap();

    let env = [("ROOMCAM_TOKEN", "hunter2"), ("ROOMCAM_LOG", "trace,tungstenite=trace")];
    let check = roomcam(&["check", "--url", url, "--room", "a"], &env);
    relay.kill().unwrap();
    relay.wait().unwrap();

    assert!(stdout(&check).contains("joined room \"a\""), "{}", stdout(&check));
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("joined room=\"a\""), "{log}");
    for log in [&log, stderr(&check)] {
        assert!(!log.contains("hunter2"), "{log}");
    }
}

#[test]
fn a_bad_log_filter_is_named() {
    let run = roomcam(&["devices"], &[("ROOMCAM_LOG", "roomcam=loud")]);

    assert_eq!(run.status.code(), Some(2));
    assert!(stderr(&run).starts_with("roomcam: environment variable ROOMCAM_LOG: "), "{}", stderr(&run));
}

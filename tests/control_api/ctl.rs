//! `roomcam ctl`, as it is typed: what it prints, and what it ends with.

use std::path::Path;
use std::process::{Output, Stdio};

use insta::assert_snapshot;
use roomcam::control::{
    Absence, AbsenceReason, CameraState, CameraStatus, DeviceFault, Limits, MeetingState, MicState, Paint,
    Participant, State, Status, page,
};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::child;
use crate::http::{get, patiently};
use crate::puppet::{House, JPEG, Mood, TOKEN, state, status};

/// Half a minute after the puppet's fault.
const NOW: u64 = 1_700_000_031;

async fn run(args: &[&str], env: &[(&str, &Path)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomcam"));
    command.arg("ctl").args(args).env_clear().envs(env.iter().copied()).stdin(Stdio::null());
    patiently(command.output()).await.unwrap()
}

/// Against the house, which must work out; what it prints.
async fn ctl(house: &House, args: &[&str]) -> String {
    let output = run(args, &[("ROOMCAM_CONTROL", &house.socket)]).await;
    let (code, said) = outcome(&output);
    assert_eq!(code, 0, "{args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn outcome(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), String::from_utf8(output.stderr.clone()).unwrap())
}

#[test]
fn the_state_is_a_page_that_is_read_at_a_glance() {
    assert_snapshot!(page(&status(state()), NOW, Paint::Plain), @"
    roomcam 0.1.0, up 3 h 13 min, GStreamer 1.22.0
    meeting joined, blue at wss://relay.example/, as Pi
    camera  on, /dev/video0
    mic     muted
    lamps   pin 17: mic-muted, on
    here    Ann
    stream  flowing, 812 of 832 kbit/s, epoch 3, 12.3 MB sent in 1200 chunks
    network carries the whole picture
    frames  9000 captured, 10 skipped, 20 filled in
    queue   2 chunks wait, 200 ms of media, 14.3 kB
    faults  31 s ago mic: hw:1 is busy
    ");
}

#[test]
fn trouble_stands_out() {
    let trouble = State {
        meeting: MeetingState::WaitingForSeat,
        participants: Vec::new(),
        camera: CameraStatus { wanted_on: true, state: CameraState::Fault, device: None },
        flowing: false,
        faults: vec![
            DeviceFault {
                part: "camera".into(),
                message: "/dev/video0 is gone; plug it in".into(),
                at: NOW - 90,
                ongoing: true,
            },
            DeviceFault {
                part: "meeting".into(),
                message: "the relay hung up".into(),
                at: NOW - 200_000,
                ongoing: false,
            },
        ],
        ..state()
    };
    assert_snapshot!(page(&status(trouble.clone()), NOW, Paint::Plain), @"
    roomcam 0.1.0, up 3 h 13 min, GStreamer 1.22.0
    meeting waiting: somebody else presents, blue at wss://relay.example/, as Pi
    camera  at fault, tried again (wanted: on)
    mic     muted
    lamps   pin 17: mic-muted, on
    here    nobody else
    stream  nothing leaves, 812 of 832 kbit/s, epoch 3, 12.3 MB sent in 1200 chunks
    network carries the whole picture
    frames  9000 captured, 10 skipped, 20 filled in
    queue   2 chunks wait, 200 ms of media, 14.3 kB
    faults  1 min ago camera (goes on): /dev/video0 is gone; plug it in
            2 d 7 h ago meeting: the relay hung up
    ");
    let coloured = page(&status(trouble), NOW, Paint::Colour);
    for part in [
        "\x1b[33mwaiting: somebody else presents\x1b[0m, blue",
        "\x1b[1m\x1b[31mat fault, tried again\x1b[0m (wanted: on)",
        "\x1b[32mon\x1b[0m\n",
        "\x1b[33m10 skipped\x1b[0m",
    ] {
        assert!(coloured.contains(part), "{part:?} is not in {coloured:?}");
    }
}

#[test]
fn who_is_not_in_the_meeting_says_why_and_when_it_tries_again() {
    let mut away = status(State {
        meeting: MeetingState::Connecting,
        absence: Some(Absence {
            reason: AbsenceReason::UnknownRoom,
            message: "relay wss://relay.example/: knows no room \"blue\"; check meeting.room".into(),
        }),
        faults: Vec::new(),
        ..state()
    });
    away.next_attempt_seconds = Some(11.2);
    let page_lines = |status: &Status| {
        page(status, NOW, Paint::Plain).lines().skip(1).take(2).collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(page_lines(&away), @r#"
    meeting not in it: the relay knows no such room, blue at wss://relay.example/, as Pi
    why     relay wss://relay.example/: knows no room "blue"; check meeting.room; next attempt in 12 s
    "#);

    away.next_attempt_seconds = None;
    assert!(page_lines(&away).ends_with("; trying again now"));
    let coloured = page(&away, NOW, Paint::Colour);
    assert!(
        coloured.contains("\x1b[1m\x1b[31mnot in it: the relay knows no such room\x1b[0m, blue"),
        "{coloured:?}"
    );
}

#[test]
fn a_device_that_just_started_says_so() {
    let mut young: Status = status(State {
        camera: CameraStatus { wanted_on: false, state: CameraState::On, device: None },
        meeting: MeetingState::Connecting,
        lamps: Vec::new(),
        faults: Vec::new(),
        ..state()
    });
    young.state.mic.state = MicState::Absent;
    young.uptime_seconds = 2.0;
    young.stream = Default::default();
    young.queue = Default::default();
    assert_snapshot!(page(&young, NOW, Paint::Plain), @"
    roomcam 0.1.0, up 2 s, GStreamer 1.22.0
    meeting connecting, blue at wss://relay.example/, as Pi
    camera  on (wanted: off)
    mic     none configured
    stream  flowing, 0 of 0 kbit/s, epoch 3, 0 B sent in 0 chunks
    network carries the whole picture
    frames  0 captured, 0 skipped, 0 filled in
    queue   nothing waits to be sent
    ");
}

#[test]
fn names_from_the_network_cannot_write_to_the_terminal() {
    let evil = "\x1b[2J\u{202e}Ann\nmeeting left\u{9b}";
    let mut told = status(state());
    told.state.participants =
        vec![Participant { user_id: "x".into(), username: Some(evil.into()), media: None }];
    let shown = page(&told, NOW, Paint::Plain);
    assert!(shown.contains("here    \u{fffd}[2J\u{fffd}Ann\u{fffd}meeting left\u{fffd}\n"), "{shown}");
    assert!(!shown.replace('\n', "").contains(char::is_control));
}

#[tokio::test]
async fn status_is_text_without_colour_in_a_pipe_and_json_on_demand() {
    let house = House::open();
    let text = ctl(&house, &["status"]).await;
    assert!(
        text.starts_with("roomcam 0.1.0, up 3 h 13 min, GStreamer 1.22.0\nmeeting joined, blue at "),
        "{text}"
    );
    assert!(!text.contains('\x1b'));

    for args in [["status", "--json"], ["--json", "status"]] {
        let told: Status = serde_json::from_str(&ctl(&house, &args).await).unwrap();
        assert_eq!(told, status(state()));
    }
}

#[tokio::test]
async fn switches_switch_and_say_what_is() {
    let house = House::open();
    for (args, said) in [
        (["camera", "off"], "camera: off\n"),
        (["camera", "toggle"], "camera: on, /dev/video0\n"),
        (["camera", "toggle"], "camera: off\n"),
        (["camera", "on"], "camera: on, /dev/video0\n"),
        (["mic", "unmute"], "mic: live\n"),
        (["mic", "toggle"], "mic: muted\n"),
        (["mic", "toggle"], "mic: live\n"),
        (["mic", "mute"], "mic: muted\n"),
    ] {
        assert_eq!(ctl(&house, &args).await, said, "{args:?}");
    }
    let left = ctl(&house, &["leave"]).await;
    assert!(left.starts_with("meeting: left (roomcam ctl join comes back), blue at "), "{left}");
    assert!(ctl(&house, &["join"]).await.starts_with("meeting: joined"));
    assert_eq!(ctl(&house, &["keyframe"]).await, "the camera's next picture is a key frame\n");
    assert_eq!(ctl(&house, &["say", "Good morning"]).await, "said\n");
    assert_eq!(ctl(&house, &["reload"]).await, "the configuration is read again\n");
    let json: Status = serde_json::from_str(&ctl(&house, &["camera", "off", "--json"]).await).unwrap();
    assert_eq!(json.state.camera.state, CameraState::Off);
}

#[tokio::test]
async fn a_snapshot_goes_into_a_file_or_to_stdout() {
    let house = House::open();
    let file = house.dir.path().join("room.jpg");
    assert_eq!(ctl(&house, &["snapshot", file.to_str().unwrap()]).await, "");
    assert_eq!(std::fs::read(&file).unwrap(), JPEG);

    let piped = run(&["snapshot", "-"], &[("ROOMCAM_CONTROL", &house.socket)]).await;
    assert_eq!(piped.stdout, JPEG);

    let nowhere = run(&["snapshot", "/nowhere/x.jpg"], &[("ROOMCAM_CONTROL", &house.socket)]).await;
    let (code, said) = outcome(&nowhere);
    assert_eq!(code, 1);
    assert!(said.starts_with("roomcam: cannot write the snapshot to /nowhere/x.jpg: "), "{said}");

    ctl(&house, &["camera", "off"]).await;
    let refused = run(&["snapshot", "-"], &[("ROOMCAM_CONTROL", &house.socket)]).await;
    let said = "roomcam: the camera is off: turn it on to take a snapshot\n".to_owned();
    assert_eq!(outcome(&refused), (1, said));
    assert_eq!(refused.stdout, b"");
}

#[tokio::test]
async fn a_refusal_ends_with_1_and_misuse_with_2() {
    let house = House::open();
    house.feel(Mood::Refusing).await;
    let refused = run(&["reload"], &[("ROOMCAM_CONTROL", &house.socket)]).await;
    let said = "roomcam: capture.fps = 0 is refused; the old configuration holds\n".to_owned();
    assert_eq!(outcome(&refused), (1, said));

    for (args, wanted) in [
        (&["camera", "up"][..], "[possible values: on, off, toggle]"),
        (&["mic", "off"], "[possible values: mute, unmute, toggle]"),
        (&[], "Usage: roomcam ctl"),
        (&["snapshot"], "<FILE>"),
        (&["--url", "https://x:1", "status"], "wanted is http://HOST:PORT"),
        (&["--token-file", "x", "status"], "--url"),
        (&["--url", "http://x:1", "--socket", "/x", "status"], "cannot be used with"),
        (
            &["--url", "http://x:1", "--token-file", "/nowhere", "status"],
            "--token-file: /nowhere cannot be read",
        ),
    ] {
        let (code, said) = outcome(&run(args, &[]).await);
        assert_eq!(code, 2, "{args:?}: {said}");
        assert!(said.contains(wanted), "{args:?}: {said}");
    }
}

#[tokio::test]
async fn without_a_daemon_it_says_how_to_start_one() {
    let dir = tempfile::tempdir().unwrap();
    let nobody = dir.path().join("control.sock");
    let (code, said) = outcome(&run(&["status", "--socket", nobody.to_str().unwrap()], &[]).await);
    assert_eq!(code, 1);
    assert!(
        said.starts_with(&format!("roomcam: no daemon answers on {} (No such file", nobody.display())),
        "{said}"
    );
    assert!(said.contains("systemctl start roomcam"), "{said}");

    drop(std::os::unix::net::UnixListener::bind(&nobody).unwrap());
    let (code, said) = outcome(&run(&["status", "--socket", nobody.to_str().unwrap()], &[]).await);
    assert_eq!(code, 1);
    assert!(said.contains("(Connection refused"), "{said}");

    // Over TCP a path would not help.
    let (code, said) = outcome(&run(&["status", "--url", "http://127.0.0.1:9"], &[]).await);
    assert_eq!(code, 1);
    assert!(said.contains("control.listen") && !said.contains("--socket"), "{said}");
}

#[tokio::test]
async fn over_tcp_it_shows_its_token() {
    let house = House::with("listen = '127.0.0.1:0'\ntoken_file = './token'", Limits::default());
    let url = format!("http://{}", house.addr.unwrap());
    let token = house.dir.path().join("token");
    let good = run(&["--url", &url, "--token-file", token.to_str().unwrap(), "status", "--json"], &[]).await;
    assert_eq!(outcome(&good).0, 0, "{}", outcome(&good).1);

    let (code, said) = outcome(&run(&["--url", &url, "status"], &[]).await);
    assert_eq!(code, 1);
    assert!(said.contains("roomcam ctl: --token-file FILE"), "{said}");

    std::fs::write(&token, format!("{TOKEN}x")).unwrap();
    let (code, said) =
        outcome(&run(&["--url", &url, "--token-file", token.to_str().unwrap(), "status"], &[]).await);
    assert_eq!(code, 1);
    assert!(!said.contains(TOKEN), "{said}");
}

#[tokio::test]
async fn watching_shows_each_change_until_the_daemon_ends() {
    let house = House::open();
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomcam"));
    command.args(["ctl", "status", "--watch", "--json"]).env("ROOMCAM_CONTROL", &house.socket);
    let mut watching = child::start(command.stderr(Stdio::piped()));
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut next = async || -> State {
        serde_json::from_str(&patiently(lines.next_line()).await.unwrap().unwrap()).unwrap()
    };

    assert_eq!(next().await, state());
    ctl(&house, &["camera", "off"]).await;
    assert_eq!(next().await.camera.state, CameraState::Off);

    house.stop().await;
    let (code, said) = outcome(&patiently(watching.wait_with_output()).await.unwrap());
    assert_eq!(
        (code, said.as_str()),
        (1, "roomcam: the daemon has ended; it can be watched again when it runs\n")
    );
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_failure() {
    let house = House::open();
    for args in [
        "ctl status",
        "ctl status --watch",
        "ctl --help",
        "devices",
        "check --set meeting.room=x",
        "check --json",
    ] {
        let script = format!("\"$0\" {args} | true; echo ${{PIPESTATUS[0]}}");
        let output = Command::new("bash")
            .args(["-c", &script, env!("CARGO_BIN_EXE_roomcam")])
            .env("ROOMCAM_CONTROL", &house.socket)
            .stdin(Stdio::null())
            .output();
        // A watch hears of its reader with the next change.
        let change = async {
            loop {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                house.tell(State { epoch: rand::random(), ..state() });
            }
        };
        let output = tokio::select! {
            output = patiently(output) => output.unwrap(),
            () = change => unreachable!(),
        };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked") && !said.contains("Broken pipe"), "{args}: {said}");
        assert_ne!(String::from_utf8_lossy(&output.stdout), "101\n", "{args}");
    }
    assert_eq!(get(&house.socket, "/healthz").await.status, 200);
}

//! Configuration from the outside: files, environment and flags in; a `Config` or every problem out.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy.toml's exception covers tests, not their helpers"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use roomcam::config::{
    Backend, ButtonAction, ButtonCommand, ChipChoice, Config, ConfigErrors, DeviceChoice, KEYS, Key, LISTS,
    LampPlace, LateJoin, Overrides, Panel, Pin, Problem, Pull, Secret, Shows, SocketChoice, Unset, Warning,
};
use tempfile::TempDir;

const EXAMPLE: &str = include_str!("../systemd/config.toml");
const SECRET: &str = "hunter2-0123456789";

/// A folder with a configuration file in it.
struct Setup {
    dir: TempDir,
    env: Vec<(String, String)>,
    flags: Overrides,
}

impl Setup {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config.toml"), text).unwrap();
        Self { dir, env: Vec::new(), flags: Overrides::default() }
    }

    fn env(mut self, variable: &str, value: &str) -> Self {
        self.env.push((variable.to_owned(), value.to_owned()));
        self
    }

    fn flag(mut self, flag: &str, key: &str, value: &str) -> Self {
        self.flags.set(flag, key, value);
        self
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn load(&self) -> Result<Config, ConfigErrors> {
        Config::load(Some(&self.dir.path().join("config.toml")), self.env.iter().cloned(), &self.flags)
    }

    fn load_panel(&self) -> Result<Panel, ConfigErrors> {
        Panel::load(Some(&self.dir.path().join("config.toml")), self.env.iter().cloned(), &self.flags)
    }

    /// The problems as printed, without the folder's name.
    fn problems(&self) -> Vec<String> {
        let folder = format!("{}/", self.dir.path().display());
        let errors = self.load().unwrap_err();
        errors.problems().iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
    }
}

/// The least that is accepted, and `more` under it.
fn with(more: &str) -> Setup {
    Setup::new(&format!("[meeting]\nurl = 'wss://relay.example'\nroom = 'blue'\n{more}"))
}

fn token(config: &Config) -> Option<&str> {
    config.meeting.token.as_ref().map(Secret::expose)
}

#[test]
fn url_and_room_are_enough() {
    let config = with("").load().unwrap();

    assert_eq!(config.meeting.url.to_string(), "wss://relay.example/");
    assert_eq!(config.meeting.room.as_str(), "blue");
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(config.meeting.username.as_str(), hostname.trim());
    assert_eq!(config.meeting.avatar_url, None);
    assert_eq!(config.meeting.token, None);
    assert_eq!(config.meeting.ca_file, None);
    assert_eq!(config.meeting.late_join, LateJoin::Auto);
    let capture = &config.capture;
    assert_eq!(capture.profile.as_str(), "usb-webcam");
    assert_eq!(capture.camera, DeviceChoice::Auto);
    assert_eq!(capture.mic, DeviceChoice::Named("default".to_owned()));
    assert_eq!((capture.width.get(), capture.height.get(), capture.fps.get()), (640, 480, 30));
    assert_eq!((capture.video_bitrate.get(), capture.audio_bitrate.get()), (800_000, 32_000));
    assert_eq!(capture.cadence.duration().as_millis(), 100);
    assert!(capture.start_camera && capture.start_mic);
    assert_eq!(config.panel.backend, Backend::Auto);
    assert_eq!(config.panel.chip, ChipChoice::Auto);
    assert_eq!((&config.panel.lamps[..], &config.panel.buttons[..]), (&[][..], &[][..]));
    assert_eq!((&config.control.socket, config.control.listen), (&SocketChoice::Auto, None));
    assert_eq!((config.control.token, config.control.metrics_token), (None, None));
    assert_eq!(config.warnings, []);
}

#[test]
fn user_id_stays_the_same() {
    let first = with("user_id = 'set'").load().unwrap();
    assert_eq!(first.meeting.user_id.as_str(), "set");
    if Path::new("/etc/machine-id").exists() {
        let (one, two) = (with("").load().unwrap(), with("").load().unwrap());
        assert_eq!(one.meeting.user_id, two.meeting.user_id);
    }
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let setup = with("[capture]\nfps = 10\nwidth = 320\nheight = 240")
        .env("ROOMCAM_CAPTURE_FPS", "20")
        .env("ROOMCAM_CAPTURE_WIDTH", "160")
        .env("ROOMCAM_CAPTURE_START_MIC", "false")
        .flag("--set capture.fps", "capture.fps", "25")
        .flag("--room", "meeting.room", "green");
    let config = setup.load().unwrap();

    assert_eq!(config.capture.fps.get(), 25);
    assert_eq!(config.capture.width.get(), 160);
    assert_eq!(config.capture.height.get(), 240);
    assert!(!config.capture.start_mic);
    assert_eq!(config.meeting.room.as_str(), "green");
}

#[test]
fn no_file_is_needed() {
    let env = [("ROOMCAM_MEETING_URL", "http://127.0.0.1:8080"), ("ROOMCAM_MEETING_ROOM", "blue")];
    let env = env.map(|(variable, value)| (variable.to_owned(), value.to_owned()));
    let config = Config::load(None, env.into_iter(), &Overrides::default()).unwrap();

    assert_eq!(config.meeting.url.to_string(), "ws://127.0.0.1:8080/");
}

#[test]
fn every_problem_is_reported_with_its_place() {
    let setup = Setup::new(
        "[meeting]\n\
         url = 'ftp://relay.example'\n\
         rom = 'blue'\n\
         late_join = 3\n\
         \n\
         [capture]\n\
         cadence_ms = 0\n\
         fps = \"30\"\n\
         width = 641\n\
         video_bitrate = 800.5\n\
         start_mic = 'yes'\n\
         camera = 'none'\n\
         mic = 'none'\n\
         room = 'blue'\n\
         \n\
         [captuer]\n\
         fps = 3\n",
    )
    .env("ROOMCAM_CAPTURE_HEIGHT", "tall")
    .env("ROOMCAM_CAPTURE_CADENCE", "100")
    .flag("--profile", "capture.profile", "../etc/passwd")
    .flag("--set fps", "fps", "3");

    insta::assert_snapshot!(setup.problems().join("\n"), @r#"
    config.toml:2:7: meeting.url = 'ftp://relay.example' is refused; allowed is ws://HOST[:PORT], wss://HOST[:PORT], http://… or https://…
    config.toml:3:1: there is no key meeting.rom; did you mean meeting.room?
    config.toml:4:13: meeting.late_join = 3 is refused; allowed is "auto", "replay", "reset" or "restart"; put it in quotes
    config.toml:7:14: capture.cadence_ms = 0 is refused; allowed is a whole number of milliseconds from 20 to 2000
    config.toml:8:7: capture.fps = "30" is refused; allowed is a whole number of frames per second from 1 to 120; take the quotes away
    config.toml:9:9: capture.width = 641 is refused; allowed is an even number of pixels from 16 to 4096
    config.toml:10:17: capture.video_bitrate = 800.5 is refused; allowed is a whole number of bits (not kilobits) per second from 50000 to 20000000
    config.toml:11:13: capture.start_mic = 'yes' is refused; allowed is true or false; take the quotes away
    config.toml:13:7: capture.camera and capture.mic are both "none", so there is nothing to send; allowed is one of them. To join quietly, use start_camera = false and start_mic = false
    config.toml:14:1: there is no key capture.room; it belongs to [meeting]
    config.toml:16:2: there is no section [captuer]; did you mean [capture]?
    environment variable ROOMCAM_CAPTURE_CADENCE: there is no key capture.cadence; did you mean capture.cadence_ms?
    environment variable ROOMCAM_CAPTURE_HEIGHT: capture.height = "tall" is refused; allowed is an even number of pixels from 16 to 4096
    flag --profile: capture.profile = "../etc/passwd" is refused; allowed is the name of a profile: lower-case letters, digits and '-', at most 64
    flag --set fps: there is no key fps; it belongs to [capture]
    meeting.room is missing; set it in the configuration file, with ROOMCAM_MEETING_ROOM or with --set meeting.room=…; allowed is text of 1 to 128 characters, without control characters and without spaces at its ends
    "#);
}

#[test]
fn a_missing_file_is_named() {
    let errors = Config::load(Some(Path::new("/nowhere/config.toml")), [].into_iter(), &Overrides::default());

    assert_eq!(
        errors.unwrap_err().to_string(),
        "the configuration has a problem:\n  /nowhere/config.toml: cannot read the configuration: \
         No such file or directory (os error 2); --config FILE or ROOMCAM_CONFIG names another one"
    );
}

#[test]
fn a_file_that_is_no_text_is_named() {
    let setup = with("");
    fs::write(setup.dir.path().join("config.toml"), b"\xff\xfe").unwrap();

    assert_eq!(
        setup.problems(),
        ["config.toml: cannot read the configuration: it is not UTF-8 text; is it the right file?"]
    );
}

/// Quotes would not help a list, and the library's word for an address without a scheme helps nobody.
#[test]
fn a_refused_address_says_what_would_do_and_nothing_that_would_not() {
    let problems =
        Setup::new("[meeting]\nurl = ['ws://a']\nroom = 7").env("ROOMCAM_MEETING_AVATAR_URL", "a").problems();

    insta::assert_snapshot!(problems.join("\n"), @r#"
    config.toml:2:7: meeting.url = ['ws://a'] is refused; allowed is ws://HOST[:PORT], wss://HOST[:PORT], http://… or https://…
    config.toml:3:8: meeting.room = 7 is refused; allowed is text of 1 to 128 characters, without control characters and without spaces at its ends; put it in quotes
    environment variable ROOMCAM_MEETING_AVATAR_URL: meeting.avatar_url = "a" is refused; allowed is http://… or https://…
    "#);
}

#[test]
fn a_syntax_error_names_line_and_key() {
    let setup = Setup::new("[meeting]\nroom = 'blue'\nurl = wss://relay.example\n");

    insta::assert_snapshot!(setup.problems().join("\n"), @r#"config.toml:3:7: url: this is not TOML: string values must be quoted, expected literal string"#);
}

#[test]
fn a_key_cannot_be_set_twice() {
    insta::assert_snapshot!(with("room = 'green'").problems().join("\n"), @r#"config.toml:4:1: room: this is not TOML: duplicate key"#);
}

#[test]
fn sections_are_tables_and_odd_names_stay_on_one_line() {
    let setup = Setup::new("capture = 3\n\"a\\nb\" = 1\n[[meeting]]\n[meeting.url]\n");

    insta::assert_snapshot!(setup.problems().join("\n"), @"
    config.toml:1:1: there is no key capture; it is a section, written [capture]
    config.toml:2:1: there is no key a b; the sections are [meeting], [capture], [panel], [control]
    config.toml:3:3: there is no key meeting; it is a section, written [meeting]
    meeting.url is missing; set it in the configuration file, with ROOMCAM_MEETING_URL or with --set meeting.url=…; allowed is ws://HOST[:PORT], wss://HOST[:PORT], http://… or https://…
    meeting.room is missing; set it in the configuration file, with ROOMCAM_MEETING_ROOM or with --set meeting.room=…; allowed is text of 1 to 128 characters, without control characters and without spaces at its ends
    ");
}

#[test]
fn quiet_start_is_fine_without_tracks_is_not() {
    let quiet = with("[capture]\nstart_camera = false\nstart_mic = false").load().unwrap();
    assert!(!quiet.capture.start_camera && !quiet.capture.start_mic);

    let silent = with("[capture]\nmic = 'none'").load().unwrap();
    assert_eq!(silent.capture.mic, DeviceChoice::None);

    let empty = with("[capture]\ncamera = 'none'").env("ROOMCAM_CAPTURE_MIC", "none").load();
    assert!(matches!(empty.unwrap_err().problems(), [Problem::BothTracksOff { .. }]));
}

#[test]
fn edges_of_every_range() {
    let cases = [
        ("capture.fps", "1", "120", "0", "121"),
        ("capture.cadence_ms", "20", "2000", "19", "2001"),
        ("capture.width", "16", "4096", "14", "4098"),
        ("capture.height", "16", "4096", "15", "4097"),
        ("capture.video_bitrate", "50000", "20000000", "49999", "20000001"),
        ("capture.min_bitrate", "50000", "20000000", "49999", "20000001"),
        ("capture.audio_bitrate", "6000", "510000", "5999", "510001"),
    ];
    for (key, low, high, below, above) in cases {
        for good in [low, high] {
            assert!(with("").flag("--set", key, good).load().is_ok(), "{key} = {good}");
        }
        for bad in [below, above, "-1", "", "99999999999999999999"] {
            assert!(with("").flag("--set", key, bad).load().is_err(), "{key} = {bad}");
        }
    }
}

#[test]
fn urls() {
    let cases = [
        ("wss://relay.example", Some("wss://relay.example/")),
        ("https://relay.example:8443/", Some("wss://relay.example:8443/")),
        ("http://[::1]:3000", Some("ws://[::1]:3000/")),
        ("relay.example", None),
        ("ftp://relay.example", None),
        ("wss://", None),
        ("wss://relay.example/socket.io/", None),
        ("wss://relay.example/?token=1", None),
        ("wss://me:password@relay.example", None),
        ("", None),
    ];
    for (written, wanted) in cases {
        let loaded = with("").flag("--url", "meeting.url", written).load();
        assert_eq!(loaded.ok().map(|config| config.meeting.url.to_string()).as_deref(), wanted, "{written}");
    }
}

#[test]
fn token_from_each_place_and_in_this_order() {
    let setup = with("token_file = './of-file'");
    setup.file("of-file", "from-file\n", 0o600);
    assert_eq!(token(&setup.load().unwrap()), Some("from-file"));

    let of_env = setup.file("of-env", "from-env-file\r\n", 0o600);
    let setup = setup.env("ROOMCAM_MEETING_TOKEN_FILE", of_env.to_str().unwrap());
    assert_eq!(token(&setup.load().unwrap()), Some("from-env-file"));

    let setup = setup.env("ROOMCAM_TOKEN", "from-env");
    assert_eq!(token(&setup.load().unwrap()), Some("from-env"));

    let of_flag = setup.file("of-flag", "from-flag", 0o600);
    let setup = setup.flag("--set", "meeting.token_file", of_flag.to_str().unwrap());
    assert_eq!(token(&setup.load().unwrap()), Some("from-flag"));
}

#[test]
fn token_from_systemds_credentials_only_if_nothing_else_names_one() {
    let setup = with("");
    let folder = setup.dir.path().to_str().unwrap().to_owned();
    let setup = setup.env("CREDENTIALS_DIRECTORY", &folder);
    assert_eq!(token(&setup.load().unwrap()), None);

    setup.file("token", "from-systemd\n", 0o400);
    assert_eq!(token(&setup.load().unwrap()), Some("from-systemd"));
    assert_eq!(token(&setup.env("ROOMCAM_TOKEN", "from-env").load().unwrap()), Some("from-env"));
}

#[test]
fn a_bad_token_is_refused_without_showing_it() {
    let cases = [
        ("", "is empty"),
        ("\n", "is empty"),
        ("hunter2\nhunter3\n", "has more than one line"),
        (" hunter2", "starts or ends with spaces"),
        ("hunter2\u{7}", "is no plain UTF-8 text (it has control characters or broken ones)"),
    ];
    for (text, why) in cases {
        let setup = with("token_file = './token'");
        setup.file("token", text, 0o600);
        let at = "config.toml:4:14";
        assert_eq!(setup.problems(), [format!("{at}: ./token {why}")]);

        let setup = with("").env("ROOMCAM_TOKEN", text);
        let at = "environment variable ROOMCAM_TOKEN";
        assert_eq!(setup.problems(), [format!("{at}: the token {why}")]);
    }
    let missing = with("token_file = './token'").problems();
    assert_eq!(missing, ["config.toml:4:14: ./token cannot be read: No such file or directory (os error 2)"]);
}

#[test]
fn a_token_that_all_can_read_is_warned_about() {
    let setup = with("token_file = './token'");
    let path = setup.file("token", "hunter2", 0o644);
    let config = setup.load().unwrap();

    let [Warning::SecretReadableByAll(warned)] = &config.warnings[..] else {
        panic!("{:?}", config.warnings);
    };
    assert_eq!(warned.canonicalize().unwrap(), path.canonicalize().unwrap());
}

#[test]
fn a_slip_in_a_variable_is_warned_about_and_others_variables_are_not() {
    let setup = with("").env("ROOMCAM_MEETIN_ROOM", "green").env("ROOMCAM_PORT", "tcp://10.0.0.1");
    let config = setup.env("ROOMCAM_PIPELINE", "/etc").env("ROOMCAM_PIPELINES", "/etc").load().unwrap();

    let warnings: Vec<_> = config.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "environment variable ROOMCAM_MEETIN_ROOM means nothing; did you mean ROOMCAM_MEETING_ROOM?",
            "environment variable ROOMCAM_PIPELINE means nothing; did you mean ROOMCAM_PIPELINES?"
        ]
    );
}

/// Every way in which a token can end up where it does not belong.
#[test]
fn a_misplaced_token_is_not_repeated() {
    let setups = [
        with(&format!("token = '{SECRET}'")),
        with(&format!("token = '{SECRET}")),
        with(&format!("token_file = '{SECRET}'")),
        with(&format!("token_file = {SECRET}")),
        with(&format!("tokn_file = '{SECRET}'")),
        with(&format!("avatar_url = 'https://me:{SECRET}@example.org'")),
        with(&format!("avatar_url = 'ftp://example.org/?key={SECRET}'")),
        with("").env("ROOMCAM_MEETING_TOKEN", SECRET),
        with("").env("ROOMCAM_TOKN", SECRET).env("ROOMCAM_MEETING_URL", ""),
        with("").env("ROOMCAM_TOKEN", &format!("{SECRET}\n{SECRET}")),
        with("").flag("--set meeting.token", "meeting.token", SECRET),
        with("").flag("--url", "meeting.url", &format!("wss://{SECRET}@relay.example")),
        with("").flag("--url", "meeting.url", &format!("wss://me:{SECRET}#?1@relay.example")),
        with("").flag("--url", "meeting.url", &format!("wss:/me:{SECRET}@relay.example")),
        with("").flag("--url", "meeting.url", &format!("me:{SECRET}@relay.example://")),
        with("").flag("--url", "meeting.url", &format!("wss://relay.example?token={SECRET}")),
    ];
    for setup in setups {
        let errors = setup.load().unwrap_err();
        assert!(!format!("{errors} {errors:?}").contains(SECRET), "{errors}");
    }
    let config = with("").env("ROOMCAM_TOKEN", SECRET).load().unwrap();
    assert_eq!(token(&config), Some(SECRET));
    assert!(!format!("{config:?}").contains(SECRET));
}

/// The line of the example that shows `key`, with or without the `#` before it, as `#`, value.
fn example_line(key: &Key) -> (bool, &'static str) {
    let mut section = "";
    for line in EXAMPLE.lines() {
        let bare = line.strip_prefix('#').unwrap_or(line);
        if bare.starts_with('[') {
            section = bare.trim_matches(['[', ']']);
        }
        let value = bare.strip_prefix(key.name).and_then(|rest| rest.strip_prefix(" = "));
        if let Some(value) = value.filter(|_| section == key.section) {
            return (line != bare, value);
        }
    }
    panic!("the example does not show {}", key.path());
}

#[test]
fn the_example_lacks_where_to_go_and_nothing_else() {
    let text = Setup::new(EXAMPLE).load().unwrap_err().to_string();
    assert_eq!(text.matches("meeting.url is missing").count(), 1, "{text}");
    assert_eq!(text.matches("meeting.room is missing").count(), 1, "{text}");
    assert!(text.starts_with("the configuration has 2 problems:"), "{text}");
}

#[test]
fn the_example_is_valid_with_a_place_to_go_and_with_every_key_shown() {
    let configured = EXAMPLE.replace("#url = ", "url = ").replace("#room = ", "room = ");
    let config = Setup::new(&configured).load().unwrap();
    assert_eq!(config.meeting.room.as_str(), "lobby");

    let uncommented: Vec<_> = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest,
            _ => line,
        })
        .map(|line| line.replace("/etc/roomcam/control-token", "./token"))
        .map(|line| line.replace("/etc/roomcam/metrics-token", "./metrics-token"))
        .collect();
    let setup = Setup::new(&uncommented.join("\n"));
    setup.file("token", "hunter2", 0o600);
    setup.file("metrics-token", "hunter3", 0o600);
    setup.file("turn-password", "hunter4", 0o600);
    setup.file("turn-secret", "hunter5", 0o600);
    let all = setup.load().unwrap();
    assert_eq!(config.meeting.ice_servers, []);
    assert_eq!(all.meeting.ice_servers.iter().map(|server| server.urls.len()).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(all.capture, config.capture);
    assert_eq!(all.meeting.user_id.as_str(), "roomcam-0123456789abcdef");
    assert_eq!(config.panel.lamps, []);
    let shown: Vec<_> = all.panel.lamps.iter().map(|lamp| (lamp.place.to_string(), lamp.shows)).collect();
    assert_eq!(shown, [("pin 17".to_owned(), Shows::MicMuted), ("LED ACT".to_owned(), Shows::Meeting)]);
    assert_eq!(all.panel.buttons.len(), 1);
}

#[test]
fn the_example_shows_every_key_of_a_list_with_its_default() {
    for key in LISTS.into_iter().flat_map(|list| list.keys) {
        let (commented, value) = example_line(key);
        assert!(commented, "{} is an example", key.path());
        if let (Unset::Fixed(default), false) = (key.unset, key.name.ends_with("press")) {
            assert_eq!(value.trim_matches('"'), default, "{}", key.path());
        }
    }
}

#[test]
fn lamps_and_buttons_are_read_with_their_defaults() {
    let text = "[panel]\nbackend = 'gpiochip'\nchip = '/dev/gpiochip4'\n\
        [[panel.lamp]]\npin = 17\nshows = 'mic-muted'\nactive_low = true\n\
        [[panel.button]]\npin = 'GPIO27'\npress = 'toggle-mic'\nlong_press = 'leave'\n\
        [[panel.lamp]]\nled = 'ACT'\nshows = 'speaking'\nbrightness = 5\n\
        [[panel.button]]\npin = 5\npush_to_talk = true\npull = 'down'\ndebounce_ms = 5\nhold_ms = 200\n";
    let panel = with(text).load().unwrap().panel;

    assert_eq!((panel.backend, &panel.chip), (Backend::Gpiochip, &ChipChoice::Path("/dev/gpiochip4".into())));
    let [muted, speaking] = &panel.lamps[..] else { panic!("{:?}", panel.lamps) };
    assert_eq!(muted.place, LampPlace::Pin { pin: Pin::Number(17), active_low: true });
    assert_eq!(speaking.shows, Shows::Speaking);
    let LampPlace::Led { led, brightness } = &speaking.place else { panic!("{speaking:?}") };
    assert_eq!((led.as_str(), brightness.get()), ("ACT", 5));

    let [press, talk] = &panel.buttons[..] else { panic!("{:?}", panel.buttons) };
    assert_eq!(press.pin, Pin::Name("GPIO27".to_owned()));
    let action = ButtonAction::Press { short: ButtonCommand::ToggleMic, long: ButtonCommand::Leave };
    assert_eq!((press.action, press.pull, press.active_low), (action, Pull::Up, true));
    assert_eq!((press.debounce.get(), press.hold.get()), (30, 800));
    assert_eq!((talk.action, talk.pull, talk.active_low), (ButtonAction::PushToTalk, Pull::Down, false));
    assert_eq!((talk.debounce.duration().as_millis(), talk.hold.duration().as_millis()), (5, 200));
}

#[test]
fn every_problem_of_a_lamp_is_reported_with_its_place() {
    let setup = with(
        "[panel]\n\
         backend = 'gpio'\n\
         [[panel.lamp]]\n\
         shows = 'mic-muted'\n\
         [[panel.lamp]]\n\
         pin = '17'\n\
         shows = 'mic_muted'\n\
         [[panel.lamp]]\n\
         pin = 512\n\
         led = '../ACT'\n\
         [[panel.lamp]]\n\
         pin = 18\n\
         show = 'meeting'\n\
         brightness = 0\n\
         [[panel.lamp]]\n\
         led = 'ACT'\n\
         shows = 'meeting'\n\
         active_low = 'yes'\n\
         [[panel.lamp]]\n\
         led = 'ACT'\n\
         shows = 'speaking'\n\
         active_low = true\n\
         press = 'leave'\n\
         [[panel.lamp]]\n\
         pin = 18\n\
         shows = 'camera-on'\n",
    );

    insta::assert_snapshot!(setup.problems().join("\n"), @r#"
    config.toml:5:11: panel.backend = 'gpio' is refused; allowed is "auto", "rppal", "gpiochip", "sysfs-led" or "none"
    config.toml:6:1: panel.lamp.pin or panel.lamp.led is missing; allowed is one of them: pin = 17 or pin = "GPIO17" for a pin, led = "ACT" for an LED of the kernel
    config.toml:9:7: panel.lamp.pin = '17' is refused; allowed is a number from 0 to 511 (BCM number, line on the chip) or the name of a line, such as "GPIO17"; take the quotes away
    config.toml:10:9: panel.lamp.shows = 'mic_muted' is refused; allowed is "mic-muted", "mic-live", "camera-on", "camera-off", "meeting" or "speaking"
    config.toml:11:1: panel.lamp.shows is missing; allowed is "mic-muted", "mic-live", "camera-on", "camera-off", "meeting" or "speaking"
    config.toml:12:7: panel.lamp.pin = 512 is refused; allowed is a number from 0 to 511 (BCM number, line on the chip) or the name of a line, such as "GPIO17"
    config.toml:13:7: panel.lamp.led = '../ACT' is refused; allowed is the name of an LED in /sys/class/leds, such as "ACT"
    config.toml:13:7: panel.lamp.led is set beside pin; a lamp is either on a pin or an LED of the kernel
    config.toml:14:1: panel.lamp.shows is missing; allowed is "mic-muted", "mic-live", "camera-on", "camera-off", "meeting" or "speaking"
    config.toml:16:1: there is no key panel.lamp.show; did you mean panel.lamp.shows?
    config.toml:17:14: panel.lamp.brightness = 0 is refused; allowed is a whole number of percent from 1 to 100
    config.toml:17:14: panel.lamp.brightness is for an LED named by led; a pin is lit or dark
    config.toml:21:14: panel.lamp.active_low = 'yes' is refused; allowed is true or false; take the quotes away
    config.toml:21:14: panel.lamp.active_low is for a lamp on a pin; the kernel knows how its LEDs are wired
    config.toml:23:7: panel.lamp.led = ACT is taken already, at config.toml:19:7
    config.toml:25:14: panel.lamp.active_low is for a lamp on a pin; the kernel knows how its LEDs are wired
    config.toml:26:1: there is no key panel.lamp.press; it belongs to [[panel.button]]
    config.toml:28:7: panel.lamp.pin = 18 is taken already, at config.toml:15:7
    "#);
}

#[test]
fn every_problem_of_a_button_is_reported_with_its_place() {
    let setup = with(
        "[[panel.lamp]]\n\
         pin = 17\n\
         shows = 'mic-muted'\n\
         [[panel.button]]\n\
         pin = 17\n\
         press = 'toggle-mic'\n\
         [[panel.button]]\n\
         press = 'unmute'\n\
         pull = 'UP'\n\
         debounce_ms = 0\n\
         hold_ms = 199\n\
         [[panel.button]]\n\
         pin = 5\n\
         press = 'none'\n\
         [[panel.button]]\n\
         pin = 6\n\
         push_to_talk = true\n\
         press = 'mute'\n\
         long_press = 'none'\n\
         [[panel.button]]\n\
         pin = ''\n\
         longpress = 'leave'\n\
         shows = 'meeting'\n",
    );

    insta::assert_snapshot!(setup.problems().join("\n"), @r#"
    config.toml:8:7: panel.button.pin = 17 is taken already, at config.toml:5:7
    config.toml:10:1: panel.button.pin is missing; allowed is a number from 0 to 511 (BCM number, line on the chip) or the name of a line, such as "GPIO17"
    config.toml:11:9: panel.button.press = 'unmute' is refused; allowed is "toggle-mic", "toggle-camera", "mute", "leave" or "none"
    config.toml:12:8: panel.button.pull = 'UP' is refused; allowed is "up", "down" or "none"
    config.toml:13:15: panel.button.debounce_ms = 0 is refused; allowed is a whole number of milliseconds from 1 to 150
    config.toml:14:11: panel.button.hold_ms = 199 is refused; allowed is a whole number of milliseconds from 200 to 10000
    config.toml:15:1: panel.button does nothing; set press or long_press to more than "none", or push_to_talk = true
    config.toml:21:9: panel.button.press does not go with push_to_talk = true; the button is for talking alone
    config.toml:22:14: panel.button.long_press does not go with push_to_talk = true; the button is for talking alone
    config.toml:23:1: panel.button does nothing; set press or long_press to more than "none", or push_to_talk = true
    config.toml:24:7: panel.button.pin = '' is refused; allowed is a number from 0 to 511 (BCM number, line on the chip) or the name of a line, such as "GPIO17"
    config.toml:25:1: there is no key panel.button.longpress; did you mean panel.button.long_press?
    config.toml:26:1: there is no key panel.button.shows; did you mean panel.button.press?
    "#);
}

#[test]
fn a_backend_that_cannot_drive_a_pin_is_refused() {
    let lamps =
        "[[panel.lamp]]\npin = 'GPIO17'\nshows = 'mic-muted'\n[[panel.button]]\npin = 5\npress = 'mute'";
    let problems = |backend: &str| with(&format!("[panel]\nbackend = '{backend}'\n{lamps}")).problems();

    insta::assert_snapshot!(problems("rppal").join("\n"), @r#"config.toml:7:7: panel.lamp.pin does not go with panel.backend = "rppal", which knows pins by BCM number alone; use the number, or "gpiochip""#);
    insta::assert_snapshot!(problems("sysfs-led").join("\n"), @r#"
    config.toml:7:7: panel.lamp.pin does not go with panel.backend = "sysfs-led", which drives no pins; use "auto"
    config.toml:10:7: panel.button.pin does not go with panel.backend = "sysfs-led", which drives no pins; use "auto"
    "#);
    let disabled = with(lamps).env("ROOMCAM_PANEL_BACKEND", "none").load().unwrap().panel;
    assert_eq!((disabled.backend, disabled.lamps.len()), (Backend::None, 1));
}

#[test]
fn lists_are_lists_and_only_a_file_can_have_them() {
    insta::assert_snapshot!(with("[panel.lamp]\npin = 17").problems().join("\n"), @r#"config.toml:4:8: there is no key panel.lamp; it is a list, set in the configuration file alone; each entry starts with [[panel.lamp]]"#);
    insta::assert_snapshot!(with("[panel]\nbutton = [3]\nlamps = 3").problems().join("\n"), @r#"
    config.toml:5:1: there is no key panel.button; it is a list, set in the configuration file alone; each entry starts with [[panel.button]]
    config.toml:6:1: there is no key panel.lamps; did you mean panel.lamp?
    "#);
    insta::assert_snapshot!(with("[[panel.lamb]]\npin = 17").problems().join("\n"), @r#"config.toml:4:9: there is no key panel.lamb; did you mean panel.lamp?"#);
    insta::assert_snapshot!(with("[[panel]]\nbackend = 'none'").problems().join("\n"), @r#"config.toml:4:3: there is no key panel; it is a section, written [panel]"#);
    insta::assert_snapshot!(with("shows = 'meeting'").problems().join("\n"), @r#"config.toml:4:1: there is no key meeting.shows; it belongs to [[panel.lamp]]"#);
    let setup = with("")
        .env("ROOMCAM_PANEL_LAMP", "17")
        .flag("--set panel.lamp.pin", "panel.lamp.pin", "17")
        .flag("--set panel.button", "panel.button", "17");
    insta::assert_snapshot!(setup.problems().join("\n"), @r#"
    environment variable ROOMCAM_PANEL_LAMP: there is no key panel.lamp; it is a list, set in the configuration file alone; each entry starts with [[panel.lamp]]
    flag --set panel.button: there is no key panel.button; it is a list, set in the configuration file alone; each entry starts with [[panel.button]]
    flag --set panel.lamp.pin: there is no key panel.lamp.pin; it is a list, set in the configuration file alone; each entry starts with [[panel.lamp]]
    "#);
    // An array of tables in one line means the same.
    let config = with("panel.lamp = [{ pin = 17, shows = 'meeting' }]").load();
    assert!(config.is_err(), "inside of [meeting], this is another key");
    let config = Setup::new(
        "panel.lamp = [{ pin = 17, shows = 'meeting' }]\n[meeting]\nurl = 'wss://relay.example'\nroom = 'blue'",
    );
    assert_eq!(config.load().unwrap().panel.lamps.len(), 1);
}

#[test]
fn the_example_shows_every_key_with_its_default() {
    for key in KEYS {
        let (commented, value) = example_line(key);
        assert!(commented, "{} is an example", key.path());
        if let Unset::Fixed(default) = key.unset {
            assert_eq!(value.trim_matches('"'), default, "{}", key.path());
        }
    }
}

fn toml_like() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        prop::sample::select(KEYS.map(|key| key.name).to_vec()).prop_map(str::to_owned),
        prop::sample::select(
            LISTS.into_iter().flat_map(|list| list.keys).map(|key| key.name).collect::<Vec<_>>()
        )
        .prop_map(str::to_owned),
        "[a-z_.]{0,12}"
    ];
    let value = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        "\"\\PC{0,40}\"",
        "'[a-z:/@?.]{0,40}'",
        "(\\[|\\{|\"\"\"|1979-05-27|true|0x|inf){0,6}",
    ];
    let line = prop_oneof![
        4 => (name, value).prop_map(|(name, value)| format!("{name} = {value}")),
        1 => prop::sample::select(vec![
            "[meeting]", "[capture]", "[[capture]]", "[a.b]", "[panel]", "[[panel.lamp]]", "[[panel.button]]",
            "[[meeting.ice_server]]",
        ])
        .prop_map(str::to_owned),
        1 => "\\PC{0,40}",
    ];
    prop::collection::vec(line, 0..20).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn any_text_is_answered(text in prop_oneof![toml_like(), any::<String>()]) {
        if let Err(errors) = Setup::new(&text).load() {
            prop_assert!(!errors.problems().is_empty());
            prop_assert!(errors.to_string().lines().count() <= 22, "{errors}");
        }
    }

    #[test]
    fn any_environment_and_flag_is_answered(key in "[a-z_.]{0,20}", value in any::<String>()) {
        let variable = format!("ROOMCAM_{}", key.to_uppercase().replace('.', "_"));
        let _ = with("").env(&variable, &value).flag("--set", &key, &value).load();
    }

    #[test]
    fn the_token_is_shown_nowhere(text in toml_like(), secret in "[A-Za-z0-9]{24,40}", line in 0usize..20) {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let line = line.min(lines.len());
        lines.insert(line, format!("token = '{secret}'"));
        let shown = match Setup::new(&lines.join("\n")).env("ROOMCAM_TOKEN", &secret).load() {
            Ok(config) => format!("{config:?}"),
            Err(errors) => format!("{errors} {errors:?}"),
        };
        prop_assert!(!shown.contains(&secret), "{shown}");
    }
}

#[test]
fn control_listens_where_it_is_told_and_on_the_network_only_with_a_token() {
    let path = |path: &str| {
        with(&format!("[control]\nsocket = '{path}'")).load().map(|config| config.control.socket)
    };
    assert_eq!(path("none").unwrap(), SocketChoice::None);
    let longest = format!("/{}", "a".repeat(106));
    for accepted in ["/run/a.sock", &longest] {
        let SocketChoice::Path(read) = path(accepted).unwrap() else { panic!("{accepted} is a path") };
        assert_eq!(read.as_path(), Path::new(accepted));
    }
    for refused in ["", "control.sock", "./control.sock", "/run/", &format!("{longest}a")] {
        assert!(path(refused).is_err(), "{refused}");
    }

    for loopback in ["127.0.0.1:9780", "[::1]:0"] {
        let config = with(&format!("[control]\nlisten = '{loopback}'")).load().unwrap();
        assert_eq!(config.control.listen, Some(loopback.parse().unwrap()));
    }
    let setup = with("[control]\nlisten = '0.0.0.0:9780'\ntoken_file = './token'");
    setup.file("token", "hunter2\n", 0o600);
    let control = setup.load().unwrap().control;
    assert_eq!(control.token.as_ref().map(Secret::expose), Some("hunter2"));
    assert!(!format!("{control:?}").contains("hunter2"));
}

#[test]
fn every_problem_of_control_is_reported_with_its_place() {
    let open = with("[control]\nlisten = '0.0.0.0:9780'");
    assert_eq!(
        open.problems(),
        [
            "config.toml:5:10: control.listen = 0.0.0.0:9780 lets everybody on the network turn the camera on; set \
          control.token_file or control.metrics_token_file beside it, or listen on 127.0.0.1 or [::1]"
        ]
    );

    let wrong = with(
        "[control]\nsocket = 'control.sock'\nlisten = 'localhost:9780'\ntoken_file = 'hunter2'\ntoken = 'hunter2'",
    );
    let problems = wrong.problems();
    assert!(!problems.concat().contains("hunter2"), "{problems:?}");
    assert_eq!(problems.len(), 4, "{problems:#?}");
    assert!(
        problems[0].starts_with("config.toml:5:10: control.socket = 'control.sock' is refused"),
        "{}",
        problems[0]
    );
    assert!(
        problems[1].starts_with("config.toml:6:10: control.listen = 'localhost:9780' is refused"),
        "{}",
        problems[1]
    );
    assert!(problems[2].contains("control.token_file = (not shown"), "{}", problems[2]);
    assert!(problems[3].ends_with("put it into a file named by control.token_file"), "{}", problems[3]);

    // One problem, not two: there is to be a token.
    let missing = with("[control]\nlisten = '0.0.0.0:9780'\ntoken_file = './nowhere'").problems();
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(missing[0].contains("./nowhere cannot be read"), "{}", missing[0]);
}

#[test]
fn the_panel_can_be_read_whatever_is_wrong_elsewhere() {
    let setup = Setup::new("[meeting]\nurl = 7\nrom = 'lobby'\n[capture]\nfps = 0\n[[panel.lamp]]\npin = 17\nshows = 'mic-live'\n")
        .env("CREDENTIALS_DIRECTORY", "/proc/self/mem");
    assert!(setup.load().is_err());

    let panel = setup.load_panel().unwrap();
    assert_eq!(panel.lamps.len(), 1);
}

#[test]
fn the_panel_is_not_read_when_it_may_be_meant_by_a_mistake() {
    let lamp = "[[panel.lamp]]\npin = 17\nshows = 'mic-live'\n";
    for (mistake, named) in [
        ("active_lwo = true\n", "panel.lamp.active_lwo"),
        ("[pannel]\nbackend = 'none'\n", "[pannel]"),
        ("[panel\n", "TOML"),
    ] {
        let errors = Setup::new(&format!("{lamp}{mistake}")).load_panel().unwrap_err().to_string();
        assert!(errors.contains(named), "{errors}");
        assert!(!errors.contains("meeting.url"), "{errors}");
    }
}

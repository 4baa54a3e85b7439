//! `[[meeting.ice_server]]`: what is read, and what is refused with which words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use roomcam::config::{Config, IceCredentials, IceServer, Overrides, Warning};
use tempfile::TempDir;

const PASSWORD: &str = "hunter2-0123456789";

/// A folder with a configuration and a file `password`.
fn setup(servers: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("[meeting]\nurl = 'ws://h'\nroom = 'r'\n{servers}");
    fs::write(dir.path().join("config.toml"), text).unwrap();
    let password = dir.path().join("password");
    fs::write(&password, format!("{PASSWORD}\n")).unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    dir
}

fn load(dir: &TempDir) -> Result<Config, String> {
    Config::load(Some(&dir.path().join("config.toml")), std::iter::empty(), &Overrides::default())
        .map_err(|errors| errors.to_string())
}

fn servers(text: &str) -> Vec<IceServer> {
    load(&setup(text)).unwrap().meeting.ice_servers
}

fn refusal(text: &str) -> String {
    load(&setup(&format!("[[meeting.ice_server]]\n{text}"))).unwrap_err()
}

#[test]
fn servers_are_read_with_their_credentials() {
    let read = servers(
        "[[meeting.ice_server]]\nurls = 'stun:stun.example.org'\n\
         [[meeting.ice_server]]\nurls = ['turn:turn.example.org', 'turns:turn.example.org:443']\n\
         username = 'lobby'\ncredential_file = './password'\n\
         [[meeting.ice_server]]\nurls = ['turn:[2001:db8::1]?transport=tcp']\nsecret_file = './password'\n",
    );
    let urls: Vec<Vec<String>> =
        read.iter().map(|server| server.urls.iter().map(ToString::to_string).collect()).collect();
    assert_eq!(
        urls,
        [
            vec!["stun:stun.example.org:3478"],
            vec!["turn:turn.example.org:3478?transport=udp", "turns:turn.example.org:443?transport=tcp"],
            vec!["turn:[2001:db8::1]:3478?transport=tcp"],
        ]
    );
    assert_eq!(read[0].credentials, None);
    let Some(IceCredentials::Password { username, password }) = &read[1].credentials else {
        panic!("{read:?}")
    };
    assert_eq!((username.as_str(), password.expose()), ("lobby", PASSWORD));
    let Some(IceCredentials::SharedSecret { name, secret }) = &read[2].credentials else {
        panic!("{read:?}")
    };
    assert_eq!((name.as_str(), secret.expose()), ("roomcam", PASSWORD));
    assert!(!format!("{read:?}").contains(PASSWORD));
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_to_do() {
    for (text, parts) in [
        ("username = 'lobby'", &["config.toml:4", "meeting.ice_server.urls"][..]),
        ("urls = 'stuns:h'", &["config.toml:5:8", "stuns:h", "turns:HOST:PORT"]),
        ("urls = []", &["config.toml:5:8", "turns:HOST:PORT"]),
        ("urls = ['stun:h', 3]", &["config.toml:5:8", "turns:HOST:PORT"]),
        ("urls = 'turn:h'", &["credential_file or meeting.ice_server.secret_file"]),
        ("urls = 'turn:h'\ncredential_file = './password'", &["meeting.ice_server.username"]),
        ("urls = 'turn:h'\nusername = 'lobby'\ncredential_file = './missing'", &["config.toml:7", "missing"]),
        (
            "urls = 'turn:h'\nusername = 'u'\ncredential_file = './password'\nsecret_file = './password'",
            &["config.toml:8", "is set beside credential_file"],
        ),
        ("urls = 'stun:h'\nusername = 'u'", &["config.toml:6", "without credential_file or secret_file"]),
        ("urls = 'stun:h'\nsecret_file = './password'", &["config.toml:6", "is for TURN servers"]),
        ("url = 'stun:h'", &["did you mean meeting.ice_server.urls?"]),
    ] {
        let refused = refusal(text);
        for part in parts {
            assert!(refused.contains(part), "{text}: no {part:?} in:\n{refused}");
        }
        assert!(!refused.contains(PASSWORD), "{refused}");
    }
}

#[test]
fn a_password_in_an_address_is_not_repeated() {
    let refused = refusal(&format!("urls = 'turn:lobby:{PASSWORD}@h'"));
    assert!(!refused.contains(PASSWORD), "{refused}");
    assert!(refused.contains("may hold a password"), "{refused}");
}

#[test]
fn only_a_file_can_have_servers() {
    let mut flags = Overrides::default();
    flags.set("--set", "meeting.ice_server", "stun:h");
    let dir = setup("");
    let refused =
        Config::load(Some(&dir.path().join("config.toml")), std::iter::empty(), &flags).unwrap_err();
    assert!(refused.to_string().contains("each entry starts with [[meeting.ice_server]]"), "{refused}");
}

#[test]
fn a_password_that_everybody_can_read_is_warned_of() {
    let dir =
        setup("[[meeting.ice_server]]\nurls = 'turn:h'\nusername = 'lobby'\ncredential_file = './password'");
    let password = dir.path().join("password");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(load(&dir).unwrap().warnings.contains(&Warning::SecretReadableByAll(password)));
}

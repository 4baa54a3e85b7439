//! Redis behind TLS.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use tokio::process::Command;

use crate::child;
use crate::fleet::{ann_and_bob, arrives, pair};
use crate::redis::{self, Redis};

#[tokio::test]
async fn relays_meet_over_tls() {
    let redis = Redis::start_tls().await;
    let relays = pair(&redis).await;
    let [mut ann, mut bob] = ann_and_bob(&relays.each_ref()).await;
    arrives(&mut ann, &mut bob, 1).await;
}

/// As operators see it: the program, and what it says.
#[tokio::test]
async fn a_redis_whose_certificate_nobody_vouches_for_is_refused_with_a_remedy() {
    let redis = Redis::start_tls().await;
    let dir = tempfile::tempdir().unwrap();
    let [password, authority, other] = [
        ("password", redis::PASSWORD.to_owned()),
        ("authority", redis.certificate.clone().unwrap()),
        ("other", Redis::start_tls().await.certificate.unwrap()),
    ]
    .map(|(name, text)| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    });
    let log = async |flags: &[&str], wanted: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roomcam"));
        command
            .args([
                "relay",
                "--listen",
                "127.0.0.1:0",
                "--redis",
                &redis.url(),
                "--redis-password-file",
                &password,
            ])
            .args(flags)
            .stderr(Stdio::piped());
        let mut relay = child::start(&mut command);
        let redis = |line: &str| line.contains("Redis at").then(|| line.to_owned());
        let said = child::find_line(relay.stderr.take().unwrap(), redis).await;
        assert!(wanted.iter().all(|words| said.contains(words)), "expected {wanted:?}: {said}");
        relay.kill().await.unwrap();
    };
    log(&["--redis-ca-file", &authority], &["answers: rooms are shared"]).await;
    for flags in [&[][..], &["--redis-ca-file", &other]] {
        log(flags, &["is away (invalid peer certificate", "name who certifies it with --redis-ca-file"])
            .await;
    }
}

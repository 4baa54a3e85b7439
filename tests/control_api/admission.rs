//! Who gets in: the socket's file, a second daemon, the token, and web pages that try.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;
use std::{fs, net};

use roomcam::config::{Config, ControlApi, Overrides, SocketChoice};
use roomcam::control::{ControlError, Limits, Server, requests};
use tokio::process::Command;

use crate::http::{Answer, ask, ask_tcp, get};
use crate::puppet::{House, TOKEN, config, socket_config, state};

fn open(path: &Path) -> Result<Server, ControlError> {
    Server::open(&socket_config(path), requests(state()).0)
}

#[tokio::test]
async fn owner_and_group_may_use_the_socket_and_nobody_else() {
    let house = House::open();
    let mode = fs::symlink_metadata(&house.socket).unwrap().mode();
    assert_eq!(format!("{:o}", mode & 0o7777), "660");

    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("SKIPPED: only root can try it as somebody else");
        return;
    }
    // Only the socket's own mode is to stand in the way.
    let dir = tempfile::tempdir().unwrap();
    for open in [dir.path(), house.dir.path()] {
        fs::set_permissions(open, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let program = dir.path().join("roomcam");
    fs::copy(env!("CARGO_BIN_EXE_roomcam"), &program).unwrap();
    let group = fs::symlink_metadata(&house.socket).unwrap().gid().to_string();
    let ctl = async |gid: &str| {
        Command::new("setpriv")
            .args(["--reuid=65534", &format!("--regid={gid}"), "--clear-groups", "--"])
            .arg(&program)
            .args(["ctl", "status", "--socket"])
            .arg(&house.socket)
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap()
    };

    let stranger = ctl("65534").await;
    assert_eq!(stranger.status.code(), Some(1));
    let said = String::from_utf8(stranger.stderr).unwrap();
    assert!(said.contains("join group roomcam (sudo usermod -aG roomcam $USER"), "{said}");

    let member = ctl(&group).await;
    assert_eq!(member.status.code(), Some(0), "{}", String::from_utf8_lossy(&member.stderr));
}

#[tokio::test]
async fn the_socket_of_a_killed_daemon_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a killed daemon leaves it behind");

    let server = open(&path).unwrap();

    assert_eq!(server.socket(), Some(&*path));
}

#[tokio::test]
async fn a_second_daemon_is_told_about_the_first_which_goes_on() {
    let house = House::open();

    let error = open(&house.socket).unwrap_err();

    let path = house.socket.display().to_string();
    assert_eq!(
        error.to_string(),
        format!(
            "another daemon holds the control socket {path}: stop it, or give this one another with \
             --set control.socket=PATH (\"none\" for none)"
        )
    );
    assert_eq!(get(&house.socket, "/healthz").await.status, 200);
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone_and_a_missing_folder_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("control.sock");
    fs::write(&file, "precious").unwrap();
    let error = open(&file).unwrap_err().to_string();
    assert!(error.contains("is no socket, so it is left alone"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");

    let nowhere = dir.path().join("nowhere/control.sock");
    let config = config(dir.path(), &format!("socket = '{}'", nowhere.display()));
    let error = Server::open(&config, requests(state()).0).unwrap_err().to_string();
    assert!(error.contains("nowhere/control.sock: No such file"), "{error}");
    assert!(error.contains("make the folder"), "{error}");
}

#[tokio::test]
async fn the_socket_goes_with_its_server_and_not_with_another() {
    let house = House::open();
    let path = house.socket.clone();
    let dir = house.stop().await;
    assert!(!path.exists());

    let first = open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let second = open(&path).unwrap();
    drop(first);
    assert!(path.exists(), "it is the second's");
    drop(second);
    assert!(!path.exists());
    drop(dir);
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let held = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = held.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), &format!("socket = 'none'\nlisten = '{addr}'"));
    let error = Server::open(&config, requests(state()).0).unwrap_err().to_string();
    assert!(error.starts_with(&format!("the control API cannot listen on {addr}: ")), "{error}");
    assert!(error.contains("control.listen"), "{error}");
}

const LOOPBACK: &str = "listen = '127.0.0.1:0'";
const WITH_TOKEN: &str = "listen = '127.0.0.1:0'\ntoken_file = './token'";

#[tokio::test]
async fn on_tcp_the_token_opens_and_nothing_else_does() {
    let house = House::with(WITH_TOKEN, Limits::default());
    let ask = async |path: &str, shown: &str| {
        let headers = if shown.is_empty() { String::new() } else { format!("Authorization: {shown}\r\n") };
        ask_tcp(house.addr.unwrap(), "GET", path, &headers).await
    };

    assert_eq!(ask("/v1/status", &format!("Bearer {TOKEN}")).await.status, 200);
    let shorter = format!("Bearer {}", &TOKEN[..TOKEN.len() - 1]);
    for wrong in
        ["", "Bearer", "Bearer wrong", &shorter, &format!("Basic {TOKEN}"), &format!("Bearer {TOKEN}x")]
    {
        assert_eq!(ask("/healthz", wrong).await.status, 200);
        for path in ["/v1/status", "/metrics", "/v1/openapi.json", "/nowhere"] {
            let refused = ask(path, wrong).await;
            assert_eq!(refused.status, 401, "{wrong:?} {path}");
            assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
            assert!(refused.error().contains("Authorization: Bearer TOKEN"), "{}", refused.error());
        }
    }
    assert_eq!(get(&house.socket, "/v1/status").await.status, 200, "the socket's mode is its guard");
}

#[tokio::test]
async fn the_token_for_metrics_opens_nothing_else() {
    const METRICS_TOKEN: &str = "for prometheus";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("metrics-token");
    fs::write(&file, METRICS_TOKEN).unwrap();
    let metrics = format!("metrics_token_file = '{}'", file.display());

    for (config, with_all) in
        [(format!("{WITH_TOKEN}\n{metrics}"), 200), (format!("{LOOPBACK}\n{metrics}"), 403)]
    {
        let house = House::with(&config, Limits::default());
        let ask = async |method: &str, path: &str, token: &str| {
            ask_tcp(house.addr.unwrap(), method, path, &format!("Authorization: Bearer {token}\r\n")).await
        };
        assert_eq!(ask("GET", "/metrics", METRICS_TOKEN).await.status, 200);
        assert_eq!(ask("GET", "/metrics", "another").await.status, 401);
        assert_eq!(ask("GET", "/healthz", "none").await.status, 200);
        assert_eq!(ask("GET", "/v1/status", TOKEN).await.status, with_all);
        for (method, path) in
            [("GET", "/v1/status"), ("POST", "/v1/leave"), ("POST", "/metrics"), ("PUT", "/healthz")]
        {
            let refused = ask(method, path, METRICS_TOKEN).await.status;
            assert!([401, 403].contains(&refused), "{method} {path}: {refused}");
        }
    }
    let same = format!("socket = 'none'\n{LOOPBACK}\ntoken_file = './metrics-token'\n{metrics}");
    let text = format!("[meeting]\nurl = 'ws://relay.example'\nroom = 'blue'\n[control]\n{same}\n");
    fs::write(dir.path().join("config.toml"), text).unwrap();
    let refused =
        Config::load(Some(&dir.path().join("config.toml")), std::iter::empty(), &Overrides::default());
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("control.metrics_token_file holds the same token as control.token_file"),
        "{refused}"
    );
}

#[tokio::test]
async fn on_loopback_no_token_is_needed_but_web_pages_are_kept_out() {
    let house = House::with(LOOPBACK, Limits::default());
    let addr = house.addr.unwrap();
    let ask = async |headers: &str| ask_tcp(addr, "POST", "/v1/leave", headers).await;

    for host in [format!("Host: {addr}\r\n"), "Host: localhost:9780\r\n".into(), "Host: [::1]\r\n".into()] {
        assert_eq!(ask(&host).await.status, 200, "{host}");
    }
    for page in ["Origin: http://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        let refused = ask(page).await;
        assert_eq!(refused.status, 403, "{page}");
        assert!(refused.error().starts_with("web pages may not ask"));
    }
    for rebound in ["Host: evil.example\r\n", "Host: evil.example:80\r\n", "Host: 192.0.2.7\r\n", "Host:\r\n"]
    {
        let refused = ask(rebound).await;
        assert_eq!(refused.status, 403, "{rebound}");
        assert!(refused.error().contains("http://127.0.0.1:PORT"), "{}", refused.error());
    }
    let absolute = ask_tcp(addr, "GET", "http://evil.example/healthz", "").await;
    assert_eq!(absolute.status, 403);
}

#[tokio::test]
async fn the_socket_takes_any_host() {
    let house = House::open();
    let headers = "Host: whatever\r\nOrigin: http://evil.example\r\n";
    assert_eq!(ask(&house.socket, "GET", "/healthz", headers, "").await.status, 200);
}

#[tokio::test]
async fn the_token_is_in_no_answer_and_in_no_debugging() {
    let house = House::with(WITH_TOKEN, Limits::default());
    let headers = format!("Authorization: Bearer {TOKEN}\r\n");
    let mut answers: Vec<Answer> = Vec::new();
    for path in
        ["/v1/status", "/metrics", "/healthz", "/v1/openapi.json", "/v1/snapshot.jpg", "/v1/camera", "/"]
    {
        answers.push(ask_tcp(house.addr.unwrap(), "GET", path, &headers).await);
        answers.push(ask_tcp(house.addr.unwrap(), "GET", path, &format!("{headers}Origin: x\r\n")).await);
    }
    for answer in answers {
        let text = format!("{}{}", answer.head, String::from_utf8_lossy(&answer.body));
        assert!(!text.contains(TOKEN), "{text}");
    }
    let again = ControlApi { socket: SocketChoice::None, ..config(house.dir.path(), WITH_TOKEN) };
    let server = Server::open(&again, requests(state()).0).unwrap();
    assert!(!format!("{server:?}").contains(TOKEN));
}

//! Whatever is sent, the answer is a documented one, an error is JSON, and the server lives on.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use crate::http::{answer, get, request, rest};
use crate::puppet::House;

/// As many as run in a few seconds.
const CASES: u32 = 1500;

#[derive(Debug, Clone)]
struct Sent {
    method: String,
    path: String,
    headers: String,
    body: String,
}

fn paths() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "/v1/status",
        "/v1/camera",
        "/v1/mic",
        "/v1/keyframe",
        "/v1/leave",
        "/v1/join",
        "/v1/reload",
        "/v1/snapshot.jpg",
        "/metrics",
        "/healthz",
        "/v1/openapi.json",
    ]);
    prop_oneof![
        4 => known.clone().prop_map(str::to_owned),
        1 => (known, "[?/#%.][!-~]{0,20}").prop_map(|(path, more)| format!("{path}{more}")),
        1 => "/[!-~]{0,40}",
        1 => "[!-~]{1,20}",
    ]
}

fn bodies() -> impl Strategy<Value = String> {
    let field = prop::sample::select(vec!["on", "muted", "off", "", "on\\u0000"]);
    let value =
        prop::sample::select(vec!["true", "false", "null", "1", "\"true\"", "[]", "{}", "1e999", "tru"]);
    prop_oneof![
        3 => (field, value).prop_map(|(field, value)| format!("{{\"{field}\":{value}}}")),
        1 => any::<String>(),
        1 => (0..6000usize).prop_map(|depth| "[".repeat(depth)),
        1 => Just(String::new()),
    ]
}

fn requests() -> impl Strategy<Value = Sent> {
    let methods = prop_oneof![
        4 => prop::sample::select(vec!["GET", "PUT", "POST", "HEAD"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"]).prop_map(str::to_owned),
        1 => "[A-Z!]{1,10}",
    ];
    let headers = prop::collection::vec(
        prop_oneof![
            3 => Just("Content-Type: application/json\r\n".to_owned()),
            1 => "[A-Za-z-]{1,20}: [ -~]{0,40}".prop_map(|line| format!("{line}\r\n")),
            1 => Just("Expect: 100-continue\r\n".to_owned()),
        ],
        0..4,
    );
    (methods, paths(), headers, bodies()).prop_map(|(method, path, headers, body)| Sent {
        method,
        path,
        headers: headers.concat(),
        body,
    })
}

/// What has to be true of the answer to `sent`, if there is one: what is no HTTP may be hung up on.
fn judge(sent: &Sent, said: &[u8]) -> Result<(), TestCaseError> {
    let said = said.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(said);
    let Some(answer) = answer(said) else {
        prop_assert!(said.is_empty(), "{}", String::from_utf8_lossy(said));
        return Ok(());
    };
    // The puppet refuses nothing but a snapshot, so the one 5xx there is means that it is our fault.
    let expected = [200, 400, 404, 405, 408, 409, 413, 414, 415, 431].contains(&answer.status);
    prop_assert!(expected, "{answer:?}");
    // What hyper itself cannot read has no body; all else that we refuse has one, and it says something.
    let unread = answer.header("content-length") == Some("0") && [400, 414, 431].contains(&answer.status);
    if answer.status != 200 && sent.method != "HEAD" && !unread {
        let body: Value = serde_json::from_slice(&answer.body)
            .map_err(|error| TestCaseError::fail(format!("{error}: {answer:?}")))?;
        prop_assert!(body["error"].as_str().is_some_and(|text| text.len() > 10), "{body}");
        prop_assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    Ok(())
}

#[test]
fn any_request_gets_an_answer_that_is_documented() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let house = runtime.block_on(async { House::open() });
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&requests(), |sent| {
        let said = runtime.block_on(async {
            let mut stream = UnixStream::connect(&house.socket).await.unwrap();
            let text = request(&sent.method, &sent.path, &sent.headers, &sent.body);
            let _ = stream.write_all(text.as_bytes()).await;
            rest(&mut stream).await
        });
        judge(&sent, &said)
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(runtime.block_on(get(&house.socket, "/healthz")).status, 200, "the server lives on");
}

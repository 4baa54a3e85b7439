//! What a client may take: those that send nothing, too slowly or too much are cut off.

use std::time::{Duration, Instant};

use roomcam::control::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::http::{answer, ask, exchange, get, patiently, request, rest};
use crate::puppet::{House, Mood};

fn impatient() -> Limits {
    let soon = Duration::from_millis(300);
    Limits { head: soon, idle: soon, ..Limits::default() }
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_cut_off() {
    let house = House::with_limits(impatient());
    let start = Instant::now();
    let mut stream = UnixStream::connect(&house.socket).await.unwrap();

    let said = rest(&mut stream).await;

    assert!(said.is_empty() || answer(&said).unwrap().status == 408, "{}", String::from_utf8_lossy(&said));
    assert!(start.elapsed() >= Duration::from_millis(250), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_client_that_idles_after_a_request_is_cut_off() {
    let house = House::with_limits(impatient());
    let mut stream = UnixStream::connect(&house.socket).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();

    let said = rest(&mut stream).await;

    assert!(said.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn one_byte_at_a_time_is_too_slow() {
    let house = House::with_limits(impatient());
    let (mut reader, mut writer) = UnixStream::connect(&house.socket).await.unwrap().into_split();
    let head = request("GET", "/v1/status", &format!("X-Long: {}\r\n", "a".repeat(10_000)), "");
    let dripping = async {
        for byte in head.bytes() {
            if writer.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it was let finish");
    };
    let (said, ()) = tokio::join!(rest(&mut reader), dripping);
    assert!(!said.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&said));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let house = House::open();
    let mut stream = UnixStream::connect(&house.socket).await.unwrap();
    let head = "PUT /v1/camera HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();

    let refused = answer(&rest(&mut stream).await).unwrap();

    assert_eq!(refused.status, 408);
    assert!(refused.error().contains("did not arrive in time"));
}

#[tokio::test]
async fn a_megabyte_of_headers_is_refused() {
    let house = House::open();
    for headers in [
        format!("X-Long: {}\r\n", "a".repeat(1 << 20)),
        "X-Many: 1\r\n".repeat(100_000),
        "X-Many: 1\r\n".repeat(65),
    ] {
        let stream = UnixStream::connect(&house.socket).await.unwrap();
        let refused = exchange(stream, &request("GET", "/v1/status", &headers, "")).await;
        assert_eq!(refused.status, 431, "{refused:?}");
    }
    let long = ask(&house.socket, "GET", &format!("/{}", "a".repeat(1 << 20)), "", "").await;
    assert!([414, 431].contains(&long.status), "{long:?}");
    assert_eq!(get(&house.socket, "/healthz").await.status, 200);
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let house = House::open();
    for noise in
        ["\0\0\0\0\r\n\r\n", "hello?\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let mut stream = UnixStream::connect(&house.socket).await.unwrap();
        stream.write_all(noise.as_bytes()).await.unwrap();
        let said = rest(&mut stream).await;
        assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&said));
    }
    assert_eq!(get(&house.socket, "/healthz").await.status, 200);
}

#[tokio::test]
async fn idle_connections_keep_nobody_out() {
    let house = House::with_limits(Limits { connections: 4, ..Limits::default() });
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(UnixStream::connect(&house.socket).await.unwrap());
    }

    assert_eq!(get(&house.socket, "/v1/status").await.status, 200);

    let mut hung_up_on = 0;
    for stream in &mut idle[..17] {
        assert!(rest(stream).await.is_empty());
        hung_up_on += 1;
    }
    assert_eq!(hung_up_on, 17, "the oldest of them, for 3 and the one that asked");
}

#[tokio::test]
async fn when_all_are_busy_another_is_told_so() {
    let house = House::with_limits(Limits { connections: 4, ..Limits::default() });
    house.feel(Mood::Stuck).await;
    let mut busy = Vec::new();
    for _ in 0..4 {
        let mut stream = UnixStream::connect(&house.socket).await.unwrap();
        stream.write_all(request("POST", "/v1/leave", "", "").as_bytes()).await.unwrap();
        busy.push(stream);
    }

    let refused = patiently(async {
        loop {
            // The server may not have met all of them yet.
            let answer = get(&house.socket, "/v1/openapi.json").await;
            if answer.status != 200 {
                return answer;
            }
        }
    })
    .await;

    assert_eq!(refused.status, 503);
    assert_eq!(refused.error(), "too many connections are open; close some, or try later");
    drop(busy);
    patiently(async { while get(&house.socket, "/v1/openapi.json").await.status != 200 {} }).await;
}

#[tokio::test]
async fn a_flood_of_connections_leaves_the_server_alive() {
    let house = House::with_limits(impatient());
    let mut flood = Vec::new();
    for _ in 0..200 {
        flood.push(patiently(UnixStream::connect(&house.socket)).await);
    }
    drop(flood);
    patiently(async {
        while get_or_none(&house).await != Some(200) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn get_or_none(house: &House) -> Option<u16> {
    let mut stream = UnixStream::connect(&house.socket).await.ok()?;
    stream.write_all(request("GET", "/healthz", "", "").as_bytes()).await.ok()?;
    answer(&rest(&mut stream).await).map(|answer| answer.status)
}

#[tokio::test]
async fn a_stopping_server_answers_what_it_can_and_cuts_off_the_rest() {
    let house = House::open();
    house.feel(Mood::Stuck).await;
    let mut waiting = UnixStream::connect(&house.socket).await.unwrap();
    waiting.write_all(request("POST", "/v1/leave", "", "").as_bytes()).await.unwrap();
    let mut idle = UnixStream::connect(&house.socket).await.unwrap();
    idle.write_all(b"G").await.unwrap();
    // Both are met before it stops.
    let _ = get(&house.socket, "/v1/openapi.json").await;

    let start = Instant::now();
    house.stop().await;

    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert!(rest(&mut waiting).await.is_empty());
    let mut byte = [0];
    assert!(!matches!(idle.read(&mut byte).await, Ok(1..)));
}

//! `/v1/events`: the state at once, then each change, and never a backlog.

use std::time::Duration;

use roomcam::control::{CameraState, Events, Limits, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::http::{get, patiently, request, rest};
use crate::puppet::{House, state};

async fn next(events: &mut Events) -> Option<State> {
    patiently(events.next()).await.unwrap().map(|event| serde_json::from_str(&event).unwrap())
}

fn epoch(epoch: u32) -> State {
    State { epoch, ..state() }
}

#[tokio::test]
async fn listeners_hear_the_state_at_once_and_then_each_change_in_order() {
    let house = House::open();
    let mut events = house.client().events().await.unwrap();
    assert_eq!(next(&mut events).await, Some(state()));

    for number in 4..10 {
        house.tell(epoch(number));
        assert_eq!(next(&mut events).await, Some(epoch(number)));
    }

    house.client().put("/v1/camera", &serde_json::json!({ "on": false })).await.unwrap();
    assert_eq!(next(&mut events).await.unwrap().camera.state, CameraState::Off);

    house.stop().await;
    assert_eq!(next(&mut events).await, None, "the stream ends with the server");
}

#[tokio::test]
async fn events_are_written_as_server_sent_events() {
    let house = House::open();
    let mut stream = UnixStream::connect(&house.socket).await.unwrap();
    stream.write_all(request("GET", "/v1/events", "", "").as_bytes()).await.unwrap();
    let mut text = String::new();
    while !text.contains("\n\n\r\n") {
        let mut piece = [0; 4096];
        let length = patiently(stream.read(&mut piece)).await.unwrap();
        assert_ne!(length, 0, "{text}");
        text += std::str::from_utf8(&piece[..length]).unwrap();
    }
    assert!(text.contains("\r\ncontent-type: text/event-stream\r\n"), "{text}");
    assert!(text.contains("\r\nevent: state\ndata: {\"relay\":\"wss://relay.example/\","), "{text}");
}

#[tokio::test]
async fn who_reads_slowly_gets_the_latest_and_no_backlog() {
    let house = House::open();
    let mut events = house.client().events().await.unwrap();
    assert_eq!(next(&mut events).await, Some(state()));

    // Many times what fits between the two.
    for number in 10..5000 {
        house.tell(epoch(number));
        tokio::task::yield_now().await;
    }

    let mut heard = Vec::new();
    while heard.last() != Some(&4999) {
        heard.push(next(&mut events).await.unwrap().epoch);
    }
    assert!(heard.is_sorted(), "{heard:?}");
    assert!(heard.len() < 500, "{} of 5000 were kept", heard.len());
}

#[tokio::test]
async fn listeners_leave_room_for_those_who_ask() {
    let house = House::with_limits(Limits { listeners: 2, ..Limits::default() });
    let first = house.client().events().await.unwrap();
    let _second = house.client().events().await.unwrap();

    let third = get(&house.socket, "/v1/events").await;
    assert_eq!(third.status, 503);
    assert_eq!(third.error(), "too many event streams are open; close some, or try later");
    assert_eq!(get(&house.socket, "/v1/status").await.status, 200);

    drop(first);
    patiently(async {
        while house.client().events().await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_listener_that_takes_nothing_is_cut_off() {
    let house = House::with_limits(Limits { stall: Duration::from_millis(200), ..Limits::default() });
    let mut stream = UnixStream::connect(&house.socket).await.unwrap();
    stream.write_all(request("GET", "/v1/events", "", "").as_bytes()).await.unwrap();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let telling = async {
        let mut number = 10;
        while stopped.try_recv().is_err() {
            house.tell(epoch(number));
            number += 1;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let reading = async {
        // Longer than it takes to fill what is between the two, and then to lose patience.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let heard = rest(&mut stream).await;
        stop.send(()).unwrap();
        heard
    };
    let ((), heard) = tokio::join!(telling, reading);
    assert!(heard.len() < 200_000, "{} bytes", heard.len());
}

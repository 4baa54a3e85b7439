//! Every route: what it does, and how it fails.

use roomcam::control::{CameraState, MeetingState, MicState, Status};

use crate::http::{Answer, ask, get, put};
use crate::puppet::{House, JPEG, Mood, state, status};

fn told(answer: &Answer) -> Status {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn status_tells_everything() {
    let house = House::open();

    let answer = get(&house.socket, "/v1/status").await;

    assert_eq!(told(&answer), status(state()));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let json = answer.json();
    assert_eq!(
        json["camera"],
        serde_json::json!({ "wanted_on": true, "state": "on", "device": "/dev/video0" })
    );
    assert_eq!(json["versions"]["gstreamer"], "1.22.0");
}

#[tokio::test]
async fn camera_and_mic_follow_and_the_answer_is_the_new_state() {
    let house = House::open();

    let off = told(&put(&house.socket, "/v1/camera", r#"{"on": false}"#).await).state.camera;
    assert_eq!((off.wanted_on, off.state), (false, CameraState::Off));
    let again = told(&put(&house.socket, "/v1/camera", r#"{"on": false}"#).await).state.camera;
    assert_eq!(again, off);
    assert_eq!(
        told(&put(&house.socket, "/v1/camera", r#"{"on":true}"#).await).state.camera.state,
        CameraState::On
    );

    let live = told(&put(&house.socket, "/v1/mic", r#"{"muted":false}"#).await).state.mic;
    assert_eq!((live.wanted_muted, live.state), (false, MicState::Live));
    assert_eq!(
        told(&put(&house.socket, "/v1/mic", r#"{"muted":true}"#).await).state.mic.state,
        MicState::Muted
    );
}

#[tokio::test]
async fn the_meeting_is_left_and_joined_and_key_frames_and_reloads_are_done() {
    let house = House::open();
    let post = async |path| told(&ask(&house.socket, "POST", path, "", "").await).state.meeting;

    assert_eq!(post("/v1/leave").await, MeetingState::Left);
    assert_eq!(post("/v1/join").await, MeetingState::Joined);
    assert_eq!(post("/v1/keyframe").await, MeetingState::Joined);
    assert_eq!(post("/v1/reload").await, MeetingState::Joined);
}

#[tokio::test]
async fn what_the_agent_refuses_says_why() {
    let house = House::open();
    house.feel(Mood::Refusing).await;

    let cases = [
        (put(&house.socket, "/v1/camera", r#"{"on":true}"#).await, 409, "not now; try later"),
        (put(&house.socket, "/v1/mic", r#"{"muted":true}"#).await, 409, "not now; try later"),
        (ask(&house.socket, "POST", "/v1/keyframe", "", "").await, 409, "not now; try later"),
        (ask(&house.socket, "POST", "/v1/leave", "", "").await, 409, "not now; try later"),
        (ask(&house.socket, "POST", "/v1/join", "", "").await, 409, "not now; try later"),
        (
            ask(&house.socket, "POST", "/v1/reload", "", "").await,
            422,
            "capture.fps = 0 is refused; the old configuration holds",
        ),
        (get(&house.socket, "/v1/snapshot.jpg").await, 500, "no snapshot: the lens is gone; put it back"),
    ];
    for (answer, code, why) in cases {
        assert_eq!((answer.status, answer.error().as_str()), (code, why));
    }
}

#[tokio::test]
async fn a_snapshot_is_taken_while_the_camera_is_on() {
    let house = House::open();

    let picture = get(&house.socket, "/v1/snapshot.jpg").await;
    assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/jpeg")));
    assert_eq!(picture.body, JPEG);

    put(&house.socket, "/v1/camera", r#"{"on":false}"#).await;
    let refused = get(&house.socket, "/v1/snapshot.jpg").await;
    assert_eq!(refused.status, 409);
    assert_eq!(refused.error(), "the camera is off: turn it on to take a snapshot");
}

#[tokio::test]
async fn wrong_bodies_are_refused_with_what_is_expected() {
    let house = House::open();
    let long = format!(r#"{{"on": true{}}}"#, " ".repeat(1 << 20));
    let cases = [
        (
            "/v1/camera",
            r#"{"on": "yes"}"#,
            400,
            r#"expected is {"on": true} or {"on": false}; this is not: "#,
        ),
        ("/v1/camera", r#"{"on": true, "loud": 1}"#, 400, "unknown field `loud`"),
        ("/v1/camera", r#"{"muted": true}"#, 400, "unknown field `muted`, expected `on`"),
        ("/v1/camera", "{", 400, r#"expected is {"on": true}"#),
        ("/v1/camera", "", 400, r#"expected is {"on": true}"#),
        ("/v1/mic", "[]", 400, r#"expected is {"muted": true} or {"muted": false}"#),
        ("/v1/camera", &long, 413, "longer than 4096 bytes"),
    ];
    for (path, body, code, why) in cases {
        let answer = put(&house.socket, path, body).await;
        assert_eq!(answer.status, code, "{body:.40}");
        assert!(answer.error().contains(why), "{}", answer.error());
    }
    for headers in ["", "Content-Type: text/plain\r\n"] {
        let answer = ask(&house.socket, "PUT", "/v1/camera", headers, r#"{"on":false}"#).await;
        assert_eq!(answer.status, 415);
        assert!(answer.error().contains("Content-Type: application/json"), "{}", answer.error());
    }
    assert_eq!(told(&get(&house.socket, "/v1/status").await), status(state()), "nothing of it was done");
}

#[tokio::test]
async fn what_does_not_exist_is_said_to_be_missing() {
    let house = House::open();
    for path in
        ["/", "/v1", "/v1/", "/v1/statuses", "/v1/camera/", "/v1/%00", "//v1/status", "/v1/../healthz"]
    {
        let answer = get(&house.socket, path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.error().contains("/v1/openapi.json"));
    }
    for (method, path, allow) in
        [("POST", "/v1/status", "GET,HEAD"), ("GET", "/v1/camera", "PUT"), ("DELETE", "/v1/join", "POST")]
    {
        let answer = ask(&house.socket, method, path, "", "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {path}");
        assert!(answer.error().contains("Allow"));
    }
}

#[tokio::test]
async fn an_agent_that_has_ended_is_said_to_be_ending() {
    let mut house = House::open();
    house.lose_agent().await;

    let answers = [
        get(&house.socket, "/v1/status").await,
        get(&house.socket, "/healthz").await,
        get(&house.socket, "/metrics").await,
        get(&house.socket, "/v1/events").await,
        get(&house.socket, "/v1/snapshot.jpg").await,
        put(&house.socket, "/v1/camera", r#"{"on":true}"#).await,
        ask(&house.socket, "POST", "/v1/reload", "", "").await,
    ];
    for answer in answers {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.error().starts_with("the agent is ending"), "{}", answer.error());
    }
}

#[tokio::test]
async fn health_is_an_agent_that_answers() {
    let house = House::open();
    let well = get(&house.socket, "/healthz").await;
    assert_eq!((well.status, &*well.body), (200, &b"ok\n"[..]));

    house.feel(Mood::Stuck).await;
    let (health, status) = tokio::join!(get(&house.socket, "/healthz"), get(&house.socket, "/v1/status"));
    for answer in [health, status] {
        assert_eq!(answer.status, 503);
        assert!(answer.error().contains("does not answer in time"), "{}", answer.error());
    }

    house.feel(Mood::Willing).await;
    assert_eq!(get(&house.socket, "/healthz").await.status, 200);
}

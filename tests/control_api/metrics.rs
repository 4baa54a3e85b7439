//! `/metrics`, read by the rules of Prometheus' text format and judged by its conventions for names.

use std::collections::{BTreeMap, BTreeSet};

use roomcam::control::{Participant, State};

use crate::http::get;
use crate::puppet::{House, state};

/// Kind of each family, and value of each series as it is written.
type Sheet = (BTreeMap<String, String>, BTreeMap<String, f64>);

fn parse(text: &str) -> Sheet {
    let (mut kinds, mut series) = (BTreeMap::new(), BTreeMap::new());
    let mut helped = BTreeSet::new();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(words.ends_with('.') && helped.insert(name.to_owned()), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(helped.contains(name), "help comes first: {line}");
            assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
        } else {
            let (what, value) = line.rsplit_once(' ').unwrap();
            let name = what.split('{').next().unwrap();
            assert!(kinds.contains_key(name), "type comes first: {line}");
            assert!(series.insert(what.to_owned(), value.parse().unwrap()).is_none(), "twice: {line}");
        }
    }
    (kinds, series)
}

#[tokio::test]
async fn the_state_can_be_scraped() {
    let house = House::open();

    let scrape = get(&house.socket, "/metrics").await;

    assert_eq!(
        (scrape.status, scrape.header("content-type")),
        (200, Some("text/plain; version=0.0.4; charset=utf-8"))
    );
    let (_, series) = parse(std::str::from_utf8(&scrape.body).unwrap());
    for (what, value) in [
        (r#"roomcam_build_info{gstreamer_version="1.22.0",version="0.1.0"}"#, 1.0),
        ("roomcam_uptime_seconds", 11_580.5),
        (r#"roomcam_meeting_state{state="joined"}"#, 1.0),
        (r#"roomcam_meeting_state{state="waiting-for-seat"}"#, 0.0),
        (r#"roomcam_camera_state{state="on"}"#, 1.0),
        (r#"roomcam_camera_state{state="fault"}"#, 0.0),
        ("roomcam_mic_wanted_live", 0.0),
        (r#"roomcam_mic_state{state="muted"}"#, 1.0),
        (r#"roomcam_lamp_lit{lamp="pin 17",shows="mic-muted"}"#, 1.0),
        (r#"roomcam_last_fault_timestamp_seconds{part="mic"}"#, 1_700_000_000.0),
        ("roomcam_sent_bytes_total", 12_345_678.0),
        ("roomcam_skipped_frames_total", 10.0),
        (r#"roomcam_encoder_target_bytes_per_second{track="video"}"#, 100_000.0),
        ("roomcam_queue_seconds", 0.2),
        ("roomcam_participants", 1.0),
    ] {
        assert_eq!(series.get(what), Some(&value), "{what} in {series:#?}");
    }
}

#[tokio::test]
async fn names_follow_the_conventions() {
    let house = House::open();
    let scrape = get(&house.socket, "/metrics").await;
    let (kinds, series) = parse(std::str::from_utf8(&scrape.body).unwrap());
    for (name, kind) in &kinds {
        assert!(name.starts_with("roomcam_"), "{name}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        for unit in ["milli", "_ms", "bits", "kilo", "minutes", "percent"] {
            assert!(!name.contains(unit), "{name} is in no base unit");
        }
    }
    for state in ["meeting", "camera", "mic"] {
        let family = format!("roomcam_{state}_state{{");
        let sum: f64 =
            series.iter().filter(|(what, _)| what.starts_with(&family)).map(|(_, value)| value).sum();
        assert_eq!(sum, 1.0, "exactly one of {family}");
    }
}

#[tokio::test]
async fn no_person_is_named_and_odd_labels_are_escaped() {
    let house = House::open();
    let mut odd = state();
    odd.lamps[0].place = "LED \"a\\b\"\n".into();
    odd.participants.push(Participant { user_id: "someone".into(), username: None, media: None });
    house.tell(State { faults: Vec::new(), ..odd });
    let text = loop {
        let text = String::from_utf8(get(&house.socket, "/metrics").await.body).unwrap();
        if text.contains("roomcam_participants 2") {
            break text;
        }
    };
    parse(&text);
    assert!(text.contains(r#"lamp="LED \"a\\b\"\n""#), "{text}");
    for private in ["Ann", "a1", "someone", "blue", "relay.example"] {
        assert!(!text.contains(private), "{private}");
    }
}

//! Events of hostile servers and pages of WebRTC meetings, in every dialect.
//!
//! The first byte chooses the dialect; the rest is the JSON array of an event. Seeds in `seeds/signalling/`.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use roomcam::meeting::mesh::{Departed, Dialect, Form, Heard, Names, Place, Said, Step};
use roomcam::socketio::Event;

static DIALECTS: LazyLock<Vec<Dialect>> = LazyLock::new(|| {
    let forms = [Form::Object, Form::Args, Form::Mesh].map(Dialect::Noom);
    Names::presets().filter_map(Names::preset).map(Dialect::Mesh).chain(forms).collect()
});
/// Beyond what a description, a candidate or a list may hold in memory.
const MOST_BYTES: usize = 64 << 10;

fuzz_target!(|input: &[u8]| {
    let Some((choice, json)) = input.split_first() else { return };
    let dialect = &DIALECTS[usize::from(*choice) % DIALECTS.len()];
    let Ok(event) = Event::from_json(&String::from_utf8_lossy(json)) else { return };
    match dialect.read(&event) {
        Heard::Signal(signal) => {
            match &signal.step {
                Step::Offer(sdp) | Step::Answer(sdp) => assert!((1..=MOST_BYTES).contains(&sdp.len())),
                Step::Candidate(candidate) => assert!(!candidate.candidate.is_empty()),
            }
            // What was understood can be said.
            let place = Place { room: "r".into(), username: "u".into(), user_id: None };
            let Ok(Some(_)) = dialect.write(&Said::Signal(signal), &place) else { panic!("it cannot be written") };
        }
        Heard::Joined(list) => assert!(list.len() <= 256),
        Heard::Left(departed) => assert_ne!(departed, Departed::default()),
        Heard::Chat { text, .. } | Heard::Error(text) => assert!(text.len() <= MOST_BYTES),
        _ => {}
    }
});

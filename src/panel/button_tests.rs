//! However a contact bounces: one press per press, and none for a bounce.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::button::*;
use crate::config::{ButtonAction, ButtonCommand};

const DEBOUNCE: Duration = Duration::from_millis(30);
const HOLD: Duration = Duration::from_millis(800);

fn pressable() -> Button {
    Button::new(Reading::Presses { hold: HOLD }, DEBOUNCE)
}

fn talk() -> Button {
    Button::new(Reading::Talk, DEBOUNCE)
}

fn drain(button: &mut Button) -> Vec<Press> {
    std::iter::from_fn(|| button.poll_press()).collect()
}

/// Runs through edges given in milliseconds, and on to `end`.
fn run(mut button: Button, edges: &[(Contact, u64)], end: u64) -> Vec<Press> {
    let start = Instant::now();
    for (contact, at) in edges {
        button.edge(*contact, start + Duration::from_millis(*at));
    }
    button.tick(start + Duration::from_millis(end));
    drain(&mut button)
}

use Contact::{Pressed, Released};

#[test]
fn a_short_press_is_told_once_the_release_is_certain() {
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    let mut button = pressable();

    button.edge(Pressed, at(0));
    assert_eq!(button.poll_timeout(), Some(at(30)));
    button.tick(at(30));
    assert_eq!(button.poll_timeout(), Some(at(800)));
    button.edge(Released, at(100));
    assert_eq!((button.poll_timeout(), button.poll_press()), (Some(at(130)), None));
    button.tick(at(130));
    assert_eq!((button.poll_timeout(), button.poll_press()), (None, Some(Press::Short)));
    assert_eq!(button.poll_press(), None);
}

#[test]
fn a_long_press_is_told_while_the_button_is_still_held_and_only_once() {
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    let mut button = pressable();

    button.edge(Pressed, at(0));
    button.tick(at(799));
    assert_eq!(button.poll_press(), None);
    button.tick(at(800));
    assert_eq!(drain(&mut button), [Press::Long]);
    button.edge(Released, at(5000));
    button.tick(at(6000));
    assert_eq!(drain(&mut button), []);
}

#[test]
fn how_long_a_press_was_is_decided_by_the_edges_not_by_when_they_are_read() {
    assert_eq!(run(pressable(), &[(Pressed, 0), (Released, 799)], 2000), [Press::Short]);
    assert_eq!(run(pressable(), &[(Pressed, 0), (Released, 801)], 2000), [Press::Long]);
    // Released for less than the debounce time at the very moment it becomes long: still held.
    let edges = [(Pressed, 0), (Released, 795), (Pressed, 805)];
    assert_eq!(run(pressable(), &edges, 2000), [Press::Long]);
}

#[test]
fn a_bounce_shorter_than_the_debounce_time_is_no_press() {
    assert_eq!(run(pressable(), &[(Pressed, 0), (Released, 29)], 2000), []);
    assert_eq!(run(talk(), &[(Pressed, 0), (Released, 29)], 2000), []);
    assert_eq!(run(pressable(), &[(Pressed, 0), (Released, 30)], 2000), [Press::Short]);
}

#[test]
fn a_contact_that_never_comes_to_rest_is_no_press() {
    let edges: Vec<_> = (0..100).map(|n| (if n % 2 == 0 { Pressed } else { Released }, n * 20)).collect();
    assert_eq!(run(pressable(), &edges, 2000), []);
}

#[test]
fn talking_starts_and_ends_with_the_button() {
    assert_eq!(run(talk(), &[(Pressed, 0), (Released, 5000)], 6000), [Press::TalkStart, Press::TalkEnd]);
    assert_eq!(run(talk(), &[(Pressed, 0)], 6000), [Press::TalkStart]);
}

#[test]
fn a_button_held_from_the_beginning_does_nothing_until_it_is_pressed_again() {
    assert_eq!(run(pressable(), &[(Released, 0)], 2000), []);
    assert_eq!(run(talk(), &[(Released, 0), (Pressed, 5), (Released, 9)], 2000), []);
}

#[test]
fn who_talks_on_a_button_that_is_lost_stops_talking() {
    let start = Instant::now();
    let mut button = talk();
    button.edge(Pressed, start);
    button.tick(start + DEBOUNCE);
    button.lose();
    assert_eq!(drain(&mut button), [Press::TalkStart, Press::TalkEnd]);

    let mut button = pressable();
    button.edge(Pressed, start);
    button.tick(start + DEBOUNCE);
    button.lose();
    assert_eq!((drain(&mut button), button.poll_timeout()), (vec![], None));
}

#[test]
fn each_word_is_a_command() {
    let action = ButtonAction::Press { short: ButtonCommand::ToggleMic, long: ButtonCommand::Leave };
    assert_eq!(Command::of(action, Press::Short), Some(Command::ToggleMic));
    assert_eq!(Command::of(action, Press::Long), Some(Command::Leave));
    let action = ButtonAction::Press { short: ButtonCommand::None, long: ButtonCommand::Mute };
    assert_eq!(Command::of(action, Press::Short), None);
    assert_eq!(Command::of(action, Press::Long), Some(Command::Mute));
    assert_eq!(Command::of(ButtonAction::PushToTalk, Press::TalkStart), Some(Command::Unmute));
    assert_eq!(Command::of(ButtonAction::PushToTalk, Press::TalkEnd), Some(Command::Mute));
}

/// One press by a finger: bounces while it goes down, how long it is held, bounces while it comes up, and a
/// rest. All in microseconds; the bounces of one end stay below the debounce time together.
fn finger() -> impl Strategy<Value = (Vec<u64>, u64, Vec<u64>, u64)> {
    let bounces = || {
        prop::collection::vec(1u64..2_000, 0..6).prop_map(|mut gaps| {
            gaps.truncate(gaps.len() / 2 * 2);
            gaps
        })
    };
    (bounces(), 31_000u64..3_000_000, bounces(), 31_000u64..1_000_000)
}

/// The edges of the presses, each with its time, and what a perfect contact would have told.
fn edges_of(
    fingers: &[(Vec<u64>, u64, Vec<u64>, u64)],
    start: Instant,
) -> (Vec<(Contact, Instant)>, Vec<Press>) {
    let (mut edges, mut wanted, mut now) = (Vec::new(), Vec::new(), start);
    for (down, held, up, rest) in fingers {
        let mut contact = Released;
        let mut flip = |edges: &mut Vec<_>, now| {
            contact = if contact == Pressed { Released } else { Pressed };
            edges.push((contact, now));
        };
        flip(&mut edges, now);
        for gap in down {
            now += Duration::from_micros(*gap);
            flip(&mut edges, now);
        }
        now += Duration::from_micros(*held);
        flip(&mut edges, now);
        for gap in up {
            now += Duration::from_micros(*gap);
            flip(&mut edges, now);
        }
        now += Duration::from_micros(*rest);
        wanted.push(if *held >= 800_000 { Press::Long } else { Press::Short });
    }
    (edges, wanted)
}

proptest! {
    /// However the contact bounces and however often somebody looks: one press per press.
    #[test]
    fn one_press_per_press(fingers in prop::collection::vec(finger(), 0..8), looks in prop::collection::vec(any::<bool>(), 128)) {
        // At the very edge of 800 ms the bounces of the release decide; that is no press gained or lost.
        prop_assume!(fingers.iter().all(|(_, held, ..)| !(770_000..800_000).contains(held)));
        let start = Instant::now();
        let (edges, wanted) = edges_of(&fingers, start);
        let mut button = pressable();
        let mut told = Vec::new();
        for ((contact, at), look) in edges.iter().zip(looks.into_iter().chain(std::iter::repeat(true))) {
            if look {
                button.tick(*at);
                told.extend(drain(&mut button));
            }
            button.edge(*contact, *at);
        }
        button.tick(start + Duration::from_secs(3600));
        told.extend(drain(&mut button));
        prop_assert_eq!(told, wanted);
    }

    /// The same, of a button for talking: starts and ends take turns.
    #[test]
    fn one_talk_per_press(fingers in prop::collection::vec(finger(), 0..8)) {
        let start = Instant::now();
        let (edges, wanted) = edges_of(&fingers, start);
        let mut button = talk();
        for (contact, at) in &edges {
            button.edge(*contact, *at);
        }
        button.tick(start + Duration::from_secs(3600));
        let talks: Vec<_> = wanted.iter().flat_map(|_| [Press::TalkStart, Press::TalkEnd]).collect();
        prop_assert_eq!(drain(&mut button), talks);
    }

    /// Whatever edges come, with lost ones and times that run backwards: a press needs a contact that was
    /// quiet for the debounce time, and one that was held is told once.
    #[test]
    fn no_press_without_a_quiet_contact(edges in prop::collection::vec((any::<bool>(), 0u64..2_000), 0..60)) {
        let start = Instant::now();
        let edge = |(pressed, at): &(bool, u64)| {
            (if *pressed { Pressed } else { Released }, start + Duration::from_millis(*at))
        };
        let mut button = pressable();
        let (mut told, mut quiet, mut last) = (Vec::new(), 0, None::<(Contact, Instant)>);
        let end = (Released, start + Duration::from_secs(3600));
        for (contact, at) in edges.iter().map(edge).chain([end]) {
            let at = last.map_or(at, |(_, last)| at.max(last));
            if last.is_some_and(|(contact, last)| contact == Pressed && at - last >= DEBOUNCE) {
                quiet += 1;
            }
            button.edge(contact, at);
            last = Some((contact, at));
            told.extend(drain(&mut button));
        }
        button.tick(start + Duration::from_secs(7200));
        told.extend(drain(&mut button));
        prop_assert!(told.len() <= quiet, "{told:?} of {quiet}");
        prop_assert!(!told.iter().any(|press| matches!(press, Press::TalkStart | Press::TalkEnd)));
    }

    /// Nothing is due in the past once it was ticked, so that a loop around it cannot spin.
    #[test]
    fn timeouts_lie_ahead(edges in prop::collection::vec((any::<bool>(), 0u64..100), 0..60)) {
        let (mut button, mut now) = (pressable(), Instant::now());
        for (pressed, pause) in edges {
            now += Duration::from_millis(pause);
            button.edge(if pressed { Pressed } else { Released }, now);
            prop_assert!(button.poll_timeout().is_none_or(|due| due > now));
            button.tick(now);
            prop_assert!(button.poll_timeout().is_none_or(|due| due > now));
        }
    }
}

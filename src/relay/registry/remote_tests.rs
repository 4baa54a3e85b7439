use proptest::prelude::*;

use super::*;
use crate::relay::dialect::JoinRoom;
use crate::relay::identity::{Identity, Proof};
use crate::relay::options::Role;
use crate::relay::registry::Seated;
use crate::relay::signalling::RoomDialect;

/// A relay of which each participant's handle is its name.
struct Relay {
    registry: Registry<&'static str>,
    node: NodeId,
}

impl Relay {
    fn new() -> Self {
        Self { registry: Registry::new(10, 20), node: NodeId::new() }
    }

    fn join(&mut self, user: &'static str, now: u64) -> Sid {
        let sid = Sid::new();
        let identity = Identity { user_id: user.into(), role: Role::Publisher, proof: Proof::Nothing };
        assert!(matches!(self.registry.connect(sid, identity, user, None), Seated::Free));
        let wish = JoinRoom {
            room_id: "r".into(),
            username: None,
            avatar_url: None,
            has_video: true,
            is_muted: false,
            watch: false,
        };
        self.registry.join(sid, RoomDialect::Relay, wish, now).unwrap();
        sid
    }

    /// What comes of what the other relay says.
    fn hear(&mut self, other: &Self) -> Vec<Change> {
        let present = other.registry.present("r").unwrap_or_default();
        self.registry.merge("r", other.node, present).map_or(Vec::new(), |changed| changed.changes)
    }

    /// Everybody in the room: who, with a camera, allowed to broadcast.
    fn room(&self) -> Vec<(String, bool, bool)> {
        let members = self.registry.rooms.get(&RoomKey::relay("r")).map_or(&[][..], |room| &room.members);
        let seen = |member: &Member| {
            let Participant { user_id, has_video, can_broadcast, .. } = &member.participant;
            (user_id.clone(), *has_video, *can_broadcast)
        };
        members.iter().map(seen).collect()
    }
}

#[test]
fn the_members_of_two_relays_are_one_room_in_the_order_of_joining() {
    let (mut here, mut there) = (Relay::new(), Relay::new());
    here.join("bob", 200);
    there.join("ann", 100);
    there.join("cid", 300);

    let changes = here.hear(&there);
    let joined = changes.iter().map(|change| match change {
        Change::Joined(participant) => participant.user_id.as_str(),
        other => panic!("{other:?}"),
    });
    assert_eq!(joined.collect::<Vec<_>>(), ["ann", "cid"]);
    there.hear(&here);
    let users = |relay: &Relay| relay.room().into_iter().map(|(user, ..)| user).collect::<Vec<_>>();
    assert_eq!((users(&here), users(&there)), (vec!["ann".into(), "bob".into(), "cid".into()], users(&here)));
    assert!(here.hear(&there).is_empty(), "what is said again is no news");

    let own: Vec<_> =
        here.registry.present("r").unwrap().members.into_iter().map(|m| m.participant.user_id).collect();
    assert_eq!(own, ["bob"], "each relay says who is there, and not what it has heard");
    assert_eq!(*here.registry.audience("r", None).iter().map(|(_, who)| *who).collect::<Vec<_>>(), ["bob"]);
}

#[test]
fn cameras_microphones_and_leaving_are_told() {
    let (mut here, mut there) = (Relay::new(), Relay::new());
    here.join("bob", 1);
    let ann = there.join("ann", 2);
    here.hear(&there);

    there.registry.set_camera(ann, crate::relay::dialect::CameraState { has_video: false });
    there.registry.set_mic(ann, crate::relay::dialect::MicState { is_muted: true });
    let (user_id, socket_id) = ("ann".to_owned(), ann.to_string());
    assert_eq!(
        here.hear(&there),
        [
            Change::Camera { user_id: user_id.clone(), has_video: false },
            Change::Mic { user_id: user_id.clone(), is_muted: true }
        ]
    );
    there.registry.leave(ann);
    assert_eq!(here.hear(&there), [Change::Left { user_id, socket_id }]);
}

#[test]
fn a_relay_that_is_gone_takes_its_participants_and_its_presenter_along() {
    let (mut here, mut there) = (Relay::new(), Relay::new());
    let bob = here.join("bob", 2);
    let ann = there.join("ann", 1);
    there.hear(&here);
    here.hear(&there);
    assert!(here.registry.set_presenter(bob, None).is_none(), "ann was first, so she is the host");
    there.registry.set_presenter(ann, Some("ann".into())).unwrap();
    here.hear(&there);
    assert!(!here.registry.seat(bob).unwrap().can_broadcast);

    let lost = here.registry.lose(there.node);
    assert_eq!(lost.len(), 1);
    assert!(matches!(&lost[0].changes[..], [Change::Left { .. }, Change::Presenter(_)]), "{lost:?}");
    assert!(here.registry.seat(bob).unwrap().can_broadcast);
    assert!(here.registry.lose(there.node).is_empty());
}

#[test]
fn a_room_is_here_for_as_long_as_somebody_is_in_it_here() {
    let (mut here, mut there) = (Relay::new(), Relay::new());
    there.join("ann", 1);
    assert!(here.hear(&there).is_empty());
    let bob = here.join("bob", 2);
    here.hear(&there);
    here.registry.disconnect(bob);
    assert!(here.registry.rooms.is_empty() && here.registry.present("r").is_none());
}

#[derive(Debug, Clone)]
enum Deed {
    Join,
    Leave(usize),
    Camera(usize, bool),
    Present(usize, Option<usize>),
    Hear,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        Just(Deed::Join),
        (0..8_usize).prop_map(Deed::Leave),
        (0..8_usize, any::<bool>()).prop_map(|(who, on)| Deed::Camera(who, on)),
        (0..8_usize, proptest::option::of(0..8_usize)).prop_map(|(host, who)| Deed::Present(host, who)),
        Just(Deed::Hear),
    ]
}

const NAMES: [&str; 20] =
    ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"];

proptest! {
    /// Whatever happens at either, and however much of it the other has missed: once each has heard the other again, both
    /// have the same room.
    #[test]
    fn relays_that_hear_each_other_agree(deeds in prop::collection::vec((0..2_usize, deed()), 1..20)) {
        let mut relays = [Relay::new(), Relay::new()];
        let mut sids: [Vec<Sid>; 2] = Default::default();
        for (at, relay) in relays.iter_mut().enumerate() {
            sids[at].push(relay.join(["first", "second"][at], at as u64));
        }
        for (number, (at, deed)) in deeds.into_iter().enumerate() {
            let here = |who: usize| sids[at][who % sids[at].len()];
            match deed {
                Deed::Join if sids[at].len() < 8 => {
                    let sid = relays[at].join(NAMES[number], 10 + number as u64);
                    sids[at].push(sid);
                }
                Deed::Join => {}
                // Somebody stays, for the room to be there.
                Deed::Leave(who) if who % sids[at].len() > 0 => {
                    let sid = here(who);
                    relays[at].registry.disconnect(sid);
                    sids[at].retain(|other| *other != sid);
                }
                Deed::Leave(_) => {}
                Deed::Camera(who, has_video) => {
                    relays[at].registry.set_camera(here(who), crate::relay::dialect::CameraState { has_video });
                }
                Deed::Present(host, who) => {
                    let presenter = who.map(|who| NAMES[who % NAMES.len()].to_owned());
                    relays[at].registry.set_presenter(here(host), presenter);
                }
                Deed::Hear => {
                    let [one, other] = &mut relays;
                    let (listener, speaker) = if at == 0 { (one, other) } else { (other, one) };
                    listener.hear(speaker);
                }
            }
        }
        let [one, other] = &mut relays;
        // Twice: the first time may change the presenter.
        for _ in 0..2 {
            one.hear(other);
            other.hear(one);
        }
        prop_assert_eq!(one.room(), other.room());
        prop_assert!(one.hear(other).is_empty() && other.hear(one).is_empty());
    }
}

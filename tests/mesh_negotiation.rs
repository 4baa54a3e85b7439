//! Who offers to whom in meetings over WebRTC: always one connection to each participant in the end, whatever pages do,
//! however long messages take, and whatever the network does meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "mesh_negotiation/connection.rs"]
mod connection;
#[path = "mesh_negotiation/pages.rs"]
mod pages;
#[path = "mesh_negotiation/world.rs"]
mod world;

use proptest::prelude::*;
use world::{Kind, World};

const PAGES: [Kind; 3] = [
    Kind::NewcomerOffers { restarts: false },
    Kind::ExistingOffers { restarts: false },
    Kind::BothOffer { restarts: false },
];
/// After the last fault, all is well after this time (ms).
const CALM: u64 = 180_000;
/// Participants at most: the meeting of the agents' goals has 9.
const MOST: usize = 5;

#[derive(Debug, Clone)]
enum Step {
    Join(Kind),
    /// Somebody leaves, or is cut off.
    Go {
        whose: usize,
        cut_off: bool,
    },
    /// Somebody leaves or is cut off, and somebody of the same kind comes.
    Replace {
        whose: usize,
        cut_off: bool,
    },
    /// A page makes its connection to somebody anew.
    Remake {
        page: usize,
        with: usize,
    },
    NetworkFails {
        millis: u64,
    },
    MessagesTake {
        millis: u64,
    },
    Pass {
        millis: u64,
    },
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        2 => Just(Kind::Agent),
        1 => any::<bool>().prop_map(|restarts| Kind::NewcomerOffers { restarts }),
        1 => any::<bool>().prop_map(|restarts| Kind::ExistingOffers { restarts }),
        2 => any::<bool>().prop_map(|restarts| Kind::BothOffer { restarts }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0usize..MOST;
    prop_oneof![
        4 => kind().prop_map(Step::Join),
        1 => (who(), any::<bool>()).prop_map(|(whose, cut_off)| Step::Go { whose, cut_off }),
        2 => (who(), any::<bool>()).prop_map(|(whose, cut_off)| Step::Replace { whose, cut_off }),
        1 => (who(), who()).prop_map(|(page, with)| Step::Remake { page, with }),
        2 => (100u64..40_000).prop_map(|millis| Step::NetworkFails { millis }),
        1 => (0u64..2_000).prop_map(|millis| Step::MessagesTake { millis }),
        6 => (0u64..10_000).prop_map(|millis| Step::Pass { millis }),
    ]
}

fn take(world: &mut World, step: Step, most: usize) {
    let numbers: Vec<u32> = world.actors.keys().copied().collect();
    let chosen = |index: usize| numbers.get(index % numbers.len().max(1)).copied();
    match step {
        Step::Join(kind) if numbers.len() < most => {
            world.join(kind);
        }
        Step::Join(_) => {}
        Step::Go { whose, cut_off } => {
            if let Some(number) = chosen(whose) {
                world.go(number, cut_off);
            }
        }
        Step::Replace { whose, cut_off } => {
            if let Some(number) = chosen(whose) {
                let kind = world.actors[&number].kind;
                world.go(number, cut_off);
                world.join(kind);
            }
        }
        Step::Remake { page, with } => {
            if let (Some(page), Some(with)) = (chosen(page), chosen(with))
                && world.actors[&page].kind != Kind::Agent
                && page != with
                && most > 2
            {
                world.remake(page, with);
            }
        }
        Step::NetworkFails { millis } => world.network_until_down = Some(world.now + millis),
        Step::MessagesTake { millis } => world.delay = millis,
        Step::Pass { millis } => world.pass(millis),
    }
}

fn all_is_well_in_the_end(world: &mut World) {
    world.delay = 100;
    world.pass(CALM);
    world.assert_all_connected();
    let moves = world.moves();
    world.pass(CALM);
    world.assert_all_connected();
    // Those who were cut off are tried in vain until the server notices it, which it has by now.
    assert_eq!(world.moves(), moves, "connections come and go though nothing happens");
}

proptest! {
    #[test]
    fn everybody_is_connected_to_the_agents_once_faults_stop(
        seed: u64,
        steps in prop::collection::vec(step(), 1..25),
    ) {
        let mut world = World::new(false, seed);
        world.join(Kind::Agent);
        for step in steps {
            take(&mut world, step, MOST);
        }
        all_is_well_in_the_end(&mut world);
    }

    #[test]
    fn two_in_a_one_to_one_room_are_connected_once_faults_stop(
        seed: u64,
        other in prop_oneof![Just(Kind::Agent), Just(Kind::BothOffer { restarts: false })],
        agent_first: bool,
        steps in prop::collection::vec(step(), 1..25),
    ) {
        let mut world = World::new(true, seed);
        for kind in if agent_first { [Kind::Agent, other] } else { [other, Kind::Agent] } {
            world.join(kind);
            world.pass(1_000);
        }
        // Whoever goes is followed by somebody: there are two in the end.
        for step in steps {
            let step = match step {
                Step::Go { whose, cut_off } => Step::Replace { whose, cut_off },
                step => step,
            };
            take(&mut world, step, 2);
        }
        all_is_well_in_the_end(&mut world);
    }
}

#[test]
fn each_kind_of_page_is_connected_within_two_seconds_whoever_is_first() {
    for page in PAGES {
        for agent_first in [true, false] {
            let mut world = World::new(false, 7);
            for kind in if agent_first { [Kind::Agent, page] } else { [page, Kind::Agent] } {
                world.join(kind);
                world.pass(2_500);
            }
            world.assert_all_connected();
            assert_eq!(world.moves(), 1, "{page:?}, agent first: {agent_first}");
        }
    }
}

//! Who offers to whom in meetings over WebRTC: always one connection to each participant in the end, whatever pages do,
//! however long messages take, wherever they are, and whatever the network does meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "mesh_negotiation/agents.rs"]
mod agents;
#[path = "mesh_negotiation/connection.rs"]
mod connection;
#[path = "mesh_negotiation/links.rs"]
mod links;
#[path = "mesh_negotiation/pages.rs"]
mod pages;
#[path = "mesh_negotiation/paths.rs"]
mod paths;
#[path = "mesh_negotiation/world.rs"]
mod world;

use paths::Place;
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
    Join(Kind, Place),
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
    TurnServerFails {
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

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        2 => Just(Place::Open),
        1 => Just(Place::Cone),
        1 => Just(Place::Symmetric),
        1 => Just(Place::Firewalled),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0usize..MOST;
    prop_oneof![
        4 => (kind(), place()).prop_map(|(kind, place)| Step::Join(kind, place)),
        1 => (who(), any::<bool>()).prop_map(|(whose, cut_off)| Step::Go { whose, cut_off }),
        2 => (who(), any::<bool>()).prop_map(|(whose, cut_off)| Step::Replace { whose, cut_off }),
        1 => (who(), who()).prop_map(|(page, with)| Step::Remake { page, with }),
        2 => (100u64..40_000).prop_map(|millis| Step::NetworkFails { millis }),
        1 => (0u64..40_000).prop_map(|millis| Step::TurnServerFails { millis }),
        1 => (0u64..2_000).prop_map(|millis| Step::MessagesTake { millis }),
        6 => (0u64..10_000).prop_map(|millis| Step::Pass { millis }),
    ]
}

fn take(world: &mut World, step: Step, most: usize) {
    let numbers: Vec<u32> = world.actors.keys().copied().collect();
    let chosen = |index: usize| numbers.get(index % numbers.len().max(1)).copied();
    match step {
        Step::Join(kind, place) if numbers.len() < most => {
            world.join(kind, place);
        }
        Step::Join(..) => {}
        Step::Go { whose, cut_off } => {
            if let Some(number) = chosen(whose) {
                world.go(number, cut_off);
            }
        }
        Step::Replace { whose, cut_off } => {
            if let Some(number) = chosen(whose) {
                let (kind, place) = (world.actors[&number].kind, world.actors[&number].place);
                world.go(number, cut_off);
                world.join(kind, place);
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
        Step::TurnServerFails { millis } => world.turn_fails(millis),
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
        agents_place in place(),
        steps in prop::collection::vec(step(), 1..25),
    ) {
        let mut world = World::new(false, seed);
        world.join(Kind::Agent, agents_place);
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
        places in [place(), place()],
        steps in prop::collection::vec(step(), 1..25),
    ) {
        let mut world = World::new(true, seed);
        let kinds = if agent_first { [Kind::Agent, other] } else { [other, Kind::Agent] };
        for (kind, place) in kinds.into_iter().zip(places) {
            world.join(kind, place);
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

/// The two ends of a meeting of an agent and a page, who comes first first.
fn agent_and_page(agent: Place, page: (Kind, Place), agent_first: bool) -> [(Kind, Place); 2] {
    let agent = (Kind::Agent, agent);
    if agent_first { [agent, page] } else { [page, agent] }
}

#[test]
fn each_kind_of_page_is_connected_within_two_seconds_whoever_is_first() {
    for page in PAGES {
        for agent_first in [true, false] {
            let mut world = World::new(false, 7);
            for (kind, place) in agent_and_page(Place::Open, (page, Place::Open), agent_first) {
                world.join(kind, place);
                world.pass(2_500);
            }
            world.assert_all_connected();
            assert_eq!(world.moves(), 1, "{page:?}, agent first: {agent_first}");
        }
    }
}

/// Where an agent and a page can be so that there is no path but through the agent's address at a TURN server.
const ONLY_RELAYED: [(Place, Place); 5] = [
    (Place::Firewalled, Place::Open),
    (Place::Firewalled, Place::Symmetric),
    (Place::Firewalled, Place::Firewalled),
    (Place::Symmetric, Place::Cone),
    (Place::Symmetric, Place::Symmetric),
];

#[test]
fn a_relayed_candidate_that_is_found_late_connects_what_nothing_else_does() {
    for page in PAGES {
        for agent_first in [true, false] {
            for (agent_at, page_at) in ONLY_RELAYED {
                let mut world = World::new(false, 7);
                // When both descriptions are there, and nothing has been given up.
                world.relay_takes = if agent_first { 5_500 } else { 3_000 };
                for (kind, place) in agent_and_page(agent_at, (page, page_at), agent_first) {
                    world.join(kind, place);
                    world.pass(2_500);
                }
                assert!(
                    world.unconnected().is_some(),
                    "{page:?} at {agent_at:?} and {page_at:?}: without TURN"
                );
                world.pass(1_500);
                world.assert_all_connected();
                assert_eq!(world.moves(), 1, "{page:?} at {agent_at:?} and {page_at:?}: begun anew");
            }
        }
    }
}

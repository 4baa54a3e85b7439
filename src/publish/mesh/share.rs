//! What one encoder makes for participants whose links carry different amounts. Pure.
//!
//! Links that carry nearly as much as the best one lower what the encoder makes; whoever's link carries less is sent some of
//! its pictures ([`super::thinning`]), instead of pulling everybody down. For that the encoder makes temporal layers, as long
//! as somebody needs them, because they cost quality. Until it does, and where it cannot, the slowest link decides.

use std::time::{Duration, Instant};

use super::thinning::{PictureRates, Pictures};
use crate::publish::quality::{Picture, Quality, RateLimits, Reason, SizeStep};

/// The part of an estimate that is used: the rest is for what is sent again.
const USED: f64 = 0.9;
/// Links that carry this part of what the best one does are followed: the others lose a decibel at most, and these would
/// lose half of their pictures.
const FOLLOWED: f64 = 0.75;
/// The encoder is asked for another bitrate only if it differs by more than this part: estimates move all the time.
const STEP: f64 = 0.08;
/// Parts of the highest bitrate below which the picture is halved, and above which it is whole again.
const HALVED_BELOW: f64 = 0.2;
const WHOLE_ABOVE: f64 = 0.35;

/// Parts of the bitrate that the base layer has at least and at most. Measured with a moving picture at 800 kbit/s, all of it
/// then loses 2.3 and 0.1 dB; 0.5 with a quarter.
const BASE_LEAST: f64 = 0.125;
const BASE_MOST: f64 = 0.33;
/// The part of the slowest link's room that the base layer is given: less than there must be to spare for more pictures.
const BASE_USED: f64 = 0.75;
/// How long there are layers after somebody needed them.
const LAYERS_STAY: Duration = Duration::from_secs(30);

/// What is known of one participant's link.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Link {
    /// The bits per second that it has for pictures; infinite while that is not known.
    pub(super) room: f64,
    /// What its participant gets.
    pub(super) pictures: Pictures,
}

/// The bits per second for pictures on a link of which an `estimate` is known.
pub(super) fn room(limits: &RateLimits, estimate: Option<u64>) -> f64 {
    estimate.map_or(f64::INFINITY, |estimate| estimate as f64 * USED - f64::from(limits.other_bitrate))
}

/// What a link must carry for the best quality, in bits per second.
pub(super) fn needed_for_best(limits: &RateLimits) -> u32 {
    (f64::from(limits.max_bitrate + limits.other_bitrate) / USED).ceil() as u32
}

/// The room below which a link is not followed, because another carries so much more.
pub(super) fn followed_from(limits: &RateLimits, rooms: impl Iterator<Item = f64>) -> f64 {
    rooms.fold(0.0, f64::max).min(f64::from(limits.max_bitrate)) * FOLLOWED
}

/// What pictures take on a link with `room`, where those from `followed` on are followed. `made`: what the encoder makes, where
/// it makes temporal layers. Without them all pictures can be as little as the lowest bitrate, but not for a link that
/// carries too little even for a base layer, and would pull the others down so far.
pub(super) fn rates(
    limits: &RateLimits,
    room: f64,
    followed: f64,
    made: Option<PictureRates>,
) -> PictureRates {
    let lowest = f64::from(limits.min_bitrate);
    match made {
        _ if room >= followed => PictureRates { base: lowest, droppable: 0.0 },
        Some(made) => made,
        None => PictureRates { base: lowest.max(useful_from(followed)), droppable: 0.0 },
    }
}

/// The room from which a link has one for a base layer, where those from `followed` on are followed.
fn useful_from(followed: f64) -> f64 {
    followed / FOLLOWED * BASE_LEAST / BASE_USED
}

/// The quality for all links, and why it is no better. `before` is the quality until now; `layered`: whether there are
/// pictures that can be left out.
pub(super) fn quality(
    limits: &RateLimits,
    links: &[Link],
    before: Quality,
    layered: bool,
) -> (Quality, Reason) {
    let RateLimits { min_bitrate, max_bitrate, .. } = *limits;
    if !links.is_empty() && links.iter().all(|link| link.pictures == Pictures::None) {
        let bitrate = min_bitrate.min(max_bitrate);
        let frame_rate = limits.frame_rate_for(bitrate, before.size);
        return (Quality { bitrate, frame_rate, picture: Picture::Moving, ..before }, Reason::Minimum);
    }
    let from = followed_from(limits, links.iter().map(|link| link.room));
    let lowest = links
        .iter()
        .filter(|link| if layered { link.room >= from } else { link.pictures != Pictures::None })
        .map(|link| link.room)
        .fold(f64::from(max_bitrate), f64::min)
        .max(f64::from(min_bitrate.min(max_bitrate)));
    let bitrate = if lowest >= f64::from(max_bitrate) {
        max_bitrate
    } else {
        stepped(lowest, before.bitrate).min(max_bitrate)
    };
    let share = f64::from(bitrate) / f64::from(max_bitrate);
    let size = match before.size {
        SizeStep::Full if share < HALVED_BELOW => SizeStep::Half,
        SizeStep::Half if share > WHOLE_ABOVE => SizeStep::Full,
        size => size,
    };
    let reason = if bitrate >= max_bitrate { Reason::Full } else { Reason::Link };
    let frame_rate = limits.frame_rate_for(bitrate, size);
    (Quality { bitrate, frame_rate, size, picture: Picture::Moving }, reason)
}

/// `wanted`, unless that is hardly another bitrate.
fn stepped(wanted: f64, before: u32) -> u32 {
    let until_now = f64::from(before);
    if (wanted - until_now).abs() > until_now * STEP { wanted as u32 } else { before }
}

/// Whether the encoder makes temporal layers.
#[derive(Debug, Default)]
pub(super) struct Layers {
    /// The bits per second of the base layer, if there is one.
    base_bitrate: Option<u32>,
    /// When somebody last needed them.
    needed: Option<Instant>,
}

impl Layers {
    pub(super) fn base_bitrate(&self) -> Option<u32> {
        self.base_bitrate
    }

    /// Follows the links. They are of use to those which are too slow to be followed, and carry a base layer of what the
    /// best link carries.
    pub(super) fn follow(&mut self, limits: &RateLimits, rooms: &[f64], now: Instant) {
        let from = followed_from(limits, rooms.iter().copied());
        let best = from / FOLLOWED;
        let slow = rooms.iter().filter(|room| (useful_from(from)..from).contains(*room));
        if let Some(slowest) = slow.copied().reduce(f64::min) {
            let base = (slowest * BASE_USED).clamp(best * BASE_LEAST, best * BASE_MOST);
            self.base_bitrate = Some(self.base_bitrate.map_or(base as u32, |before| stepped(base, before)));
            self.needed = Some(now);
        } else if self.needed.is_some_and(|needed| now >= needed + LAYERS_STAY) {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: RateLimits =
        RateLimits { min_bitrate: 150_000, max_bitrate: 800_000, frame_rate: 30, other_bitrate: 50_000 };
    const TICK: Duration = Duration::from_millis(100);

    fn link(estimate: u64) -> Link {
        Link { room: room(&LIMITS, Some(estimate)), pictures: Pictures::All }
    }

    fn voice(estimate: u64) -> Link {
        Link { pictures: Pictures::None, ..link(estimate) }
    }

    fn for_all(links: &[Link], layered: bool) -> (u32, u8, Reason) {
        let (quality, reason) = quality(&LIMITS, links, LIMITS.best_quality(), layered);
        (quality.bitrate, quality.frame_rate, reason)
    }

    #[test]
    fn a_link_of_which_only_the_first_guess_is_known_limits_nothing() {
        let guess = link(u64::from(needed_for_best(&LIMITS)));
        assert_eq!(for_all(&[guess], false), (800_000, 30, Reason::Full));
        let unknown = Link { room: room(&LIMITS, None), pictures: Pictures::All };
        assert_eq!(for_all(&[unknown], false), (800_000, 30, Reason::Full));
    }

    #[test]
    fn without_layers_the_slowest_link_that_carries_a_picture_decides() {
        assert_eq!(for_all(&[], false), (800_000, 30, Reason::Full));
        assert_eq!(for_all(&[link(2_000_000), link(1_000_000)], false), (800_000, 30, Reason::Full));
        assert_eq!(for_all(&[link(2_000_000), link(500_000)], false), (400_000, 30, Reason::Link));
        assert_eq!(for_all(&[link(2_000_000), link(300_000)], false), (220_000, 15, Reason::Link));
        assert_eq!(for_all(&[voice(200_000), link(2_000_000)], false), (800_000, 30, Reason::Full));
    }

    #[test]
    fn beside_a_link_of_half_or_a_quarter_the_others_keep_nine_tenths() {
        for narrow in [416_000, 208_000] {
            let links = [link(2_000_000), link(2_000_000), link(narrow)];
            let (bitrate, frame_rate, _) = for_all(&links, true);
            assert!(bitrate >= 720_000 && frame_rate == 30, "{bitrate} bit/s beside a link of {narrow}");
        }
    }

    #[test]
    fn links_that_carry_nearly_as_much_as_the_best_one_are_followed() {
        assert_eq!(for_all(&[link(2_000_000), link(800_000)], true), (670_000, 30, Reason::Link));
        assert_eq!(for_all(&[link(2_000_000), link(700_000)], true), (800_000, 30, Reason::Full));
        assert_eq!(for_all(&[link(500_000), link(300_000)], true), (400_000, 30, Reason::Link));
    }

    #[test]
    fn where_nobody_gets_the_picture_it_is_as_small_as_it_may_be_and_that_is_told() {
        assert_eq!(for_all(&[voice(200_000), voice(100_000)], false), (150_000, 15, Reason::Minimum));
    }

    #[test]
    fn a_picture_that_would_be_mostly_still_is_halved() {
        let limits = RateLimits { min_bitrate: 50_000, ..LIMITS };
        let at = |estimate, before| quality(&limits, &[link(estimate)], before, false).0;
        let halved = at(220_000, limits.best_quality());
        assert_eq!((halved.bitrate, halved.frame_rate, halved.size), (148_000, 30, SizeStep::Half));
        assert_eq!(at(300_000, halved).size, SizeStep::Half);
        assert_eq!(at(500_000, halved).size, SizeStep::Full);
    }

    #[test]
    fn small_changes_of_an_estimate_change_nothing() {
        let at = |estimate, bitrate| {
            let before = Quality { bitrate, ..LIMITS.best_quality() };
            quality(&LIMITS, &[link(estimate)], before, false).0.bitrate
        };
        assert_eq!(at(500_000, 410_000), 410_000);
        assert_eq!(at(500_000, 600_000), 400_000);
        assert_eq!(at(950_000, 790_000), 800_000, "the last step to the full bitrate is always made");
    }

    /// The base layers for these rooms beside a good link, ten a second.
    fn base_layers(rooms: &[f64]) -> Vec<Option<u32>> {
        let (mut layers, start) = (Layers::default(), Instant::now());
        let follow = |(tick, room): (u32, &f64)| {
            layers.follow(&LIMITS, &[*room, f64::INFINITY], start + TICK * tick);
            layers.base_bitrate()
        };
        (0..).zip(rooms).map(follow).collect()
    }

    #[test]
    fn there_are_layers_while_somebody_needs_them_and_half_a_minute_longer() {
        let layers = base_layers(&[vec![800_000.0; 5], vec![300_000.0; 5], vec![800_000.0; 300]].concat());
        assert_eq!(layers.iter().position(Option::is_some), Some(5));
        assert_eq!(layers.iter().rposition(Option::is_some), Some(308));
    }

    #[test]
    fn the_base_layer_fits_the_slowest_link_that_can_have_one() {
        for (room, base) in [
            (600_000.0, None),
            (500_000.0, Some(264_000)),
            (200_000.0, Some(150_000)),
            (134_000.0, Some(100_500)),
            (133_000.0, None),
        ] {
            assert_eq!(base_layers(&[room]), [base], "{room}");
        }
        assert_eq!(base_layers(&[200_000.0, 205_000.0]), [Some(150_000); 2], "nearly the same");
    }

    #[test]
    fn without_layers_a_link_far_below_the_best_one_gets_the_voice() {
        let limits = RateLimits { min_bitrate: 60_000, ..LIMITS };
        let followed = followed_from(&limits, [2_000_000.0].into_iter());
        let base = |room, made| rates(&limits, room, followed, made).base;
        assert_eq!(base(600_000.0, None), 60_000.0);
        assert!(base(134_000.0, None) <= 134_000.0);
        assert!(base(133_000.0, None) > 133_000.0);
        let made = PictureRates { base: 200_000.0, droppable: 600_000.0 };
        assert_eq!(rates(&limits, 300_000.0, followed, Some(made)), made);
        assert_eq!(base(600_000.0, Some(made)), 60_000.0);
    }

    #[test]
    fn a_viewer_alone_needs_no_layers() {
        let mut layers = Layers::default();
        layers.follow(&LIMITS, &[200_000.0], Instant::now());
        assert_eq!(layers.base_bitrate(), None);
    }

    proptest! {
        #[test]
        fn nobody_loses_more_than_a_quarter_because_of_others(
            rooms in prop::collection::vec(0.0..2e6_f64, 1..8),
            before in 150_000..800_000_u32,
        ) {
            let links: Vec<Link> = rooms.iter().map(|room| Link { room: *room, pictures: Pictures::All }).collect();
            let before = Quality { bitrate: before, ..LIMITS.best_quality() };
            let bitrate = f64::from(quality(&LIMITS, &links, before, true).0.bitrate);
            for room in rooms {
                let alone = room.clamp(150_000.0, 800_000.0);
                prop_assert!(bitrate >= alone * FOLLOWED * (1.0 - STEP), "{bitrate} of {alone}");
                let too_much = bitrate > alone * (1.0 + STEP) / (1.0 - STEP);
                prop_assert!(!too_much || room < followed_from(&LIMITS, links.iter().map(|link| link.room)));
            }
        }

        #[test]
        fn layers_come_and_go_once_in_half_a_minute_at_most(
            rooms in prop::collection::vec(0.0..1e6_f64, 2..600),
        ) {
            let layers = base_layers(&rooms);
            let changed: Vec<usize> =
                (1..layers.len()).filter(|at| layers[*at].is_some() != layers[*at - 1].is_some()).collect();
            for pair in changed.windows(2) {
                prop_assert!(layers[pair[1]].is_some() || pair[1] - pair[0] >= 300);
            }
            for base in layers.into_iter().flatten() {
                prop_assert!((92_000..=288_000).contains(&base), "{base}");
            }
        }
    }
}

//! What one encoder makes for participants whose links carry different amounts. Pure.
//!
//! The slowest link decides, down to the lowest bitrate that is configured. Whoever's link carries less than that gets the
//! voice alone, instead of pulling everybody down. Where the encoder makes temporal layers, so does no link that carries much
//! less than the best one: whoever has it gets the base layer alone. Layers cost quality, so they are made while somebody
//! needs them.

use crate::publish::quality::{Picture, Quality, RateLimits, Reason, SizeStep};

/// The part of an estimate that is used: the rest is for what is sent again.
const USED: f64 = 0.9;
/// Whoever gets fewer pictures gets more of them when there is this much more room than needed.
const BACK: f64 = 1.3;
/// The encoder is asked for another bitrate only if it differs by more than this part: estimates move all the time.
const STEP: f64 = 0.08;
/// Parts of the highest bitrate below which the picture is halved, and above which it is whole again.
const HALVED_BELOW: f64 = 0.2;
const WHOLE_ABOVE: f64 = 0.35;
/// Links that carry this part of what the best one does are followed: the others lose a decibel at most, and these would
/// lose three of four pictures.
const FOLLOWED: f64 = 0.75;
/// Parts of what the best link carries that the base layer has at least and at most. Measured with a moving picture at
/// 800 kbit/s, all of it then loses 2.3 and 0.1 dB; 0.5 with a quarter.
const BASE_LEAST: f64 = 0.125;
const BASE_MOST: f64 = 0.33;
/// The part of a link's room that its base layer is given, if that is not too little; the rest is for key frames.
const BASE_USED: f64 = 0.75;
/// The part of the least base layer for which there must be room. Where less is sent than a link carries the estimate varies
/// between 0.6 and 1.4 of that; with the voice alone it falls further, and does not rise again.
const BASE_KEPT: f64 = 0.4;

/// Which pictures a participant gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pictures {
    /// None: the voice alone.
    None,
    /// The base layer: all but those that are [droppable](crate::media::Frame::droppable).
    Base,
    /// All.
    All,
}

/// What is known of one participant's link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    /// What it carries, in bits per second; `None` while that is not known.
    pub(super) estimate: Option<u64>,
    /// What its participant gets.
    pub(super) pictures: Pictures,
    /// Whether the least base layer costs its voice, whatever the estimate says.
    pub(super) too_slow: bool,
}

impl Link {
    /// The bits per second that are left for the picture, infinitely many while nothing is known.
    fn room(self, limits: &RateLimits) -> f64 {
        let used = self.estimate.map_or(f64::INFINITY, |estimate| estimate as f64 * USED);
        used - f64::from(limits.other_bitrate)
    }

    /// What its participant is to get where the best link has room for `best`. `layered`: whether the encoder makes a base
    /// layer.
    pub(super) fn pictures(self, limits: &RateLimits, best: f64, layered: bool) -> Pictures {
        if self.too_slow {
            return Pictures::None;
        }
        let back = |fewer| if self.pictures == fewer { BACK } else { 1.0 };
        let room = self.room(limits);
        let (pictures, needed) = match layered && room < best * FOLLOWED * back(Pictures::Base) {
            true => (Pictures::Base, best * BASE_LEAST * BASE_KEPT),
            false => (Pictures::All, f64::from(limits.min_bitrate)),
        };
        if room < needed * back(Pictures::None) { Pictures::None } else { pictures }
    }

    /// Whether its participant gets a base layer that would be smaller if it could.
    pub(super) fn is_least(self, limits: &RateLimits, best: f64) -> bool {
        self.pictures == Pictures::Base && self.room(limits) * BASE_USED < best * BASE_LEAST
    }
}

/// What the best link has room for, in bits per second, as far as it is of use.
pub(super) fn best(limits: &RateLimits, links: impl Iterator<Item = Link>) -> f64 {
    links.map(|link| link.room(limits)).fold(0.0, f64::max).min(f64::from(limits.max_bitrate))
}

/// What of the encoder's bitrate the base layer is to have, if somebody needs one. `before` is what it had until now.
pub(super) fn base_bitrate(
    limits: &RateLimits,
    links: impl Iterator<Item = Link> + Clone,
    before: Option<u32>,
) -> Option<u32> {
    let best = best(limits, links.clone());
    let slow = links.filter(|link| link.pictures(limits, best, true) == Pictures::Base);
    let slowest = slow.map(|link| link.room(limits)).reduce(f64::min)?;
    let wanted = (slowest * BASE_USED).clamp(best * BASE_LEAST, best * BASE_MOST);
    Some(before.map_or(wanted as u32, |before| stepped(wanted, before)))
}

/// What a link must carry for the best quality, in bits per second.
pub(super) fn needed_for_best(limits: &RateLimits) -> u32 {
    (f64::from(limits.max_bitrate + limits.other_bitrate) / USED).ceil() as u32
}

/// What a link must carry for whoever gets the voice alone to get a picture, in bits per second.
pub(super) fn needed_for_any(limits: &RateLimits) -> u32 {
    let least = f64::from(limits.max_bitrate) * BASE_LEAST * BASE_KEPT;
    let picture = f64::from(limits.min_bitrate).max(least) * BACK;
    let needed = (picture + f64::from(limits.other_bitrate)) / USED;
    needed.ceil().min(f64::from(needed_for_best(limits))) as u32
}

/// The quality for all links, and why it is no better. `before` is the quality until now.
pub(super) fn quality(
    limits: &RateLimits,
    links: impl Iterator<Item = Link>,
    before: Quality,
) -> (Quality, Reason) {
    let RateLimits { min_bitrate, max_bitrate, .. } = *limits;
    let mut links = links.peekable();
    let anybody = links.peek().is_some();
    let mut pictured = links.filter(|link| link.pictures == Pictures::All).peekable();
    if anybody && pictured.peek().is_none() {
        let bitrate = min_bitrate.min(max_bitrate);
        let frame_rate = limits.frame_rate_for(bitrate, before.size);
        return (Quality { bitrate, frame_rate, picture: Picture::Moving, ..before }, Reason::Minimum);
    }
    let lowest = pictured
        .map(|link| link.room(limits))
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

/// `wanted`, unless that is hardly another bitrate than `before`.
fn stepped(wanted: f64, before: u32) -> u32 {
    let until_now = f64::from(before);
    if (wanted - until_now).abs() > until_now * STEP { wanted as u32 } else { before }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RateLimits =
        RateLimits { min_bitrate: 150_000, max_bitrate: 800_000, frame_rate: 30, other_bitrate: 50_000 };

    fn link(estimate: u64) -> Link {
        let link = moving_link(estimate);
        Link { pictures: link.pictures(&LIMITS, 800_000.0, false), ..link }
    }

    fn moving_link(estimate: u64) -> Link {
        Link { estimate: Some(estimate), pictures: Pictures::All, too_slow: false }
    }

    fn for_all(estimates: &[u64]) -> (u32, u8, Reason) {
        let links = estimates.iter().map(|estimate| link(*estimate));
        let (quality, reason) = quality(&LIMITS, links, LIMITS.best_quality());
        (quality.bitrate, quality.frame_rate, reason)
    }

    #[test]
    fn a_link_of_which_only_the_first_guess_is_known_limits_nothing() {
        assert_eq!(for_all(&[u64::from(needed_for_best(&LIMITS))]), (800_000, 30, Reason::Full));
    }

    #[test]
    fn the_slowest_link_that_carries_a_picture_decides() {
        assert_eq!(for_all(&[]), (800_000, 30, Reason::Full));
        assert_eq!(for_all(&[2_000_000, 1_000_000]), (800_000, 30, Reason::Full));
        assert_eq!(for_all(&[2_000_000, 500_000]), (400_000, 30, Reason::Link));
        assert_eq!(for_all(&[2_000_000, 300_000]), (220_000, 15, Reason::Link));
    }

    #[test]
    fn a_link_below_the_floor_gets_the_voice_and_pulls_nobody_down() {
        assert_eq!(link(200_000).pictures, Pictures::None);
        assert_eq!(for_all(&[200_000, 2_000_000]), (800_000, 30, Reason::Full));
    }

    #[test]
    fn where_nobody_gets_the_picture_it_is_as_small_as_it_may_be_and_that_is_told() {
        assert_eq!(for_all(&[200_000, 100_000]), (150_000, 15, Reason::Minimum));
    }

    #[test]
    fn the_picture_comes_back_with_room_to_spare() {
        let back = |estimate| {
            let link = Link { estimate, pictures: Pictures::None, too_slow: false };
            link.pictures(&LIMITS, 800_000.0, false)
        };
        assert_eq!(back(Some(230_000)), Pictures::None, "157 kbit/s are too close to 150");
        assert_eq!(back(Some(300_000)), Pictures::All);
        assert_eq!(back(None), Pictures::All, "nothing is known of it");
    }

    #[test]
    fn a_link_far_below_the_best_one_gets_the_base_layer_and_pulls_nobody_down() {
        for (estimate, base_bitrate) in [(416_000, 243_300), (208_000, 102_900)] {
            let links = [moving_link(2_000_000), moving_link(estimate)];
            assert_eq!(super::base_bitrate(&LIMITS, links.into_iter(), None), Some(base_bitrate));
            let pictured =
                links.map(|link| Link { pictures: link.pictures(&LIMITS, 800_000.0, true), ..link });
            assert_eq!(pictured.map(|link| link.pictures), [Pictures::All, Pictures::Base], "{estimate}");
            let (quality, reason) = quality(&LIMITS, pictured.into_iter(), LIMITS.best_quality());
            assert_eq!((quality.bitrate, reason), (800_000, Reason::Full));
        }
    }

    #[test]
    fn nobody_needs_layers_who_is_alone_or_nearly_as_fast_as_others_or_has_no_room_for_a_base_layer() {
        for links in [vec![], vec![300_000], vec![900_000, 750_000], vec![2_000_000, 90_000]] {
            let moving = links.iter().map(|estimate| moving_link(*estimate));
            assert_eq!(base_bitrate(&LIMITS, moving, None), None, "{links:?}");
        }
        let too_slow = Link { too_slow: true, ..moving_link(300_000) };
        assert_eq!(base_bitrate(&LIMITS, [moving_link(2_000_000), too_slow].into_iter(), None), None);
    }

    #[test]
    fn all_pictures_come_back_with_room_to_spare() {
        let base = |estimate| Link { pictures: Pictures::Base, ..moving_link(estimate) };
        assert_eq!(base(900_000).pictures(&LIMITS, 800_000.0, true), Pictures::Base);
        assert_eq!(base(930_000).pictures(&LIMITS, 800_000.0, true), Pictures::All);
        assert_eq!(base(300_000).pictures(&LIMITS, 800_000.0, false), Pictures::All, "there are no layers");
    }

    #[test]
    fn the_picture_comes_back_on_a_link_that_carries_what_is_needed_for_any() {
        let needed = u64::from(needed_for_any(&LIMITS));
        for (layered, best) in [(false, 0.0), (true, f64::from(LIMITS.max_bitrate))] {
            let voice_only = Link { pictures: Pictures::None, ..moving_link(needed) };
            assert_ne!(voice_only.pictures(&LIMITS, best, layered), Pictures::None, "layers: {layered}");
        }
        let too_slow = Link { pictures: Pictures::None, ..moving_link(needed - 2) };
        assert_eq!(too_slow.pictures(&LIMITS, 0.0, false), Pictures::None);
        let fixed = RateLimits { min_bitrate: 800_000, ..LIMITS };
        assert_eq!(needed_for_any(&fixed), needed_for_best(&fixed), "no more than is looked for");
    }

    #[test]
    fn a_picture_that_would_be_mostly_still_is_halved() {
        let limits = RateLimits { min_bitrate: 50_000, ..LIMITS };
        let at = |estimate, before| quality(&limits, [moving_link(estimate)].into_iter(), before).0;
        let halved = at(220_000, limits.best_quality());
        assert_eq!((halved.bitrate, halved.frame_rate, halved.size), (148_000, 30, SizeStep::Half));
        assert_eq!(at(300_000, halved).size, SizeStep::Half);
        assert_eq!(at(500_000, halved).size, SizeStep::Full);
    }

    #[test]
    fn small_changes_of_an_estimate_change_nothing() {
        let at = |estimate, bitrate| {
            let before = Quality { bitrate, ..LIMITS.best_quality() };
            quality(&LIMITS, [link(estimate)].into_iter(), before).0.bitrate
        };
        assert_eq!(at(500_000, 410_000), 410_000);
        assert_eq!(at(500_000, 600_000), 400_000);
        assert_eq!(at(950_000, 790_000), 800_000, "the last step to the full bitrate is always made");
    }
}

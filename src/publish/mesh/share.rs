//! What one encoder makes for participants whose links carry different amounts. Pure.
//!
//! The slowest link decides, down to the lowest bitrate that is configured. Whoever's link carries less than that gets the
//! voice alone, instead of pulling everybody down.

use crate::publish::quality::{Picture, Quality, RateLimits, Reason, SizeStep};

/// The part of an estimate that is used: the rest is for what is sent again.
const USED: f64 = 0.9;
/// Whoever gets the voice alone gets the picture back when there is this much more room than needed.
const BACK: f64 = 1.3;
/// The encoder is asked for another bitrate only if it differs by more than this part: estimates move all the time.
const STEP: f64 = 0.08;
/// Parts of the highest bitrate below which the picture is halved, and above which it is whole again.
const HALVED_BELOW: f64 = 0.2;
const WHOLE_ABOVE: f64 = 0.35;

/// What is known of one participant's link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    /// What it carries, in bits per second; `None` while that is not known.
    pub(super) estimate: Option<u64>,
    /// Whether it gets the voice alone.
    pub(super) voice_only: bool,
}

impl Link {
    /// The bits per second that are left for the picture.
    fn room(self, limits: &RateLimits) -> Option<f64> {
        let estimate = self.estimate? as f64 * USED;
        Some(estimate - f64::from(limits.other_bitrate))
    }

    /// Whether it is to get the voice alone from now on.
    pub(super) fn wants_voice_only(self, limits: &RateLimits) -> bool {
        let needed = f64::from(limits.min_bitrate) * if self.voice_only { BACK } else { 1.0 };
        self.room(limits).is_some_and(|room| room < needed)
    }
}

/// What a link must carry for the best quality, in bits per second.
pub(super) fn needed_for_best(limits: &RateLimits) -> u32 {
    (f64::from(limits.max_bitrate + limits.other_bitrate) / USED).ceil() as u32
}

/// What a link must carry for whoever gets the voice alone to get a picture, in bits per second.
pub(super) fn needed_for_any(limits: &RateLimits) -> u32 {
    let picture = f64::from(limits.min_bitrate) * BACK;
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
    let mut pictured = links.filter(|link| !link.voice_only).peekable();
    if anybody && pictured.peek().is_none() {
        let bitrate = min_bitrate.min(max_bitrate);
        let frame_rate = limits.frame_rate_for(bitrate, before.size);
        return (Quality { bitrate, frame_rate, picture: Picture::Moving, ..before }, Reason::Minimum);
    }
    let lowest = pictured
        .filter_map(|link| link.room(limits))
        .fold(f64::from(max_bitrate), f64::min)
        .max(f64::from(min_bitrate.min(max_bitrate)));
    let until_now = f64::from(before.bitrate);
    let bitrate = if lowest >= f64::from(max_bitrate) {
        max_bitrate
    } else if (lowest - until_now).abs() > until_now * STEP {
        lowest as u32
    } else {
        before.bitrate.min(max_bitrate)
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RateLimits =
        RateLimits { min_bitrate: 150_000, max_bitrate: 800_000, frame_rate: 30, other_bitrate: 50_000 };

    fn link(estimate: u64) -> Link {
        let link = Link { estimate: Some(estimate), voice_only: false };
        Link { voice_only: link.wants_voice_only(&LIMITS), ..link }
    }

    fn moving_link(estimate: u64) -> Link {
        Link { estimate: Some(estimate), voice_only: false }
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
        assert!(link(200_000).voice_only);
        assert_eq!(for_all(&[200_000, 2_000_000]), (800_000, 30, Reason::Full));
    }

    #[test]
    fn where_nobody_gets_the_picture_it_is_as_small_as_it_may_be_and_that_is_told() {
        assert_eq!(for_all(&[200_000, 100_000]), (150_000, 15, Reason::Minimum));
    }

    #[test]
    fn the_picture_comes_back_with_room_to_spare() {
        let link = Link { estimate: Some(230_000), voice_only: true };
        assert!(link.wants_voice_only(&LIMITS), "157 kbit/s are too close to 150");
        assert!(!Link { estimate: Some(300_000), ..link }.wants_voice_only(&LIMITS));
        assert!(!Link { estimate: None, ..link }.wants_voice_only(&LIMITS), "nothing is known of it");
    }

    #[test]
    fn the_picture_comes_back_on_a_link_that_carries_what_is_needed_for_any() {
        let needed = u64::from(needed_for_any(&LIMITS));
        let wants_voice_only =
            |estimate| Link { estimate: Some(estimate), voice_only: true }.wants_voice_only(&LIMITS);
        assert!(!wants_voice_only(needed));
        assert!(wants_voice_only(needed - 2));
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

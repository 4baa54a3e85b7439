//! Which pictures a participant gets whose link does not carry all of them. Pure.
//!
//! While somebody needs it the encoder makes temporal layers: the base layer, one picture of four, and between them pictures
//! that no other is decoded from ([`crate::capture::Encoding::base_bitrate`]). Those are left out for whom they are too
//! much; each peer numbers its own packets, so its decoder sees fewer pictures and no gap.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::media::Frame;

/// How much more room than needed there must be for more pictures.
const SPARE: f64 = 1.25;
/// How long a choice stays at least before there are more pictures.
const RISES_AFTER: Duration = Duration::from_secs(5);
/// Over how long the rates are measured.
const WINDOW: Duration = Duration::from_secs(1);
/// Of the pictures between two of the base layer, the one that makes half of all.
const MIDDLE: u32 = 2;

/// Which pictures somebody gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pictures {
    /// None: the voice alone.
    None,
    /// The base layer: one of four.
    Quarter,
    /// One of two.
    Half,
    /// All.
    All,
}

impl Pictures {
    const MOST_FIRST: [Self; 4] = [Self::All, Self::Half, Self::Quarter, Self::None];
}

/// What pictures take, in bits per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PictureRates {
    /// Those that others are decoded from.
    pub(super) base: f64,
    /// The others.
    pub(super) droppable: f64,
}

impl PictureRates {
    /// What somebody takes who gets `pictures`.
    pub(super) fn of(self, pictures: Pictures) -> f64 {
        match pictures {
            Pictures::None => 0.0,
            Pictures::Quarter => self.base,
            Pictures::Half => self.base + self.droppable / 3.0,
            Pictures::All => self.base + self.droppable,
        }
    }
}

/// Which pictures one participant gets.
#[derive(Debug, Clone)]
pub(super) struct Thinning {
    pictures: Pictures,
    changed: Option<Instant>,
    /// Droppable pictures since the last that was none.
    between: u32,
}

impl Default for Thinning {
    /// All, until it is known that they are too many.
    fn default() -> Self {
        Self { pictures: Pictures::All, changed: None, between: 0 }
    }
}

impl Thinning {
    pub(super) fn pictures(&self) -> Pictures {
        self.pictures
    }

    /// Chooses for a link that has `room` bits per second for pictures: fewer at once, more only where there is room to
    /// spare, and 5 s after the last change at the earliest. Says whether that is another choice.
    pub(super) fn follow(&mut self, room: f64, rates: PictureRates, now: Instant) -> bool {
        let most = |spare: f64| {
            let fits = |pictures: &Pictures| rates.of(*pictures) * spare <= room;
            Pictures::MOST_FIRST.into_iter().find(fits).unwrap_or(Pictures::None)
        };
        let may_rise = self.changed.is_none_or(|changed| now >= changed + RISES_AFTER);
        let before = self.pictures;
        let chosen = before.min(most(1.0));
        self.pictures = if chosen == before && may_rise { before.max(most(SPARE)) } else { chosen };
        if self.pictures != before {
            self.changed = Some(now);
        }
        self.pictures != before
    }

    /// Whether a picture is sent. To be asked of all, in order.
    pub(super) fn passes(&mut self, droppable: bool) -> bool {
        self.between = if droppable { self.between + 1 } else { 0 };
        match self.pictures {
            Pictures::None => false,
            Pictures::Quarter => !droppable,
            Pictures::Half => !droppable || self.between == MIDDLE,
            Pictures::All => true,
        }
    }
}

/// Measures what the encoder makes.
#[derive(Debug, Default)]
pub(super) struct PictureMeter {
    /// When which pictures came, whether they were droppable, and of how many bytes.
    seen: VecDeque<(Instant, bool, usize)>,
}

impl PictureMeter {
    /// Takes note of a picture. Key frames come when they are asked for, to all alike, and count for nothing.
    pub(super) fn add(&mut self, picture: &Frame, now: Instant) {
        if !picture.key {
            self.seen.push_back((now, picture.droppable, picture.data.len()));
        }
        self.forget(now);
    }

    /// What was made within the last second; `None` if there was nothing that could be left out.
    pub(super) fn rates(&mut self, now: Instant) -> Option<PictureRates> {
        self.forget(now);
        let sum = |wanted: bool| {
            let of_kind = self.seen.iter().filter(|(_, droppable, _)| *droppable == wanted);
            let bytes: usize = of_kind.map(|(.., bytes)| bytes).sum();
            bytes as f64 * 8.0 / WINDOW.as_secs_f64()
        };
        let rates = PictureRates { base: sum(false), droppable: sum(true) };
        (rates.droppable > 0.0).then_some(rates)
    }

    fn forget(&mut self, now: Instant) {
        while self.seen.front().is_some_and(|(at, ..)| now.saturating_duration_since(*at) >= WINDOW) {
            self.seen.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::media::{CaptureTime, Track};

    const RATES: PictureRates = PictureRates { base: 200_000.0, droppable: 600_000.0 };
    const TICK: Duration = Duration::from_millis(100);

    /// What is chosen for these rooms, ten a second.
    fn choices(rooms: impl IntoIterator<Item = f64>) -> Vec<Pictures> {
        let (mut thinning, start) = (Thinning::default(), Instant::now());
        let follow = |(tick, room)| {
            thinning.follow(room, RATES, start + TICK * tick);
            thinning.pictures()
        };
        (0..).zip(rooms).map(follow).collect()
    }

    #[test]
    fn a_link_gets_what_it_carries() {
        for (room, pictures) in [
            (f64::INFINITY, Pictures::All),
            (800_000.0, Pictures::All),
            (799_000.0, Pictures::Half),
            (399_000.0, Pictures::Quarter),
            (199_000.0, Pictures::None),
            (-1.0, Pictures::None),
        ] {
            assert_eq!(choices([room]), [pictures], "{room}");
        }
    }

    #[test]
    fn there_are_more_pictures_after_five_seconds_and_with_room_to_spare() {
        let tight = choices([300_000.0].into_iter().chain([490_000.0; 100]));
        assert_eq!(tight[100], Pictures::Quarter, "490 are not 1.25 times 400");
        let roomy = choices([300_000.0].into_iter().chain([530_000.0; 100]));
        assert_eq!(roomy.iter().position(|pictures| *pictures == Pictures::Half), Some(50));
    }

    #[test]
    fn every_fourth_second_or_each_picture_passes() {
        let pattern = [false, true, true, true, false, true, true, true];
        let passed = |pictures| {
            let mut thinning = Thinning { pictures, ..Thinning::default() };
            pattern.map(|droppable| u8::from(thinning.passes(droppable)))
        };
        assert_eq!(passed(Pictures::None), [0; 8]);
        assert_eq!(passed(Pictures::Quarter), [1, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(passed(Pictures::Half), [1, 0, 1, 0, 1, 0, 1, 0]);
        assert_eq!(passed(Pictures::All), [1; 8]);
    }

    #[test]
    fn the_meter_knows_the_last_second_and_nothing_without_layers() {
        let start = Instant::now();
        let picture = |key, droppable| Frame {
            track: Track::Video,
            captured: CaptureTime::default(),
            key,
            droppable,
            data: Bytes::from_static(&[0; 1000]),
        };
        let mut meter = PictureMeter::default();
        (0..30).for_each(|n| meter.add(&picture(n == 0, false), start + Duration::from_millis(33) * n));
        assert_eq!(meter.rates(start + Duration::from_millis(960)), None);
        let later = start + Duration::from_secs(2);
        (0..30).for_each(|n| meter.add(&picture(n == 0, n % 4 > 0), later + Duration::from_millis(33) * n));
        let rates = meter.rates(later + Duration::from_millis(960));
        assert_eq!(rates, Some(PictureRates { base: 7.0 * 8_000.0, droppable: 22.0 * 8_000.0 }));
        assert_eq!(meter.rates(later + Duration::from_secs(3)), None);
    }

    proptest! {
        #[test]
        fn nobody_is_sent_more_than_there_is_room_for(rooms in prop::collection::vec(0.0..1e6_f64, 1..300)) {
            for (room, pictures) in rooms.iter().zip(choices(rooms.clone())) {
                prop_assert!(RATES.of(pictures) <= *room, "{pictures:?} with {room}");
            }
        }

        #[test]
        fn more_come_only_five_seconds_after_any_change(rooms in prop::collection::vec(0.0..1e6_f64, 2..300)) {
            let choices = choices(rooms);
            let changed: Vec<usize> = (1..choices.len()).filter(|at| choices[*at] != choices[*at - 1]).collect();
            for pair in changed.windows(2) {
                let rises = choices[pair[1]] > choices[pair[1] - 1];
                prop_assert!(!rises || pair[1] - pair[0] >= 50, "{choices:?}");
            }
        }

        #[test]
        fn an_estimate_that_varies_by_a_tenth_changes_nothing_once_it_has_been_at_its_lowest(
            room in 1e5..1e6_f64,
            noise in prop::collection::vec(-0.1..0.1_f64, 2..300),
        ) {
            let lowest = room * 0.9;
            let choices = choices([lowest].into_iter().chain(noise.into_iter().map(|part| room * (1.0 + part))));
            prop_assert!(choices.windows(2).all(|pair| pair[0] == pair[1]), "{choices:?}");
        }

        #[test]
        fn enough_room_brings_all_back(before in prop::collection::vec(0.0..1e6_f64, 1..100)) {
            let rooms = before.into_iter().chain(vec![1.05e6; 60]);
            prop_assert_eq!(choices(rooms).pop(), Some(Pictures::All));
        }
    }
}

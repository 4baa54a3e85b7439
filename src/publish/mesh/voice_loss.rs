//! Whether pictures cost somebody the voice. Pure.
//!
//! On a link that carries less than the least base layer the estimate does not tell: it is the voice that is lost. But links
//! lose packets for other reasons too (Wi-Fi), and then the voice is no better off alone.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Pictures that make somebody lose more of the voice than this are too much. Over a fifth of what others have, the base layer
/// costs 0.13 to 0.24 of it (simulated).
const TOO_MUCH: f32 = 0.15;
/// Whoever loses this part of the voice without pictures too gets them back: they were not the reason.
const LOST_ANYWAY: f32 = TOO_MUCH / 2.0;
/// How long the voice comes alone otherwise.
const VOICE_FIRST: Duration = Duration::from_secs(60);
/// Reports that are averaged: browsers and str0m make one in 5 s at times, of 250 packets, in which by chance 6 to 14 % are lost
/// where it is a tenth.
const AVERAGED: usize = 2;

/// What somebody loses of the voice.
#[derive(Debug, Default)]
pub(super) struct VoiceLoss {
    /// The last reports since other pictures are sent, 0 to 1 each.
    recent: VecDeque<f32>,
    /// What is lost without pictures too, as far as that is known.
    anyway: f32,
    /// Until when the voice comes alone.
    alone_until: Option<Instant>,
}

impl VoiceLoss {
    /// Takes in which part was lost lately, 0 to 1.
    pub(super) fn report(&mut self, part: f32) {
        self.recent.push_back(part);
        if self.recent.len() > AVERAGED {
            self.recent.pop_front();
        }
        if let Some(average) = self.average()
            && self.recent.len() == AVERAGED
        {
            self.anyway = self.anyway.min(average);
        }
    }

    /// From now on other pictures are sent, or none any more.
    pub(super) fn begin(&mut self) {
        self.recent.clear();
    }

    /// Whether the voice is to come alone. `least`: whether what is sent could not be less but for that.
    pub(super) fn comes_alone(&mut self, least: bool, now: Instant) -> bool {
        match self.average() {
            Some(average) if self.is_alone(now) => {
                self.anyway = average;
                if average > LOST_ANYWAY {
                    self.alone_until = None;
                }
            }
            Some(average) if least && average > self.anyway + TOO_MUCH => {
                self.alone_until = Some(now + VOICE_FIRST);
            }
            _ => {}
        }
        self.is_alone(now)
    }

    fn is_alone(&self, now: Instant) -> bool {
        self.alone_until.is_some_and(|until| now < until)
    }

    fn average(&self) -> Option<f32> {
        (!self.recent.is_empty()).then(|| self.recent.iter().sum::<f32>() / self.recent.len() as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds after which the voice comes alone, of reports that come every 5 s.
    fn alone(loss: &mut VoiceLoss, now: &mut Instant, parts: &[f32]) -> Vec<u64> {
        let began = *now;
        let mut before = loss.comes_alone(false, *now);
        let mut seconds = Vec::new();
        for part in parts {
            *now += Duration::from_secs(5);
            loss.report(*part);
            let alone = loss.comes_alone(!before, *now);
            if alone != before {
                loss.begin();
            }
            if alone {
                seconds.push((*now - began).as_secs());
            }
            before = alone;
        }
        seconds
    }

    #[test]
    fn pictures_that_cost_the_voice_are_left_out_for_a_minute() {
        let (mut loss, mut now) = (VoiceLoss::default(), Instant::now());
        let reports = [&[0.05, 0.3, 0.05][..], &[0.0; 12][..]].concat();
        assert_eq!(alone(&mut loss, &mut now, &reports), (10..70).step_by(5).collect::<Vec<_>>());
    }

    #[test]
    fn pictures_come_back_where_the_voice_is_lost_without_them_too_and_stay() {
        let (mut loss, mut now) = (VoiceLoss::default(), Instant::now());
        assert_eq!(alone(&mut loss, &mut now, &[0.16, 0.12]), [5]);
        assert_eq!(alone(&mut loss, &mut now, &[0.18; 100]), Vec::<u64>::new());
        assert_eq!(alone(&mut loss, &mut now, &[0.5]), [5]);
    }

    #[test]
    fn what_was_lost_once_is_no_excuse_on_a_link_that_is_good_by_now() {
        let (mut loss, mut now) = (VoiceLoss::default(), Instant::now());
        assert_eq!(alone(&mut loss, &mut now, &[0.16, 0.12]), [5]);
        assert_eq!(alone(&mut loss, &mut now, &[0.0; 2]), Vec::<u64>::new());
        assert_eq!(alone(&mut loss, &mut now, &[0.35]), [5]);
    }
}

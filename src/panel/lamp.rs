//! What a lamp shows: from the state of the devices to light, as values. Knows no clock and no pin.
//!
//! The lamps that say "muted" and "off" never blink: whoever glances at one must not have to wait for the
//! dark half of a second to know. Everything that is not certain is dark there, and told by the lamps that say
//! "live", "on" and "meeting".

use std::fmt;
use std::time::{Duration, Instant};

use crate::config::Shows;

/// The camera, as far as a lamp cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Camera {
    /// Closed, and nothing of it is left to be sent.
    Off,
    /// On its way to [`Camera::On`].
    Opening,
    /// The room may be seen.
    On,
    /// It should be on, and cannot be.
    Fault,
}

/// The microphone, as far as a lamp cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mic {
    /// Nothing of what it hears leaves the device, and nothing of it is left to be sent.
    Muted,
    /// On its way to [`Mic::Live`].
    Opening,
    /// The room may be heard.
    Live,
    /// It should be live, and cannot be.
    Fault,
}

/// The meeting, as far as a lamp cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meeting {
    /// Nobody wants to be in it.
    Away,
    /// On the way into it, also after the relay was lost.
    Connecting,
    /// In it, and media may be sent.
    Joined,
    /// In it, but the relay forwards nothing until it gives the seat of the presenter.
    WaitingForSeat,
}

/// What the lamps are to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PanelState {
    /// The camera.
    pub camera: Camera,
    /// The microphone.
    pub mic: Mic,
    /// The meeting.
    pub meeting: Meeting,
    /// Whether the microphone hears somebody; only of interest while it is live.
    pub speaking: bool,
}

impl PanelState {
    /// What the lamps tell while nothing has been opened yet, and after everything was closed.
    pub const CLOSED: Self =
        Self { camera: Camera::Off, mic: Mic::Muted, meeting: Meeting::Away, speaking: false };
}

/// Light or none. Which voltage that is, is the business of whoever drives the lamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Light {
    /// None.
    Dark,
    /// Light.
    Lit,
}

/// How a lamp is lit over time. Each pattern begins with light, so that a change is seen at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// Dark.
    Off,
    /// Lit.
    On,
    /// Connecting: 0.25 s lit, 0.25 s dark.
    Quick,
    /// Waiting for the seat of the presenter: 1 s lit, 1 s dark.
    Slow,
    /// A fault: two flashes a second.
    Double,
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Quick => "quick",
            Self::Slow => "slow",
            Self::Double => "double",
        })
    }
}

const QUICK: &[Duration] = &[Duration::from_millis(250), Duration::from_millis(250)];
const SLOW: &[Duration] = &[Duration::from_secs(1), Duration::from_secs(1)];
const DOUBLE: &[Duration] = &[
    Duration::from_millis(100),
    Duration::from_millis(150),
    Duration::from_millis(100),
    Duration::from_millis(650),
];

impl Pattern {
    /// What a lamp shows in a state.
    ///
    /// Law 1 lives here: a lamp that says "muted" or "off" is lit only in the state that says so with certainty,
    /// and one that says "live" or "on" is lit, without a gap, in every state in which media may leave.
    pub fn of(shows: Shows, state: &PanelState) -> Self {
        match shows {
            Shows::MicMuted => on_if(state.mic == Mic::Muted),
            Shows::CameraOff => on_if(state.camera == Camera::Off),
            Shows::MicLive => match state.mic {
                Mic::Muted => Self::Off,
                Mic::Opening | Mic::Live => open(state.meeting),
                Mic::Fault => Self::Double,
            },
            Shows::CameraOn => match state.camera {
                Camera::Off => Self::Off,
                Camera::Opening | Camera::On => open(state.meeting),
                Camera::Fault => Self::Double,
            },
            Shows::Speaking => on_if(state.mic == Mic::Live && state.speaking),
            Shows::Meeting => {
                let fault = state.camera == Camera::Fault || state.mic == Mic::Fault;
                match state.meeting {
                    Meeting::Away => Self::Off,
                    Meeting::Connecting => Self::Quick,
                    Meeting::Joined | Meeting::WaitingForSeat if fault => Self::Double,
                    Meeting::Joined => Self::On,
                    Meeting::WaitingForSeat => Self::Slow,
                }
            }
        }
    }

    /// The light `elapsed` after the pattern began, and how long it stays so; `None` for ever.
    pub fn light(self, elapsed: Duration) -> (Light, Option<Duration>) {
        let steps = match self {
            Self::Off => return (Light::Dark, None),
            Self::On => return (Light::Lit, None),
            Self::Quick => QUICK,
            Self::Slow => SLOW,
            Self::Double => DOUBLE,
        };
        let period: Duration = steps.iter().sum();
        let mut left = remainder(elapsed, period);
        for (step, light) in steps.iter().zip([Light::Lit, Light::Dark].into_iter().cycle()) {
            match step.checked_sub(left) {
                Some(rest) if !rest.is_zero() => return (light, Some(rest)),
                _ => left -= *step,
            }
        }
        (Light::Lit, steps.first().copied())
    }
}

fn on_if(certain: bool) -> Pattern {
    if certain { Pattern::On } else { Pattern::Off }
}

/// An open device: while the seat is awaited nothing of it leaves, and the room should know that too. Before
/// the relay is reached it is steady: whatever reconnects does so without anybody in the room.
fn open(meeting: Meeting) -> Pattern {
    match meeting {
        Meeting::WaitingForSeat => Pattern::Slow,
        Meeting::Away | Meeting::Connecting | Meeting::Joined => Pattern::On,
    }
}

fn remainder(elapsed: Duration, period: Duration) -> Duration {
    let nanos = elapsed.as_nanos() % period.as_nanos();
    Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())
}

/// A pattern that began at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blinker {
    pattern: Pattern,
    since: Instant,
}

impl Blinker {
    /// A pattern that begins now.
    pub fn new(pattern: Pattern, now: Instant) -> Self {
        Self { pattern, since: now }
    }

    /// Which pattern it is.
    pub fn pattern(&self) -> Pattern {
        self.pattern
    }

    /// Goes over to a pattern; the one that is shown already goes on undisturbed.
    pub fn change(&mut self, pattern: Pattern, now: Instant) {
        if self.pattern != pattern {
            *self = Self::new(pattern, now);
        }
    }

    /// The light at a time, and when it changes next; never, if it is `None`. A time before the beginning
    /// counts as the beginning.
    pub fn light(&self, now: Instant) -> (Light, Option<Instant>) {
        let now = now.max(self.since);
        let (light, rest) = self.pattern.light(now.duration_since(self.since));
        (light, rest.and_then(|rest| now.checked_add(rest)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHOWS: [Shows; 6] =
        [Shows::MicMuted, Shows::MicLive, Shows::CameraOn, Shows::CameraOff, Shows::Meeting, Shows::Speaking];
    const CAMERAS: [Camera; 4] = [Camera::Off, Camera::Opening, Camera::On, Camera::Fault];
    const MICS: [Mic; 4] = [Mic::Muted, Mic::Opening, Mic::Live, Mic::Fault];
    const MEETINGS: [Meeting; 4] =
        [Meeting::Away, Meeting::Connecting, Meeting::Joined, Meeting::WaitingForSeat];
    const PATTERNS: [Pattern; 5] =
        [Pattern::Off, Pattern::On, Pattern::Quick, Pattern::Slow, Pattern::Double];

    fn all_states() -> Vec<PanelState> {
        let mut states = Vec::new();
        for camera in CAMERAS {
            for mic in MICS {
                for meeting in MEETINGS {
                    states.extend([false, true].map(|speaking| PanelState {
                        camera,
                        mic,
                        meeting,
                        speaking,
                    }));
                }
            }
        }
        states
    }

    #[test]
    fn muted_and_off_are_lit_in_the_certain_state_alone_and_never_blink() {
        for state in all_states() {
            let muted = if state.mic == Mic::Muted { Pattern::On } else { Pattern::Off };
            assert_eq!(Pattern::of(Shows::MicMuted, &state), muted, "{state:?}");
            let off = if state.camera == Camera::Off { Pattern::On } else { Pattern::Off };
            assert_eq!(Pattern::of(Shows::CameraOff, &state), off, "{state:?}");
        }
    }

    #[test]
    fn live_and_on_are_lit_without_a_gap_whenever_media_may_leave() {
        for state in all_states() {
            let may_leave = state.meeting != Meeting::WaitingForSeat;
            if may_leave && matches!(state.mic, Mic::Opening | Mic::Live) {
                assert_eq!(Pattern::of(Shows::MicLive, &state), Pattern::On, "{state:?}");
            }
            if may_leave && matches!(state.camera, Camera::Opening | Camera::On) {
                assert_eq!(Pattern::of(Shows::CameraOn, &state), Pattern::On, "{state:?}");
            }
        }
    }

    #[test]
    fn live_and_muted_are_never_lit_together_and_never_both_dark_without_a_fault() {
        for state in all_states() {
            let live = Pattern::of(Shows::MicLive, &state);
            let muted = Pattern::of(Shows::MicMuted, &state);
            assert_eq!(live == Pattern::Off, muted == Pattern::On, "{state:?}");
            let on = Pattern::of(Shows::CameraOn, &state);
            let off = Pattern::of(Shows::CameraOff, &state);
            assert_eq!(on == Pattern::Off, off == Pattern::On, "{state:?}");
        }
    }

    #[test]
    fn each_situation_has_its_pattern() {
        let joined =
            PanelState { camera: Camera::On, mic: Mic::Live, meeting: Meeting::Joined, speaking: true };
        let waiting = PanelState { meeting: Meeting::WaitingForSeat, ..joined };
        let fault = PanelState { camera: Camera::Fault, ..joined };
        let cases = [
            // mic-muted, mic-live, camera-on, camera-off, meeting, speaking
            (
                PanelState::CLOSED,
                [Pattern::On, Pattern::Off, Pattern::Off, Pattern::On, Pattern::Off, Pattern::Off],
            ),
            (joined, [Pattern::Off, Pattern::On, Pattern::On, Pattern::Off, Pattern::On, Pattern::On]),
            (waiting, [Pattern::Off, Pattern::Slow, Pattern::Slow, Pattern::Off, Pattern::Slow, Pattern::On]),
            (fault, [Pattern::Off, Pattern::On, Pattern::Double, Pattern::Off, Pattern::Double, Pattern::On]),
            (
                PanelState { meeting: Meeting::Connecting, speaking: false, ..joined },
                [Pattern::Off, Pattern::On, Pattern::On, Pattern::Off, Pattern::Quick, Pattern::Off],
            ),
        ];
        for (state, patterns) in cases {
            assert_eq!(SHOWS.map(|shows| Pattern::of(shows, &state)), patterns, "{state:?}");
        }
    }

    #[test]
    fn two_flashes_a_second_tell_a_fault() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let lamp = Blinker::new(Pattern::Double, start);

        assert_eq!(lamp.light(at(0)), (Light::Lit, Some(at(100))));
        assert_eq!(lamp.light(at(99)), (Light::Lit, Some(at(100))));
        assert_eq!(lamp.light(at(100)), (Light::Dark, Some(at(250))));
        assert_eq!(lamp.light(at(250)), (Light::Lit, Some(at(350))));
        assert_eq!(lamp.light(at(350)), (Light::Dark, Some(at(1000))));
        assert_eq!(lamp.light(at(3_600_000)), (Light::Lit, Some(at(3_600_100))));
    }

    #[test]
    fn a_pattern_that_is_shown_already_goes_on_undisturbed() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut lamp = Blinker::new(Pattern::Slow, start);

        lamp.change(Pattern::Slow, at(700));
        assert_eq!(lamp.light(at(700)), (Light::Lit, Some(at(1000))));
        lamp.change(Pattern::Quick, at(1700));
        assert_eq!(lamp.light(at(1700)), (Light::Lit, Some(at(1950))));
    }

    proptest! {
        /// Who looks only at the announced times misses no change.
        #[test]
        fn light_stays_as_announced(pattern in prop::sample::select(PATTERNS.to_vec()), nanos in 0u64..10_000_000_000, share in 0.0..1.0f64) {
            let elapsed = Duration::from_nanos(nanos);
            let (light, rest) = pattern.light(elapsed);
            match rest {
                None => prop_assert!(matches!(pattern, Pattern::Off | Pattern::On)),
                Some(rest) => {
                    prop_assert!(!rest.is_zero());
                    let between = elapsed + rest.mul_f64(share).min(rest - Duration::from_nanos(1));
                    prop_assert_eq!(pattern.light(between).0, light);
                    prop_assert_ne!(pattern.light(elapsed + rest).0, light);
                }
            }
        }
    }
}

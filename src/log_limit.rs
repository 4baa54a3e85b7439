//! Keeps what happens again and again from flooding the log. Pure: the time comes in as an argument.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

/// How often the same thing is logged at most.
const INTERVAL: Duration = Duration::from_secs(10);
/// How many different texts a [`TextLimit`] tells apart; the rest counts as one.
const MOST_TEXTS: usize = 16;

/// Lets one or a few of many messages through every ten seconds, and counts the others.
///
/// ```ignore
/// if let Some(more) = self.limit.admit(Instant::now()) {
///     tracing::warn!("the relay takes less than the camera gives{more}");
/// }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LogLimit {
    /// When the first message of this interval was let through.
    since: Option<Instant>,
    /// How many were let through in this interval.
    admitted: u32,
    /// How many were not let through since the last that was.
    withheld: u64,
}

/// What to append to a message that is let through: how many like it were not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct More(u64);

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            more => write!(f, " (and {more} more like it since the last message)"),
        }
    }
}

impl LogLimit {
    /// Whether a message may be logged at `now`, and what to append to it. `None` if it is too soon after the last:
    /// then it is counted, and told of with the next one.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<More> {
        self.admit_some(1, now)
    }

    /// As [`LogLimit::admit`], where `most` messages may be logged every ten seconds.
    pub(crate) fn admit_some(&mut self, most: u32, now: Instant) -> Option<More> {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= INTERVAL) {
            self.since = Some(now);
            self.admitted = 0;
        }
        if self.admitted >= most {
            self.withheld += 1;
            return None;
        }
        self.admitted += 1;
        Some(More(std::mem::take(&mut self.withheld)))
    }
}

/// A [`LogLimit`] for each text, where somebody else chooses the texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextLimit {
    by_text: HashMap<String, LogLimit>,
    others: LogLimit,
}

impl TextLimit {
    /// Whether this text may be logged at `now`; as [`LogLimit::admit`].
    pub(crate) fn admit(&mut self, text: &str, now: Instant) -> Option<More> {
        if !self.by_text.contains_key(text) {
            if self.by_text.len() >= MOST_TEXTS {
                return self.others.admit(now);
            }
            self.by_text.insert(text.to_owned(), LogLimit::default());
        }
        self.by_text.get_mut(text)?.admit(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_in_ten_seconds_tells_of_the_others() {
        let start = Instant::now();
        let mut limit = LogLimit::default();
        let mut logged = Vec::new();
        // Ten a second for half a minute.
        for tenths in 0..301 {
            if let Some(more) = limit.admit(start + Duration::from_millis(100 * tenths)) {
                logged.push(format!("{tenths}: lost{more}"));
            }
        }

        let more = " (and 99 more like it since the last message)";
        let expected = [
            "0: lost".to_owned(),
            format!("100: lost{more}"),
            format!("200: lost{more}"),
            format!("300: lost{more}"),
        ];
        assert_eq!(logged, expected);
    }

    #[test]
    fn a_message_that_comes_rarely_is_always_logged() {
        let start = Instant::now();
        let mut limit = LogLimit::default();
        for minute in 0..5 {
            assert_eq!(limit.admit(start + Duration::from_secs(60 * minute)), Some(More(0)));
        }
    }

    #[test]
    fn a_few_messages_in_ten_seconds_may_be_logged() {
        let start = Instant::now();
        let mut limit = LogLimit::default();
        let mut admitted = |seconds| limit.admit_some(2, start + Duration::from_secs(seconds));

        assert_eq!([0, 1, 2, 9].map(&mut admitted), [Some(More(0)), Some(More(0)), None, None]);
        assert_eq!([10, 11, 12].map(&mut admitted), [Some(More(2)), Some(More(0)), None]);
    }

    #[test]
    fn texts_are_told_apart_until_there_are_too_many() {
        let now = Instant::now();
        let mut limit = TextLimit::default();
        let mut logged = 0;
        for text in 0..1000 {
            for _ in 0..3 {
                logged += u64::from(limit.admit(&text.to_string(), now).is_some());
            }
        }
        assert_eq!(logged, 17, "sixteen texts, and once for all others");
        assert_eq!(limit.admit("0", now + INTERVAL), Some(More(2)));
        assert_eq!(limit.admit("999", now + INTERVAL), Some(More(984 * 3 - 1)));
    }
}

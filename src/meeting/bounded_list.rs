//! Lists that somebody else has written, of which only so much is kept.

use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Reads the JSON array `json` until `most` entries have been kept; `read` says what is kept of each. The rest is skipped
/// without being built in memory. `None` if it is no array.
pub(super) fn bounded_list<T>(
    json: &str,
    most: usize,
    read: impl FnMut(&RawValue) -> Option<T>,
) -> Option<Vec<T>> {
    struct List<F> {
        most: usize,
        read: F,
    }
    impl<'de, T, F: FnMut(&RawValue) -> Option<T>> Visitor<'de> for List<F> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while list.len() < self.most {
                let Some(entry) = seq.next_element::<&RawValue>()? else { return Ok(list) };
                list.extend((self.read)(entry));
            }
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(list)
        }
    }
    serde_json::Deserializer::from_str(json).deserialize_seq(List { most, read }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_entries_are_kept_and_the_rest_is_skipped() {
        let numbers = |json| bounded_list(json, 3, |entry| entry.get().parse::<u32>().ok());
        assert_eq!(numbers("[1, 2]"), Some(vec![1, 2]));
        assert_eq!(numbers(r#"[1, "x", 2, {}, 3, 4, [5]]"#), Some(vec![1, 2, 3]));
        assert_eq!(numbers("[]"), Some(vec![]));
        for other in ["{}", "7", "null", "[1,"] {
            assert_eq!(numbers(other), None, "{other}");
        }
    }
}

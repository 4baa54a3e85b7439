//! ICE credentials and candidates, as session descriptions and fragments of them have them (RFC 8840). Pure.

use std::fmt::Write;

/// Candidates that are read of one description at most; servers send a handful.
const MAX_CANDIDATES: usize = 64;

/// What ICE needs to know of one end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fragment {
    /// The user name (`ice-ufrag`).
    pub ufrag: String,
    /// The password (`ice-pwd`).
    pub pwd: String,
    /// Candidates, each from `candidate:` on, without repetitions.
    pub candidates: Vec<String>,
}

impl Fragment {
    /// What a description, or a fragment of one, says; `None` without credentials.
    pub fn read(text: &str) -> Option<Self> {
        let mut fragment = Self::default();
        for line in text.lines() {
            if let Some(ufrag) = line.strip_prefix("a=ice-ufrag:") {
                ufrag.trim().clone_into(&mut fragment.ufrag);
            } else if let Some(pwd) = line.strip_prefix("a=ice-pwd:") {
                pwd.trim().clone_into(&mut fragment.pwd);
            } else if let Some(candidate) = candidate(line)
                && fragment.candidates.len() < MAX_CANDIDATES
                && !fragment.candidates.iter().any(|known| known == candidate)
            {
                fragment.candidates.push(candidate.to_owned());
            }
        }
        (!fragment.ufrag.is_empty() && !fragment.pwd.is_empty()).then_some(fragment)
    }

    /// The fragment as it is sent. It belongs to the first section of `offer`, with which everything is bundled.
    pub fn write(&self, offer: &str) -> String {
        let mut text = String::new();
        let section = offer.lines().find(|line| line.starts_with("m="));
        let group = offer.lines().find(|line| line.starts_with("a=group:BUNDLE"));
        let mid = offer.lines().find(|line| line.starts_with("a=mid:"));
        let Self { ufrag, pwd, candidates } = self;
        for line in group.into_iter().chain(section).chain(mid) {
            // Writing into a text cannot fail.
            let _ = write!(text, "{line}\r\n");
        }
        let _ = write!(text, "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\n");
        for candidate in candidates {
            let _ = write!(text, "a={candidate}\r\n");
        }
        text.push_str("a=end-of-candidates\r\n");
        text
    }

    /// `description` with these credentials and candidates in place of its own. Its candidates stay where the fragment has
    /// none: some servers answer an ICE restart with credentials alone.
    pub fn replace_in(&self, description: &str) -> String {
        let mut text = String::with_capacity(description.len() + 256);
        for line in description.lines() {
            if line.starts_with("a=ice-ufrag:") {
                let _ = write!(text, "a=ice-ufrag:{}", self.ufrag);
            } else if line.starts_with("a=ice-pwd:") {
                let _ = write!(text, "a=ice-pwd:{}", self.pwd);
                for candidate in &self.candidates {
                    let _ = write!(text, "\r\na={candidate}");
                }
            } else if candidate(line).is_some() && !self.candidates.is_empty() {
                continue;
            } else {
                text.push_str(line);
            }
            text.push_str("\r\n");
        }
        text
    }
}

/// The candidate of a line, from `candidate:` on.
fn candidate(line: &str) -> Option<&str> {
    line.strip_prefix("a=").filter(|line| line.starts_with("candidate:")).map(str::trim_end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOST: &str = "candidate:1 1 udp 2130706431 192.0.2.7 40000 typ host";
    const OTHER: &str = "candidate:2 1 udp 2130706430 192.0.2.8 40001 typ host";

    fn description(ufrag: &str, candidate: &str) -> String {
        format!(
            "v=0\r\na=group:BUNDLE a v\r\nm=audio 9 X 1\r\na=mid:a\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:secret\r\n\
             a={candidate}\r\nm=video 9 X 2\r\na=mid:v\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:secret\r\na={candidate}\r\n"
        )
    }

    #[test]
    fn a_fragment_is_what_ice_needs_of_a_description() {
        let fragment = Fragment::read(&description("u", HOST)).unwrap();
        assert_eq!(fragment.candidates, [HOST], "once, although it stands in both sections");
        assert_eq!(
            fragment.write(&description("u", HOST)),
            format!(
                "a=group:BUNDLE a v\r\nm=audio 9 X 1\r\na=mid:a\r\na=ice-ufrag:u\r\na=ice-pwd:secret\r\na={HOST}\r\n\
                 a=end-of-candidates\r\n"
            )
        );
    }

    #[test]
    fn an_answer_to_a_restart_takes_the_place_of_the_old_credentials_and_candidates() {
        let fresh = Fragment { ufrag: "n".into(), pwd: "secret".into(), candidates: vec![OTHER.into()] };
        assert_eq!(fresh.replace_in(&description("u", HOST)), description("n", OTHER));
        let alone = Fragment { candidates: Vec::new(), ..fresh };
        assert_eq!(alone.replace_in(&description("u", HOST)), description("n", HOST));
    }

    #[test]
    fn what_has_no_credentials_is_no_fragment() {
        for text in ["", "a=ice-ufrag:u\r\n", "a=ice-pwd:p", "<html>", "a=ice-ufrag:\r\na=ice-pwd:p\r\n"] {
            assert_eq!(Fragment::read(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_what_is_read_is_written_so_that_it_reads_the_same(text in "(a=(ice-ufrag|ice-pwd|candidate):[a-z0-9 ]{0,9}\r?\n|\\PC{0,9}\n){0,12}") {
            if let Some(fragment) = Fragment::read(&text) {
                prop_assert_eq!(Fragment::read(&fragment.write(&text)), Some(fragment.clone()));
                let replaced = fragment.replace_in(&description("u", HOST));
                let read = Fragment::read(&replaced).unwrap();
                prop_assert_eq!((&read.ufrag, &read.pwd), (&fragment.ufrag, &fragment.pwd));
            }
        }
    }
}

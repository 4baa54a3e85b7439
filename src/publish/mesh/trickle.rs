//! Candidates of ours as signalling tells them (RFC 8838). Pure.

use crate::meeting::mesh::Candidate;
use crate::rtc::{Trickled, first_mid};

/// The candidates in a description of ours, as they are told on their own: some participants read only those.
pub(super) fn described(sdp: &str) -> Vec<Candidate> {
    let mid = first_mid(sdp).map(str::to_owned);
    let fragment = sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).map(str::to_owned);
    let mut found: Vec<&str> = sdp.lines().filter_map(|line| line.strip_prefix("a=")).collect();
    found.retain(|attribute| attribute.starts_with("candidate:"));
    found.sort_unstable();
    found.dedup();
    found
        .into_iter()
        .map(|candidate| Candidate {
            candidate: candidate.to_owned(),
            sdp_mid: mid.clone(),
            sdp_m_line_index: Some(0),
            username_fragment: fragment.clone(),
        })
        .collect()
}

/// A candidate that was found after its description was sent.
pub(super) fn told(trickled: Trickled) -> Candidate {
    Candidate {
        candidate: trickled.candidate,
        sdp_mid: trickled.mid,
        sdp_m_line_index: Some(0),
        username_fragment: Some(trickled.username_fragment),
    }
}

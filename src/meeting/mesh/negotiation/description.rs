//! What the negotiation reads of session descriptions (RFC 8866, RFC 8839, RFC 8122).

/// The certificate's fingerprint, which each connection of a browser has for itself. Empty if there is none.
pub(super) fn fingerprint(sdp: &str) -> String {
    sdp.lines()
        .find_map(|line| line.strip_prefix("a=fingerprint:"))
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// The user name of the origin. Each kind of software writes one of its own, browsers of the family of Chromium `-`.
pub(super) fn origin(sdp: &str) -> Option<&str> {
    sdp.lines().find_map(|line| line.strip_prefix("o=")).and_then(|origin| origin.split_whitespace().next())
}

/// The name fragments that candidates of this description carry; as many as there are sections that are not bundled.
pub(super) fn fragments(sdp: &str) -> Vec<String> {
    const MOST: usize = 8;
    let mut fragments: Vec<String> = Vec::new();
    for fragment in sdp.lines().filter_map(|line| line.strip_prefix("a=ice-ufrag:")) {
        if fragments.len() < MOST && !fragments.iter().any(|known| known == fragment.trim()) {
            fragments.push(fragment.trim().to_owned());
        }
    }
    fragments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_and_fragments_are_found_in_any_section() {
        let sdp = "v=0\r\nm=audio 9 X 1\r\na=ice-ufrag:a\r\na=fingerprint:sha-256 AB:CD\r\n\
                   m=video 9 X 1\r\na=ice-ufrag:a\r\na=ice-ufrag:b\r\n";
        assert_eq!(fingerprint(sdp), "sha-256 ab:cd");
        assert_eq!(fragments(sdp), ["a", "b"]);
        assert_eq!(origin("v=0\r\no=str0m-1 7 2 IN IP4 0.0.0.0\r\n"), Some("str0m-1"));
        assert_eq!(origin(sdp), None);
        assert_eq!((fingerprint("v=0"), fragments("")), (String::new(), Vec::new()));
    }
}

//! Which way media of a description go. Pure.

/// Whether a description asks to receive and sends nothing: each section of it that is for media says `recvonly` or
/// `inactive` (RFC 8866 §6.7; without a word a section would send). What stands before the sections is for those without a
/// word of their own; Firefox writes `sendrecv` there.
pub(super) fn only_receives(sdp: &str) -> bool {
    let says = |section: &str, attributes: [&str; 2]| {
        section.lines().any(|line| attributes.iter().any(|attribute| line.starts_with(attribute)))
    };
    let sections = sdp.split("\nm=").skip(1);
    let mut media = sections.filter(|section| !section.starts_with("application "));
    // Of several words, some readers let the first decide, some the last.
    media.all(|section| {
        says(section, ["a=recvonly", "a=inactive"]) && !says(section, ["a=sendrecv", "a=sendonly"])
    })
}

#[cfg(test)]
mod tests {
    use super::only_receives;

    const SESSION: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";

    fn sdp(sections: &[(&str, &str)]) -> String {
        let section = |(media, attribute): &(&str, &str)| {
            format!("m={media} 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n{attribute}")
        };
        SESSION.to_owned() + &sections.iter().map(section).collect::<String>()
    }

    #[test]
    fn each_section_for_media_must_say_that_it_receives() {
        for receives in [
            sdp(&[("video", "a=recvonly\r\n"), ("audio", "a=inactive\r\n")]),
            sdp(&[("video", "a=recvonly\r\n"), ("application", "")]),
            sdp(&[("application", "a=sendrecv\r\n")]),
            sdp(&[("video", "a=recvonly\r\n")]).replace("t=0 0\r\n", "t=0 0\r\na=sendrecv\r\n"),
        ] {
            assert!(only_receives(&receives), "{receives}");
        }
        for sends in [
            sdp(&[("video", "a=recvonly\r\n"), ("audio", "")]),
            sdp(&[("video", "a=recvonly\r\n"), ("audio", "a=sendonly\r\n")]),
            sdp(&[("video", "a=sendrecv\r\na=recvonly\r\n")]),
            sdp(&[("video", "a=recvonly\r\na=sendrecv\r\n")]),
            sdp(&[("video", "")]).replace("t=0 0\r\n", "t=0 0\r\na=recvonly\r\n"),
        ] {
            assert!(!only_receives(&sends), "{sends}");
        }
    }
}

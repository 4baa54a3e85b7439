//! Session descriptions: what is read of a peer's, and what is changed in ours. Pure.
//!
//! str0m writes them after JSEP (RFC 9429); what is changed here is what Chromium and the pages that use it need beside it.

use std::fmt::Write;

use super::error::PeerError;

/// Bytes of a description at most; browsers' offers have some 7000.
pub const MAX_DESCRIPTION_BYTES: usize = 64 << 10;

/// The description, if it is not too long to be one.
pub(super) fn checked(description: &str) -> Result<&str, PeerError> {
    if description.len() > MAX_DESCRIPTION_BYTES {
        return Err(PeerError::TooLong { bytes: description.len() });
    }
    Ok(description)
}

/// Which description it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An offer before anything was agreed.
    FirstOffer,
    /// An offer on a connection that is there.
    LaterOffer,
    /// An answer.
    Answer,
}

/// What an offer asks to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Asked {
    /// Whether it has any media section.
    pub(super) sections: bool,
    /// Whether there is a section in which we may send audio.
    pub(super) audio: bool,
    /// Whether there is a section in which we may send video.
    pub(super) video: bool,
}

/// Reads what an offer asks for.
pub(super) fn asked(offer: &str) -> Asked {
    let mut asked = Asked::default();
    let mut section: Option<(Media, bool)> = None;
    let mut count = |section: Option<(Media, bool)>| match section {
        Some((Media::Audio, true)) => asked.audio = true,
        Some((Media::Video, true)) => asked.video = true,
        _ => {}
    };
    let mut sections = false;
    for line in offer.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            sections = true;
            count(section.take());
            let port = media.split_whitespace().nth(1);
            section = Some((Media::of(media), port != Some("0")));
        } else if matches!(line, "a=sendonly" | "a=inactive")
            && let Some((_, may_send)) = &mut section
        {
            *may_send = false;
        }
    }
    count(section);
    asked.sections = sections;
    asked
}

/// The id of the first media section, which candidates are said to belong to; everything is bundled with it.
pub fn first_mid(description: &str) -> Option<&str> {
    description.lines().find_map(|line| line.strip_prefix("a=mid:"))
}

/// Our description as it is sent.
///
/// - All tracks have one stream, `stream`, and track ids that stay: pages show `event.streams[0]`, and str0m answers with
///   the ids of the offer, or with one stream for each section.
/// - Nothing is received: a section in which both could send is `sendonly`, one in which only the peer could `inactive`.
/// - The first offer says `setup:active`: Chromium begins DTLS at once otherwise, before its answer has arrived, and backs
///   off for some 200 ms. It departs from RFC 8842 §5.2, which wants `actpass`.
pub(super) fn ours(description: &str, kind: Kind, stream: &str) -> String {
    let mut written = String::with_capacity(description.len() + 256);
    let mut media = Media::Other;
    for line in description.lines() {
        if let Some(section) = line.strip_prefix("m=") {
            media = Media::of(section);
        }
        let track = || format!("{stream} {stream}-{}", media.name());
        match line {
            "a=setup:actpass" if kind == Kind::FirstOffer => written.push_str("a=setup:active"),
            "a=sendrecv" if media != Media::Other => written.push_str("a=sendonly"),
            "a=recvonly" if media != Media::Other => written.push_str("a=inactive"),
            _ if line.starts_with("a=msid-semantic:") => {
                // Writing into a text cannot fail.
                let _ = write!(written, "a=msid-semantic: WMS {stream}");
            }
            _ if line.starts_with("a=msid:") => {
                let _ = write!(written, "a=msid:{}", track());
            }
            _ => match msid_of_ssrc(line) {
                Some(ssrc) => {
                    let _ = write!(written, "a=ssrc:{ssrc} msid:{}", track());
                }
                None => written.push_str(line),
            },
        }
        written.push_str("\r\n");
    }
    written
}

/// The SSRC of a line like `a=ssrc:1 msid:stream track`.
fn msid_of_ssrc(line: &str) -> Option<&str> {
    let (ssrc, attribute) = line.strip_prefix("a=ssrc:")?.split_once(' ')?;
    attribute.starts_with("msid:").then_some(ssrc)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Media {
    Audio,
    Video,
    /// A data channel, or something unknown.
    Other,
}

impl Media {
    fn of(section: &str) -> Self {
        match section.split_whitespace().next() {
            Some("audio") => Self::Audio,
            Some("video") => Self::Video,
            _ => Self::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> String {
        lines.iter().flat_map(|line| [line, "\r\n"]).collect()
    }

    #[test]
    fn every_track_is_in_one_stream_of_ours() {
        let answer = lines(&[
            "v=0",
            "a=msid-semantic: WMS {browser} other",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111",
            "a=msid:{browser} {its-audio}",
            "a=ssrc:7 cname:x",
            "a=ssrc:7 msid:{browser} {its-audio}",
            "m=video 9 UDP/TLS/RTP/SAVPF 96",
            "a=msid:other thing",
        ]);
        assert_eq!(
            ours(&answer, Kind::Answer, "cam"),
            lines(&[
                "v=0",
                "a=msid-semantic: WMS cam",
                "m=audio 9 UDP/TLS/RTP/SAVPF 111",
                "a=msid:cam cam-audio",
                "a=ssrc:7 cname:x",
                "a=ssrc:7 msid:cam cam-audio",
                "m=video 9 UDP/TLS/RTP/SAVPF 96",
                "a=msid:cam cam-video",
            ])
        );
    }

    #[test]
    fn we_send_and_do_not_receive() {
        let offered = lines(&[
            "m=audio 9 X 1",
            "a=sendrecv",
            "m=video 9 X 1",
            "a=recvonly",
            "m=video 9 X 1",
            "a=sendonly",
        ]);
        assert_eq!(
            ours(&offered, Kind::Answer, "cam"),
            lines(&[
                "m=audio 9 X 1",
                "a=sendonly",
                "m=video 9 X 1",
                "a=inactive",
                "m=video 9 X 1",
                "a=sendonly"
            ])
        );
    }

    #[test]
    fn only_the_first_offer_takes_the_active_role() {
        let offer = lines(&["m=audio 9 X 1", "a=setup:actpass"]);
        assert!(ours(&offer, Kind::FirstOffer, "cam").contains("a=setup:active\r\n"));
        assert!(ours(&offer, Kind::LaterOffer, "cam").contains("a=setup:actpass\r\n"));
        let answer = lines(&["m=audio 9 X 1", "a=setup:passive"]);
        assert_eq!(ours(&answer, Kind::Answer, "cam"), answer);
    }

    #[test]
    fn an_offer_asks_for_what_it_does_not_only_send() {
        let all = Asked { sections: true, audio: true, video: true };
        assert_eq!(asked(&lines(&["m=audio 9 X 1", "a=recvonly", "m=video 9 X 1", "a=sendrecv"])), all);
        assert_eq!(
            asked(&lines(&["m=audio 9 X 1", "m=video 9 X 1"])),
            all,
            "sendrecv is what is meant without a word"
        );
        let audio = Asked { sections: true, audio: true, video: false };
        assert_eq!(asked(&lines(&["m=audio 9 X 1", "m=video 9 X 1", "a=sendonly"])), audio);
        assert_eq!(
            asked(&lines(&["m=audio 9 X 1", "m=video 0 X 1", "a=sendrecv"])),
            audio,
            "a rejected section"
        );
        let chat = Asked { sections: true, ..Asked::default() };
        assert_eq!(asked("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n"), chat);
        assert_eq!(asked("v=0\r\n"), Asked::default());
    }

    #[test]
    fn candidates_belong_to_the_first_section() {
        assert_eq!(first_mid("v=0\r\nm=audio 9 X 1\r\na=mid:a\r\nm=video 9 X 1\r\na=mid:b\r\n"), Some("a"));
        assert_eq!(first_mid("v=0\r\n"), None);
    }
}

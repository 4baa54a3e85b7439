//! Whatever arrives, in whatever order: the segmenter's laws hold (common/segmenter_laws.rs). The fuzz target `segmenter`
//! looks for exceptions in another way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/segmenter_laws.rs"]
mod segmenter_laws;
#[path = "common/webm.rs"]
mod webm;

use proptest::prelude::*;
use roomcam::stream::{Origin, ReplayFrom};
use segmenter_laws::{Op, run};

fn fps() -> impl Strategy<Value = u8> {
    prop_oneof![Just(5u8), Just(10), Just(15), Just(24), Just(25), Just(30), Just(60)]
}

/// Beside the marks.
fn bytes() -> impl Strategy<Value = usize> {
    prop_oneof![4 => Just(0), 1 => 0usize..2000]
}

fn op() -> impl Strategy<Value = Op> {
    let lost = || prop::bool::weighted(0.1);
    prop_oneof![
        16 => (1u64..120, 0u64..300, 0u64..300, 0u64..14, lost(), lost(), prop::bool::weighted(0.2), bytes())
            .prop_map(|(millis, video_late, audio_late, jitter, video_lost, audio_lost, key, bytes)| Op::Deliver {
                millis, video_late, audio_late, jitter, video_lost, audio_lost, key, bytes
            }),
        1 => (any::<bool>(), 0u64..100_000_000, any::<bool>(), bytes())
            .prop_map(|(audio, captured_ms, key, bytes)| Op::Nonsense { audio, captured_ms, key, bytes }),
        12 => Just(Op::Cut),
        1 => Just(Op::Skip),
        1 => Just(Op::LosePictures),
        3 => (1usize..5).prop_map(|chunks| Op::Send { chunks }),
        1 => Just(Op::SendJoined),
        1 => (1usize..5).prop_map(|chunks| Op::TakeBack { chunks }),
        2 => prop_oneof![Just(Origin::Continue), Just(Origin::LeadIn), Just(Origin::Zero)].prop_map(Op::BeginEpoch),
        2 => prop_oneof![Just(ReplayFrom::KeyFrame), Just(ReplayFrom::Earlier), Just(ReplayFrom::Start)].prop_map(Op::Replay),
        1 => (0usize..20_000).prop_map(Op::MaxChunkBytes),
        1 => Just(Op::ShowBlack),
        1 => fps().prop_map(|fps| Op::ShowCamera { fps }),
        1 => Just(Op::HearSilence),
        1 => Just(Op::HearMicrophone),
        1 => (0u64..20_000).prop_map(|millis| Op::Suspend { millis }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_timeline_has_no_holes_whatever_arrives(fps in prop::option::weighted(0.9, fps()), ops in prop::collection::vec(op(), 1..150)) {
        run(fps, ops);
    }
}

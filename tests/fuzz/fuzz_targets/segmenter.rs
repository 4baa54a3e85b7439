//! Whatever is done to the segmenter, the laws of what it sends hold: those of the property test in
//! `tests/webm_properties.rs`, with operations that the fuzzer chooses by the code that they reach.
#![no_main]

#[path = "../../common/segmenter_laws.rs"]
mod segmenter_laws;
#[path = "../../common/webm.rs"]
mod webm;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use roomcam::stream::{Origin, ReplayFrom};
use segmenter_laws::{Op, run};

const FRAME_RATES: [u8; 7] = [5, 10, 15, 24, 25, 30, 60];
/// More make an input slow without making it different.
const MOST_OPERATIONS: usize = 300;

fuzz_target!(|input: &[u8]| {
    let mut input = Unstructured::new(input);
    let Ok(fps) = input.ratio(7u8, 8).and_then(|video| video.then(|| fps(&mut input)).transpose()) else {
        return;
    };
    let ops = std::iter::from_fn(|| if input.is_empty() { None } else { op(&mut input).ok() });
    run(fps, ops.take(MOST_OPERATIONS));
});

fn fps(input: &mut Unstructured) -> Result<u8> {
    input.choose(&FRAME_RATES).copied()
}

/// One byte says what is done, those after it how.
fn op(input: &mut Unstructured) -> Result<Op> {
    Ok(match input.int_in_range(0..=31u8)? {
        0..=10 => Op::Deliver {
            millis: input.int_in_range(1..=120)?,
            video_late: input.int_in_range(0..=300)?,
            audio_late: input.int_in_range(0..=300)?,
            jitter: input.int_in_range(0..=13)?,
            video_lost: input.ratio(1u8, 10)?,
            audio_lost: input.ratio(1u8, 10)?,
            key: input.ratio(1u8, 5)?,
            bytes: input.int_in_range(0..=2000)?,
        },
        11 => Op::Nonsense {
            audio: input.arbitrary()?,
            captured_ms: input.int_in_range(0..=100_000_000)?,
            key: input.arbitrary()?,
            bytes: input.int_in_range(0..=2000)?,
        },
        12..=18 => Op::Cut,
        19 => Op::Skip,
        20 => Op::LosePictures,
        21 => Op::Send { chunks: input.int_in_range(1..=4)? },
        22 => Op::SendJoined,
        23 => Op::TakeBack { chunks: input.int_in_range(1..=4)? },
        24 => Op::BeginEpoch(*input.choose(&[Origin::Continue, Origin::LeadIn, Origin::Zero])?),
        25 => Op::Replay(*input.choose(&[ReplayFrom::KeyFrame, ReplayFrom::Earlier, ReplayFrom::Start])?),
        26 => Op::MaxChunkBytes(input.int_in_range(0..=20_000)?),
        27 => Op::ShowBlack,
        28 => Op::ShowCamera { fps: fps(input)? },
        29 => Op::HearSilence,
        30 => Op::HearMicrophone,
        _ => Op::Suspend { millis: input.int_in_range(0..=20_000)? },
    })
}

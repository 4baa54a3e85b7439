//! The outbox and its law, on a clock that stands still.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use proptest::prelude::*;
use tokio::time::Instant;

use super::outbox::*;
use crate::media::{Chunk, MediaTime};

const CADENCE: Duration = Duration::from_millis(100);

fn chunk(seq: u64, size: usize) -> Chunk {
    let (before, end) = (MediaTime::from_millis(seq * 100), MediaTime::from_millis((seq + 1) * 100));
    Chunk { seq, epoch: 1, bytes: Bytes::from(vec![0; size]), before, end, ..Chunk::default() }
}

/// As [`chunk`], with an init segment of one byte.
fn first_chunk(seq: u64, size: usize) -> Chunk {
    Chunk { init_len: 1, ..chunk(seq, size) }
}

fn limits(millis: u64, bytes: usize) -> OutboxLimits {
    OutboxLimits { media: Duration::from_millis(millis), bytes }
}

fn put(outbox: &Outbox, seq: u64, size: usize) -> Result<(), PutError> {
    outbox.put(chunk(seq, size), "mime")
}

/// What comes out now, no chunk being joined to another: `Ok` a chunk's number, `Err` a change of state.
fn take(receiver: &mut OutboxReceiver) -> Option<Result<u64, StateChange>> {
    Some(match receiver.next(Instant::now(), 0).now_or_never()? {
        Outgoing::Chunk(queued) => Ok(queued.chunk.seq),
        Outgoing::State(change) => Err(change),
    })
}

#[test]
fn the_queue_is_bounded_by_media_time() {
    let (outbox, mut receiver) = outbox(limits(250, usize::MAX));
    for seq in 0..3 {
        assert!(outbox.has_room());
        put(&outbox, seq, 1).unwrap();
    }
    assert!(!outbox.has_room());
    assert_eq!(put(&outbox, 3, 1), Err(PutError::Full));

    assert_eq!(take(&mut receiver), Some(Ok(0)));
    assert!(!outbox.has_room(), "a chunk on its way still counts");
    receiver.chunk_gone();
    assert!(outbox.has_room());
}

#[test]
fn the_queue_is_bounded_by_bytes() {
    let (outbox, _receiver) = outbox(limits(10_000, 100));
    put(&outbox, 0, 99).unwrap();
    put(&outbox, 1, 99).unwrap();
    assert!(!outbox.has_room());
    assert_eq!(outbox.state().bytes, 198);
}

#[test]
fn states_overtake_chunks_and_the_newest_of_a_kind_wins() {
    let (outbox, mut receiver) = outbox(OutboxLimits::default());
    put(&outbox, 0, 1).unwrap();
    outbox.announce(StateChange::Camera { has_video: false });
    outbox.announce(StateChange::Speaking { speaking: true });
    outbox.announce(StateChange::Mic { is_muted: true });
    outbox.announce(StateChange::Speaking { speaking: false });
    outbox.announce(StateChange::Camera { has_video: true });
    assert_eq!(take(&mut receiver), Some(Err(StateChange::Mic { is_muted: true })));
    assert_eq!(take(&mut receiver), Some(Err(StateChange::Speaking { speaking: false })));
    assert_eq!(take(&mut receiver), Some(Err(StateChange::Camera { has_video: true })));
    assert_eq!(take(&mut receiver), Some(Ok(0)));
    assert_eq!(take(&mut receiver), None);
}

#[test]
fn a_reset_keeps_its_place_and_survives_a_clearing() {
    let (outbox, mut receiver) = outbox(OutboxLimits::default());
    put(&outbox, 0, 1).unwrap();
    outbox.announce(StateChange::StreamReset);
    outbox.announce(StateChange::StreamReset);
    put(&outbox, 1, 1).unwrap();
    assert_eq!(take(&mut receiver), Some(Ok(0)));
    let cleared: Vec<u64> = outbox.clear_media().iter().map(|chunk| chunk.seq).collect();
    assert_eq!(cleared, [1]);
    put(&outbox, 2, 1).unwrap();
    assert_eq!(take(&mut receiver), Some(Err(StateChange::StreamReset)));
    assert_eq!(take(&mut receiver), Some(Ok(2)));
    assert_eq!(take(&mut receiver), None);
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_counted_until_it_has_left() {
    let (outbox, mut receiver) = outbox(OutboxLimits::default());
    put(&outbox, 0, 10).unwrap();
    tokio::time::advance(Duration::from_millis(70)).await;
    put(&outbox, 1, 20).unwrap();
    let expected = QueueState { chunks: 2, bytes: 30, media: 2 * CADENCE };
    assert_eq!(outbox.state(), expected);
    assert_eq!(take(&mut receiver), Some(Ok(0)));
    assert_eq!(outbox.state(), expected, "a chunk on its way still waits");
    receiver.chunk_gone();
    let expected = QueueState { chunks: 1, bytes: 20, media: CADENCE };
    assert_eq!(outbox.state(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_backlog_is_as_old_as_its_oldest_chunk_could_have_been_sent() {
    let (outbox, mut receiver) = outbox(OutboxLimits::default());
    let start = Instant::now();
    assert_eq!(outbox.backlog(), Backlog::default());
    put(&outbox, 0, 10).unwrap();
    let from = start + Duration::from_millis(50);
    assert!(receiver.next(from, 0).now_or_never().is_none(), "too early for the receivers");
    tokio::time::advance(Duration::from_millis(50)).await;
    assert!(!outbox.backlog().busy, "the link has had nothing to do");

    tokio::time::advance(Duration::from_millis(200)).await;
    put(&outbox, 1, 10).unwrap();
    assert_eq!(outbox.backlog().age, Duration::from_millis(200));
    assert!(receiver.next(from, 0).now_or_never().is_some());
    assert_eq!(outbox.backlog().age, Duration::from_millis(200), "what is being written waits");
    assert!(outbox.backlog().busy);
    receiver.chunk_gone();

    tokio::time::advance(Duration::from_millis(30)).await;
    assert_eq!(outbox.backlog().age, Duration::from_millis(30));
}

/// What comes out now, joined: the bytes of a chunk and how many were joined to it.
fn take_joined(receiver: &mut OutboxReceiver, max_bytes: usize) -> Option<(usize, u32)> {
    match receiver.next(Instant::now(), max_bytes).now_or_never()? {
        Outgoing::Chunk(queued) => Some((queued.chunk.bytes.len(), queued.chunk.joined)),
        Outgoing::State(change) => panic!("{change:?}"),
    }
}

#[test]
fn chunks_that_have_waited_are_joined_but_none_to_an_init_segment() {
    let (outbox, mut receiver) = outbox(OutboxLimits::default());
    for seq in 0..3 {
        put(&outbox, seq, 10).unwrap();
    }
    outbox.put(first_chunk(3, 100), "mime").unwrap();
    put(&outbox, 4, 10).unwrap();
    outbox.put(chunk(5, 10), "other").unwrap();

    assert_eq!(take_joined(&mut receiver, 1000), Some((30, 2)));
    assert_eq!(outbox.state().bytes, 30 + 100 + 20, "what is on its way still waits");
    receiver.chunk_gone();
    assert_eq!(outbox.state().bytes, 100 + 20);
    assert_eq!(take_joined(&mut receiver, 1000), Some((110, 1)), "the init segment comes first");
    receiver.chunk_gone();
    assert_eq!(take_joined(&mut receiver, 1000), Some((10, 0)), "another type");
    receiver.chunk_gone();
    assert_eq!(outbox.state(), QueueState::default());
}

#[test]
fn chunks_are_joined_as_far_as_the_relay_accepts() {
    let (outbox, mut receiver) = outbox(OutboxLimits::default());
    for seq in 0..5 {
        put(&outbox, seq, 10).unwrap();
    }
    assert_eq!(take_joined(&mut receiver, 25), Some((20, 1)));
    receiver.chunk_gone();
    assert_eq!(take_joined(&mut receiver, 5), Some((10, 0)), "one that is larger goes alone");
}

#[tokio::test(start_paused = true)]
async fn a_chunk_waits_for_its_time_and_a_state_does_not() {
    let (outbox, mut receiver) = outbox(OutboxLimits::default());
    let start = Instant::now();
    let from = start + Duration::from_millis(50);
    put(&outbox, 0, 10).unwrap();
    outbox.announce(StateChange::Mic { is_muted: true });

    let state = receiver.next(from, 1000).await;
    assert!(matches!(state, Outgoing::State(StateChange::Mic { is_muted: true })));
    assert_eq!(start.elapsed(), Duration::ZERO);
    let chunk = receiver.next(from, 1000).await;
    assert!(matches!(chunk, Outgoing::Chunk(_)));
    assert_eq!(start.elapsed(), Duration::from_millis(50));
}

#[tokio::test]
async fn a_waiting_session_wakes_up() {
    let (outbox, mut receiver) = outbox(OutboxLimits::default());
    let waiting = tokio::spawn(async move { take_one(&mut receiver).await });
    tokio::task::yield_now().await;
    put(&outbox, 5, 1).unwrap();
    assert_eq!(waiting.await.unwrap(), 5);
}

async fn take_one(receiver: &mut OutboxReceiver) -> u64 {
    match receiver.next(Instant::now(), 0).await {
        Outgoing::Chunk(queued) => queued.chunk.seq,
        Outgoing::State(change) => panic!("{change:?}"),
    }
}

#[test]
fn the_end_of_the_session_closes_and_empties_it() {
    let (outbox, receiver) = outbox(OutboxLimits::default());
    put(&outbox, 0, 1).unwrap();
    drop(receiver);
    assert_eq!(put(&outbox, 1, 1), Err(PutError::Closed));
    assert!(!outbox.has_room());
    assert_eq!(outbox.state(), QueueState::default());
    assert_eq!(outbox.clear_media(), []);
}

#[derive(Debug, Clone)]
enum Step {
    Put(usize),
    Take,
    Gone,
    Clear,
    Reset,
}

proptest! {
    /// The law, over any mixture of calls: chunks come out in order, each either sent or cleared, none twice,
    /// and the totals are those of what is inside.
    #[test]
    fn a_committed_chunk_is_sent_in_order_or_cleared(steps in prop::collection::vec(prop_oneof![
        4 => (0_usize..300).prop_map(Step::Put),
        3 => Just(Step::Take),
        3 => Just(Step::Gone),
        1 => Just(Step::Clear),
        1 => Just(Step::Reset),
    ], 0..60)) {
        let (outbox, mut receiver) = outbox(limits(500, 1000));
        let (mut inside, mut in_flight) = (std::collections::VecDeque::new(), None);
        for (seq, step) in (0_u64..).zip(steps) {
            match step {
                Step::Put(size) => {
                    let room = outbox.has_room();
                    prop_assert_eq!(put(&outbox, seq, size).is_ok(), room);
                    if room {
                        inside.push_back((seq, size));
                    }
                }
                // The session takes the next only when the last has gone.
                Step::Take if in_flight.is_none() => match take(&mut receiver) {
                    Some(Ok(taken)) => {
                        in_flight = inside.pop_front();
                        prop_assert_eq!(in_flight.map(|(seq, _)| seq), Some(taken));
                    }
                    Some(Err(change)) => prop_assert_eq!(change, StateChange::StreamReset),
                    None => prop_assert!(inside.is_empty()),
                },
                Step::Take => {}
                Step::Gone => {
                    receiver.chunk_gone();
                    in_flight = None;
                }
                Step::Clear => {
                    let cleared: Vec<_> = outbox.clear_media().iter().map(|c| (c.seq, c.bytes.len())).collect();
                    prop_assert_eq!(cleared, Vec::from_iter(inside.drain(..)));
                }
                Step::Reset => outbox.announce(StateChange::StreamReset),
            }
            let all = || inside.iter().chain(in_flight.iter());
            let state = outbox.state();
            prop_assert_eq!(state.chunks, all().count());
            prop_assert_eq!(state.bytes, all().map(|(_, size)| size).sum::<usize>());
            prop_assert_eq!(state.media, CADENCE * u32::try_from(all().count()).unwrap());
            prop_assert!(state.bytes < 1000 + 300 && state.media <= 5 * CADENCE);
        }
    }
}

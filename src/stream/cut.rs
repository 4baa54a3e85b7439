//! Where a chunk may end (docs/receivers.md §6.2): at a time that no block crosses, or only such a block as can
//! be shortened to it.

use crate::media::MediaTime;

/// What a chunk's end has to respect of one track.
#[derive(Debug, Clone, Copy)]
pub struct Starts<'a> {
    /// Where its blocks start, in order.
    pub places: &'a [MediaTime],
    /// How long the last block before the end must last, in milliseconds.
    pub shortest_last_ms: u64,
}

/// How long the last block of a chunk must last at least, given its nominal duration: two thirds of it, so that the
/// next block, a whole duration after it, is less than two shortened durations away. 14 of 20 ms, 22 of 33, 27 of 40.
pub const fn shortest_last(duration_ms: u64) -> u64 {
    (2 * duration_ms).div_ceil(3)
}

/// The latest time that is not after `limit` and not too soon after the start of any block.
///
/// What starts at it or later belongs to the next chunk.
pub fn latest_cut(limit: MediaTime, tracks: &[Starts<'_>]) -> MediaTime {
    let mut cut = limit;
    while let Some(start) = tracks.iter().filter_map(|track| track.too_soon_before(cut)).min() {
        cut = start;
    }
    cut
}

impl Starts<'_> {
    /// The start of the last block before `cut`, if it would be shortened too much.
    fn too_soon_before(&self, cut: MediaTime) -> Option<MediaTime> {
        let (before, behind) = self.places.split_at(self.places.partition_point(|place| *place < cut));
        let last = before.last()?;
        // Browsers take a step of more than twice the last block's duration for a discontinuity.
        let step_ms = behind.first().map_or(0, |next| next.as_millis() - last.as_millis());
        let lasts_ms = cut.as_millis() - last.as_millis();
        (lasts_ms < self.shortest_last_ms.max(step_ms.div_ceil(2))).then_some(*last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(limit: u64, video: &[u64], audio: &[u64]) -> u64 {
        let places = |millis: &[u64]| millis.iter().copied().map(MediaTime::from_millis).collect::<Vec<_>>();
        let (video, audio) = (places(video), places(audio));
        let tracks = [
            Starts { places: &video, shortest_last_ms: shortest_last(33) },
            Starts { places: &audio, shortest_last_ms: shortest_last(20) },
        ];
        latest_cut(MediaTime::from_millis(limit), &tracks).as_millis()
    }

    #[test]
    fn a_chunk_ends_where_both_tracks_do() {
        assert_eq!(cut(100, &[0, 33, 67], &[0, 20, 40, 60, 80]), 100);
    }

    #[test]
    fn a_block_that_would_be_too_short_is_left_to_the_next_chunk() {
        // The picture at 90 would last 10 ms: so the chunk ends where it starts, and there the packet at 80 would last
        // 10 of its 20 ms. It ends at 80.
        assert_eq!(cut(100, &[0, 33, 57, 90], &[0, 20, 40, 60, 80]), 80);
        // With the packets off the grid the picture's start will do.
        assert_eq!(cut(96, &[0, 33, 57, 90], &[16, 36, 56, 76]), 90);
    }

    #[test]
    fn a_block_lasts_at_least_half_of_the_step_to_the_next_one() {
        assert_eq!(cut(74, &[0, 33, 66], &[0, 20, 40, 60, 89]), 60);
        assert_eq!(cut(75, &[0, 33, 53], &[0, 20, 40, 60, 89]), 75);
    }

    #[test]
    fn two_thirds_of_a_block_are_enough() {
        assert_eq!(cut(94, &[0, 33, 67], &[0, 20, 40, 60, 80]), 94);
        assert_eq!(cut(93, &[0, 33, 67], &[0, 20, 40, 60, 80]), 60);
    }
}

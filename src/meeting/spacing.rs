//! How far apart chunks are: receivers fail on chunks that come close together (ARCHITECTURE.md, "Spacing").

use std::time::Duration;

/// No two chunks are closer together than this. The later deployed clients append by two paths, and of chunks that come
/// while another one is being appended they lose one (docs/receivers.md §4.1, §4.2).
pub const SHORTEST_GAP: Duration = Duration::from_millis(50);
/// Nothing follows an init segment sooner than this. A receiver that has just begun throws away what it has if the next
/// chunk finds its MediaSource not yet open, which takes 3 ms as a rule, and up to 107 ms on a page that is just loading
/// (docs/receivers.md §2.10, §4.1). It is hardly more than the beat, for those who watch have little media in hand.
pub const GAP_AFTER_INIT: Duration = Duration::from_millis(120);

/// How long nothing follows a chunk, which begins with an init segment or not.
pub fn gap_after(has_init: bool) -> Duration {
    if has_init { GAP_AFTER_INIT } else { SHORTEST_GAP }
}

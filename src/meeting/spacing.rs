//! How far apart chunks are: receivers fail on chunks that come close together (ARCHITECTURE.md, "Spacing").

use std::time::Duration;

/// No two chunks are closer together than this. The later deployed clients append by two paths, and of chunks that come
/// while another one is being appended they lose one (docs/receivers.md §4.1, §4.2).
pub const SHORTEST_GAP: Duration = Duration::from_millis(50);
/// Nothing follows an init segment sooner than this. A receiver that has just begun throws away what it has if the next
/// chunk finds its MediaSource not yet open, which takes 5 to 50 ms (docs/receivers.md §4.1, §4.2).
pub const GAP_AFTER_INIT: Duration = Duration::from_millis(170);

/// How long nothing follows a chunk, which begins with an init segment or not.
pub fn gap_after(has_init: bool) -> Duration {
    if has_init { GAP_AFTER_INIT } else { SHORTEST_GAP }
}

//! How a relay ends while others go on: it takes nobody new, and its rooms leave one after the other, so that the relays
//! which take them over do not get everybody at once.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::hub::Hub;

/// How long a load balancer may take to see that the relay takes nobody new (OPERATING.md: two checks, a second apart).
/// Whoever is sent away before that is sent here again.
const NOTICE: Duration = Duration::from_secs(3);

/// Sends all participants away, room by room, within `time`; at once if that is zero.
pub(super) async fn drain(hub: &Hub, time: Duration) {
    let begun = Instant::now();
    let notice = NOTICE.min(time);
    sleep_until(begun + notice).await;
    let rooms = hub.rooms();
    let count = u32::try_from(rooms.len()).unwrap_or(u32::MAX).max(1);
    for (number, members) in (0..).zip(rooms) {
        sleep_until(begun + notice + (time - notice) / count * number).await;
        hub.send_away(members);
    }
    // Those who have not joined.
    hub.send_away(hub.sessions.list());
}

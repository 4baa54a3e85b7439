//! What a connection has given to the kernel, and how far it has come.

use std::io;
use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use socket2::{SockRef, Socket};
use tokio::net::TcpStream;

/// The bytes of one connection on their way, counted between the connection and whoever watches it.
#[derive(Debug, Clone)]
pub struct SendQueue(Arc<Shared>);

/// What the kernel may hold beyond what is on the way, as a time of what is sent. It takes twice as much as it is told.
const HELD: Duration = Duration::from_millis(50);
/// The least that it may be told, in bytes: on a link that is too slow, and on one that carries everything. There a key frame
/// or a replay goes in a few pieces; each further one would wait for the loop to be woken, which on a busy machine takes
/// longer than the link does, and what follows would come right behind.
const LEAST_IF_SLOW: u32 = 4 * 1024;
const LEAST: u32 = 16 * 1024;

#[derive(Debug)]
struct Shared {
    taken: AtomicU64,
    /// What the kernel was last told to hold, in bytes; 0 before that.
    holds: AtomicU32,
    /// A descriptor of its own. It must go for the connection to be closed.
    socket: Socket,
}

/// How far the bytes of a connection have come, each counted since it was opened, with what TLS and WebSocket add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SendProgress {
    /// Bytes that the other end has, as far as it has said: also behind a gap of what was lost on the way.
    pub delivered: u64,
    /// Those of them that it has without a gap.
    pub acknowledged: u64,
    /// The shortest time from sending to the acknowledgement of late.
    pub round_trip: Duration,
    /// How long ago the other end last acknowledged or sent anything; [`Duration::MAX`] if that is not known.
    pub since_heard: Duration,
}

impl SendQueue {
    pub(super) fn new(stream: &TcpStream) -> io::Result<Self> {
        let socket = SockRef::from(stream).try_clone()?;
        Ok(Self(Arc::new(Shared { taken: AtomicU64::new(0), holds: AtomicU32::new(0), socket })))
    }

    /// The kernel took so many bytes.
    pub(super) fn take(&self, bytes: usize) {
        self.0.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes that the kernel took since the connection was opened.
    pub fn taken(&self) -> u64 {
        self.0.taken.load(Ordering::Relaxed)
    }

    /// From now on the kernel holds no more than what so many bits per second need on a way with this round trip. What it has of
    /// more stays; what a slow link delays beyond that waits where it can still be given up. `is_slow`: it does not carry all.
    pub fn expect(&self, bits_per_second: u32, round_trip: Duration, is_slow: bool) {
        // Half the round trip, because the kernel takes twice as much.
        let least = if is_slow { LEAST_IF_SLOW } else { LEAST };
        let time = HELD + round_trip / 2;
        let bytes = u128::from(bits_per_second) * time.as_millis() / 8000;
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).max(least);
        let held = self.0.holds.load(Ordering::Relaxed);
        if held.abs_diff(bytes) <= held / 8 {
            return;
        }
        self.0.holds.store(bytes, Ordering::Relaxed);
        if let Err(error) = self.0.socket.set_send_buffer_size(bytes as usize) {
            tracing::debug!("cannot bound what the kernel holds: {error}");
        }
    }

    /// How far the bytes have come. On a kernel that does not tell, all that it took was delivered at once.
    pub fn progress(&self) -> SendProgress {
        let taken = self.taken();
        let all = SendProgress {
            delivered: taken,
            acknowledged: taken,
            round_trip: Duration::ZERO,
            since_heard: Duration::MAX,
        };
        TcpInfo::of(&self.0.socket).and_then(|info| info.progress(taken)).unwrap_or(all)
    }
}

/// The part of `struct tcp_info` (linux/tcp.h) that is read here. Its layout only ever grows at the end.
struct TcpInfo([u8; 152]);

impl TcpInfo {
    fn of(socket: &Socket) -> Option<Self> {
        let mut info = [0; 152];
        let mut len = libc::socklen_t::try_from(size_of_val(&info)).ok()?;
        #[allow(unsafe_code, reason = "no crate reads all of this")]
        // SAFETY: the descriptor is open, and the kernel writes at most `len` bytes of plain numbers.
        let failed = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                info.as_mut_ptr().cast(),
                &raw mut len,
            )
        };
        (failed == 0 && usize::try_from(len).ok()? == size_of_val(&info)).then_some(Self(info))
    }

    fn progress(&self, taken: u64) -> Option<SendProgress> {
        let segment = self.u32(16)?;
        let behind_gap = self.u32(28)?;
        // The SYN counts as one.
        let acknowledged = self.u64(120)?.saturating_sub(1).min(taken);
        let delivered = acknowledged + u64::from(behind_gap) * u64::from(segment);
        Some(SendProgress {
            delivered: delivered.min(taken),
            acknowledged,
            round_trip: Duration::from_micros(u64::from(self.u32(148)?)),
            since_heard: Duration::from_millis(u64::from(self.u32(56)?)),
        })
    }

    fn u32(&self, offset: usize) -> Option<u32> {
        Some(u32::from_ne_bytes(self.0.get(offset..offset + size_of::<u32>())?.try_into().ok()?))
    }

    fn u64(&self, offset: usize) -> Option<u64> {
        Some(u64::from_ne_bytes(self.0.get(offset..offset + size_of::<u64>())?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpSocket;

    use super::*;

    #[tokio::test]
    async fn it_knows_what_was_taken_and_what_was_acknowledged() {
        let peer = TcpSocket::new_v4().unwrap();
        peer.set_recv_buffer_size(8 * 1024).unwrap();
        peer.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = peer.listen(1).unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let queue = SendQueue::new(&stream).unwrap();

        queue.take(stream.write(&vec![0; 1 << 20]).await.unwrap());

        let (taken, SendProgress { acknowledged, .. }) = (queue.taken(), queue.progress());
        assert!(taken > 64 * 1024, "the kernel took {taken} bytes");
        assert!(acknowledged < taken / 2, "a peer that does not read acknowledged {acknowledged} of {taken}");

        let mut reader = accepted.into_std().unwrap();
        reader.set_nonblocking(false).unwrap();
        let count = usize::try_from(taken).unwrap();
        tokio::task::spawn_blocking(move || reader.read_exact(&mut vec![0; count])).await.unwrap().unwrap();
        while queue.progress().acknowledged < taken {
            tokio::task::yield_now().await;
        }
        let SendProgress { delivered, round_trip, since_heard, .. } = queue.progress();
        assert_eq!(delivered, taken);
        assert!(since_heard < Duration::from_secs(1), "{since_heard:?}");
        assert!(round_trip > Duration::ZERO && round_trip < Duration::from_secs(1), "{round_trip:?}");
    }
}

/** One forwarded chunk: when it arrived (Unix ms, with fractions), its `timestamp` and its length in bytes. */
export type Arrival = [arrivedMs: number, timestamp: number, bytes: number];

/** What the relay saw of one user, across all of the user's sockets. */
export interface SenderStats {
  userId: string;
  chunks: number;
  bytes: number;
  /** Chunks that came without a seat to broadcast from. */
  dropped: number;
  lastTimestamp: number | null;
  lastMimeType: string | null;
}

/** Something that happened to a user, for tests to assert on. */
export interface Happening {
  atMs: number;
  what:
    | 'connect'
    | 'join'
    | 'refuse'
    | 'leave-room'
    | 'disconnect'
    | 'kick'
    | 'camera-state-changed'
    | 'mic-state-changed'
    | 'stream-reset'
    | 'request-keyframe';
  userId: string;
  socketId: string;
  detail?: unknown;
}

/** The last arrivals that are kept for one user: half an hour at ten chunks a second. */
const ARRIVALS_KEPT = 18_000;

/** Unix time in ms with fractions, from the monotonic clock, so that a step of the wall clock is no gap. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

export class Stats {
  readonly happenings: Happening[] = [];
  private readonly senders = new Map<string, SenderStats>();
  private readonly arrivals = new Map<string, Arrival[]>();

  happened(what: Happening['what'], userId: string, socketId: string, detail?: unknown): void {
    this.happenings.push({ atMs: nowMs(), what, userId, socketId, detail });
  }

  forwarded(userId: string, bytes: number, timestamp: unknown, mimeType: unknown): void {
    const sender = this.sender(userId);
    sender.chunks += 1;
    sender.bytes += bytes;
    sender.lastTimestamp = typeof timestamp === 'number' ? timestamp : null;
    sender.lastMimeType = typeof mimeType === 'string' ? mimeType : null;
    const arrivals = this.arrivalsOf(userId);
    arrivals.push([nowMs(), sender.lastTimestamp ?? Number.NaN, bytes]);
    if (arrivals.length > ARRIVALS_KEPT) arrivals.shift();
  }

  dropped(userId: string): void {
    this.sender(userId).dropped += 1;
  }

  all(): SenderStats[] {
    return [...this.senders.values()];
  }

  arrivalsOf(userId: string): Arrival[] {
    let arrivals = this.arrivals.get(userId);
    if (!arrivals) this.arrivals.set(userId, (arrivals = []));
    return arrivals;
  }

  private sender(userId: string): SenderStats {
    let sender = this.senders.get(userId);
    if (!sender) {
      sender = { userId, chunks: 0, bytes: 0, dropped: 0, lastTimestamp: null, lastMimeType: null };
      this.senders.set(userId, sender);
    }
    return sender;
  }
}

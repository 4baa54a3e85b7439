// Plays one sender's chunks in one <video>, at the live edge and without ever staying frozen.

import { steer } from './live-edge.js';
import { Stats } from './stats.js';
import { clustersIn, isInit, mayBecomeInit, sameInit } from './webm.js';

/** Chunks that may wait to be appended. They are appended all at once, so that they wait only while the
 *  browser opens a MediaSource or is busy with one long append. */
const MAX_QUEUE = 30;
/** Played media is kept this long, and removed in strides (seconds). */
const KEEP_BEHIND = 10;
const PRUNE_STRIDE = 5;
/** An init segment whose clusters end this much before the newest one starts a new timeline (seconds).
 *  A replay for a late joiner also goes back, but ends where the sender is. */
const RESTART_BEHIND = 1;
/** Browsers cut their stream anywhere: an init segment waits this long for its first cluster (bytes). */
const MAX_CARRY = 256 * 1024;
/** Chunks come, but nothing of them gets into the buffer for this long (milliseconds): after a hole of more
 *  than two frames the browser drops video until the next key frame, and some senders make none by themselves. */
const BARREN = 500;
/** Between two requests for an init segment (milliseconds); doubles up to the limit while none comes. */
const ASK_FIRST = 700;
const ASK_LIMIT = 5000;

export class Player {
  stats = new Stats();
  /** Seconds between the newest sample and the picture. */
  lag = 0;

  #video;
  #events;
  #source = null;
  #buffer = null;
  #mime = '';
  /** The init segment in use, and the time of the newest cluster received after it (seconds). */
  #init = new Uint8Array();
  #newest = 0;
  #queue = [];
  /** The beginning of an init segment whose first cluster has not come yet. */
  #carry = null;
  /** Chunks are dropped until one starts with an init segment. */
  #awaitingInit = true;
  #askAt = null;
  #askAgain = ASK_FIRST;
  /** The next init segment is taken whole, whatever of it has been seen before. */
  #wantWhole = false;
  /** How far the buffer reaches (seconds), since when, and how many chunks have been appended since. */
  #edge = 0;
  #edgeAt = 0;
  #appended = 0;
  #position = 0;
  #movedAt = 0;
  #nudges = 0;
  #destroyed = false;
  #closing = null;

  /**
   * @param {HTMLVideoElement} video
   * @param {object} events
   * @param {(now: number, presented: number, mediaTime: number) => void} events.frame a frame has been shown
   * @param {(firstCluster: number|null) => void} events.init an init segment has come, for media from there
   * @param {() => void} events.restart the picture is about to go: keep it on display if you can
   * @param {() => void} events.needInit ask the sender for an init segment and a key frame
   */
  constructor(video, events) {
    this.#video = video;
    this.#events = events;
    video.requestVideoFrameCallback(this.#onFrame);
    video.addEventListener('error', this.#onVideoError);
  }

  /** One chunk, as it came. */
  push(bytes, mime, timestamp) {
    this.stats.chunkArrived(timestamp);
    if (this.#carry) bytes = joined([this.#carry, bytes]);
    this.#carry = null;
    const clusters = clustersIn(bytes);
    if (mayBecomeInit(bytes) && !clusters.length && bytes.length < MAX_CARRY) {
      // Where its timeline starts decides what to do with it.
      this.#carry = bytes;
    } else if (isInit(bytes)) {
      this.#beginEpoch(bytes, mime, clusters);
    } else if (this.#awaitingInit) {
      this.stats.dropped += 1;
      // The sender usually notices by itself that somebody has joined; ask only if it does not.
      this.#askAt ??= performance.now() + this.#askAgain;
    } else {
      this.#enqueue(bytes);
    }
    this.#newest = clusters.at(-1)?.time ?? this.#newest;
  }

  #beginEpoch(bytes, mime, clusters) {
    if (this.#source && (mime !== this.#mime || this.#startsAnew(clusters))) this.restart();
    if (!this.#source && !this.#open(mime)) return;
    const initEnd = clusters[0]?.at ?? bytes.length;
    const fresh = this.#awaitingInit || this.#wantWhole ? bytes : this.#notYetSeen(bytes, initEnd, clusters);
    this.#init = bytes.slice(0, initEnd);
    this.#awaitingInit = false;
    this.#wantWhole = false;
    this.#askAt = null;
    this.#askAgain = ASK_FIRST;
    if (fresh === bytes) this.#events.init(clusters[0]?.time ?? null);
    if (fresh.length) this.#enqueue(fresh);
  }

  /** What of a chunk with an init segment is new. A replay for somebody else who joins late repeats what
   *  plays here already; appending it again would make the decoder start over in the middle. */
  #notYetSeen(bytes, initEnd, clusters) {
    const replay =
      clusters.length > 0 &&
      clusters[0].time <= this.#newest &&
      clusters.at(-1).time >= this.#newest &&
      sameInit(this.#init, this.#init.length, bytes, initEnd);
    if (!replay) return bytes;
    const next = clusters.find((cluster) => cluster.time > this.#newest);
    return next ? bytes.subarray(next.at) : bytes.subarray(bytes.length);
  }

  #enqueue(bytes) {
    this.#queue.push(bytes);
    if (this.#queue.length > MAX_QUEUE) this.#shed();
    this.#pump();
  }

  /** Throws the stream away and waits for the next init segment: `stream-reset`, a new connection of the
   *  sender, or a timeline that starts anew. */
  restart() {
    this.#events.restart();
    this.#close();
  }

  /** Steers; to be called about ten times a second. */
  tick(now) {
    if (this.#askAt !== null && now >= this.#askAt) {
      this.#askAgain = Math.min(this.#askAgain * 2, ASK_LIMIT);
      this.#askAt = now + this.#askAgain;
      this.#events.needInit();
    }
    if (!this.#buffer) return;
    const video = this.#video;
    // A browser may pause a muted video that was out of sight; one that may not play rejects, until the
    // user clicks.
    if (video.paused) video.play().catch(() => {});
    if (video.currentTime !== this.#position) {
      this.#position = video.currentTime;
      this.#movedAt = now;
      this.#nudges = 0;
    }
    const ranges = this.#ranges();
    this.#watchEdge(now, ranges.at(-1)?.[1] ?? 0);
    const decision = steer({
      position: this.#position,
      ranges,
      starved: video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA,
      seeking: video.seeking,
      stalledMs: video.paused ? 0 : now - this.#movedAt,
      nudges: this.#nudges,
    });
    this.lag = decision.lag;
    if (decision.jumpTo !== null) {
      this.stats.jumps[decision.why] = (this.stats.jumps[decision.why] ?? 0) + 1;
      this.#nudges += 1;
      this.#movedAt = now;
      this.#position = decision.jumpTo;
      video.currentTime = decision.jumpTo;
    } else if (video.playbackRate !== decision.rate && !video.seeking) {
      video.playbackRate = decision.rate;
    }
  }

  destroy() {
    this.#destroyed = true;
    this.#video.removeEventListener('error', this.#onVideoError);
    this.#close();
    this.#video.removeAttribute('src');
    this.#video.load();
  }

  #watchEdge(now, edge) {
    if (edge !== this.#edge || this.#appended < 3) {
      if (edge !== this.#edge) this.#appended = 0;
      this.#edge = edge;
      this.#edgeAt = now;
    } else if (now - this.#edgeAt > BARREN) {
      this.#edgeAt = now;
      this.#wantWhole = true;
      this.#events.needInit();
    }
  }

  #onFrame = (now, { presentedFrames, mediaTime }) => {
    if (this.#destroyed) return;
    this.#video.requestVideoFrameCallback(this.#onFrame);
    this.#events.frame(now, presentedFrames, mediaTime);
  };

  #onVideoError = () => {
    if (this.#source) this.#fail(this.#video.error?.message || 'the browser cannot decode the stream');
  };

  #open(mime) {
    if (!MediaSource.isTypeSupported(mime)) {
      this.stats.errors += 1;
      this.stats.lastError = `this browser cannot play ${mime}`;
      return false;
    }
    const source = new MediaSource();
    const url = URL.createObjectURL(source);
    this.#closing = new AbortController();
    const { signal } = this.#closing;
    const on = (target, event, act) => target.addEventListener(event, act, { signal });
    on(source, 'sourceopen', () => {
      URL.revokeObjectURL(url);
      const buffer = source.addSourceBuffer(mime);
      on(buffer, 'updateend', () => this.#pump());
      on(buffer, 'error', () => this.#fail('the browser cannot read the stream'));
      this.#buffer = buffer;
      this.#movedAt = performance.now();
      this.#pump();
    });
    this.#mime = mime;
    this.#source = source;
    this.#video.src = url;
    this.#position = 0;
    this.#movedAt = performance.now();
    this.#nudges = 0;
    this.#edge = 0;
    this.#appended = 0;
    this.#wantWhole = false;
    return true;
  }

  /** Lets go of the MediaSource. The element keeps its `src`, and so often its last picture, until the next. */
  #close() {
    this.#closing?.abort();
    this.#source = null;
    this.#buffer = null;
    this.#queue = [];
    this.#carry = null;
    this.#awaitingInit = true;
    this.#askAt = null;
    this.#newest = 0;
    this.lag = 0;
  }

  #fail(why) {
    this.stats.errors += 1;
    this.stats.lastError = why;
    this.restart();
    this.#events.needInit();
    this.#askAt = performance.now() + this.#askAgain;
  }

  /** Appends everything that waits, in one go: that costs hardly more than appending one chunk, so a slow
   *  append makes the next one longer instead of making the queue grow. */
  #pump() {
    const buffer = this.#buffer;
    if (!buffer || buffer.updating || this.#source.readyState !== 'open') return;
    if (!this.#queue.length) {
      this.#prune(PRUNE_STRIDE);
      return;
    }
    const waiting = this.#queue;
    this.#queue = [];
    try {
      buffer.appendBuffer(joined(waiting));
      this.#appended += waiting.length;
    } catch (error) {
      if (error.name === 'QuotaExceededError' && this.#prune(0)) {
        this.#queue = waiting;
      } else {
        this.#fail(error.message);
      }
    }
  }

  /** Too much waits. Leaving out the oldest chunk would tear a hole and take the key frame that the rest
   *  needs, so skip to the newest init segment, or to the next one if none waits. */
  #shed() {
    const init = this.#queue.findLastIndex((chunk) => isInit(chunk));
    if (init > 0) {
      this.stats.dropped += init;
      this.#queue.splice(0, init);
    } else {
      this.stats.dropped += this.#queue.length;
      this.#queue = [];
      this.#awaitingInit = true;
      this.#events.needInit();
      this.#askAt = performance.now() + this.#askAgain;
    }
  }

  /** Removes what was played long ago, if that is `stride` seconds or more. Returns whether it did. */
  #prune(stride) {
    const [first] = this.#ranges();
    if (!first) return false;
    const keep = stride ? KEEP_BEHIND : 1;
    const end = this.#video.currentTime - keep;
    if (end - first[0] <= stride) return false;
    this.#buffer.remove(0, end);
    return true;
  }

  #startsAnew(clusters) {
    const last = clusters.at(-1);
    // Of a stream that is cut anywhere, not every cluster is seen; then what is buffered tells.
    const newest = Math.max(this.#newest, this.#ranges().at(-1)?.[1] ?? 0);
    return last !== undefined && last.time < newest - RESTART_BEHIND;
  }

  #ranges() {
    const buffered = this.#buffer?.buffered;
    return Array.from({ length: buffered?.length ?? 0 }, (_, at) => [buffered.start(at), buffered.end(at)]);
  }
}

function joined(chunks) {
  if (chunks.length === 1) return chunks[0];
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

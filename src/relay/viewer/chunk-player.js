// Plays one sender's chunks in one <video>, at the live edge and without ever staying frozen.

import { startPlaying } from './autoplay.js';
import { mayStart, steer } from './live-edge.js';
import { Progress } from './progress.js';
import { Sink, unplayable } from './sink.js';
import { rowsOfChunks } from './statistics.js';
import { Stats } from './stats.js';
import { TrackWriter, initOf, mimeOf } from './tracks.js';
import { WebmReader } from './webm.js';

/** Appends that may wait for a busy browser, of both tracks: some 7 s. A page that was held up gets all that it missed at once. */
const MAX_BACKLOG = 150;
/** An init segment whose media ends this much before the newest starts a new timeline (seconds). A replay for
 *  a late joiner also goes back, but ends where the sender is. */
const RESTART_BEHIND = 1;
/** Chunks come, but nothing of them gets into the buffer for this long (milliseconds): after a hole of more
 *  than two frames the browser drops video until the next key frame, and some senders make none by themselves. */
const BARREN = 500;
/** The patience doubles with each request up to this, and is forgotten after as long (milliseconds). */
const BARREN_LIMIT = 8000;
/** So many chunks must have come in vain meanwhile. */
const BARREN_CHUNKS = 3;
/** The smallest lag is that of the last so many ticks. */
const LEAST_OF = 10;
/** Between two requests for an init segment (milliseconds); doubles up to the limit while none comes. */
const ASK_FIRST = 700;
const ASK_LIMIT = 5000;

/** @implements {import('./tile.js').Player} */
export class ChunkPlayer {
  stats = new Stats();
  /** Seconds between the newest sample and the picture. */
  lag = 0;

  #video;
  #events;
  #progress;
  #reader = new WebmReader();
  /** What plays, and by track number what goes into it. */
  #sink = null;
  #tracks = new Map();
  #writers = new Map();
  /** The init segments in use, by track. */
  #inits = new Map();
  /** An init segment that waits for its first block: where its timeline starts decides what to do with it. */
  #pending = null;
  /** The time of the newest block by track (seconds). */
  #newest = new Map();
  /** What comes is dropped until an init segment does. */
  #awaitingInit = true;
  #askAt = null;
  #askAgain = ASK_FIRST;
  /** The next init segment is taken whole, whatever of it has been seen before. */
  #wantWhole = false;
  /** How far the buffer reaches (seconds), since when, and how many chunks have been appended since. */
  #edge = 0;
  #edgeAt = 0;
  #appended = 0;
  #barren = BARREN;
  #barrenAt = 0;
  /** When the first of the stream could be played (`performance.now()`), and whether playback has begun. */
  #readyAt = null;
  #started = false;
  /** The lag at the last ticks (seconds). */
  #lags = [];
  #position = 0;
  #movedAt = 0;
  #nudges = 0;

  constructor(video, events) {
    this.#video = video;
    this.#events = events;
    this.#progress = new Progress(video, events.frames);
    video.addEventListener('error', this.#onVideoError);
  }

  /** One chunk, as it came. */
  take({ chunk, mimeType, timestamp }) {
    // Other containers, which some browsers record, have no reader here.
    if (/^(video|audio)\/(webm|x-matroska)\b/.test(mimeType)) this.#push(new Uint8Array(chunk), timestamp);
    else this.#events.unplayable([String(mimeType)]);
  }

  #push(bytes, timestamp) {
    this.stats.chunkArrived(timestamp);
    let blocks = [];
    for (const { init, block } of this.#reader.push(bytes)) {
      if (block) {
        blocks.push(block);
      } else {
        this.#take(blocks);
        blocks = [];
        this.#pending = init;
      }
    }
    this.#take(blocks);
  }

  /** Throws the stream away and waits for the next init segment: `stream-reset`, a new connection of the
   *  sender, or a timeline that starts anew. */
  restart() {
    this.#reader = new WebmReader();
    this.#pending = null;
    this.#startOver();
  }

  /** Steers; to be called about ten times a second. */
  tick(now) {
    this.#progress.tick(now);
    if (this.#askAt !== null && now >= this.#askAt) {
      this.#askAgain = Math.min(this.#askAgain * 2, ASK_LIMIT);
      this.#askAt = now + this.#askAgain;
      this.#events.needInit();
    }
    if (!this.#sink?.open) return;
    this.#watchEdge(now, this.#sink.ranges.at(-1)?.[1] ?? 0);
    this.#steer(now);
    this.#lags = [...this.#lags, this.lag].slice(-LEAST_OF);
    if (this.#started && this.#video.paused) this.#play();
  }

  rows(now) {
    return rowsOfChunks(this, this.#video, now);
  }

  destroy() {
    this.#progress.stop();
    this.#video.removeEventListener('error', this.#onVideoError);
    this.#close();
    this.#video.removeAttribute('src');
    this.#video.load();
  }

  #take(blocks) {
    if (!blocks.length) return;
    const init = this.#pending;
    this.#pending = null;
    if (init) {
      this.#beginEpoch(init, blocks);
    } else if (this.#awaitingInit) {
      this.stats.dropped += 1;
      // The sender usually notices by itself that somebody has joined; ask only if it does not.
      this.#askAt ??= performance.now() + this.#askAgain;
    } else {
      this.#append(blocks);
    }
  }

  #beginEpoch(init, blocks) {
    const tracks = new Map(init.tracks.map((track) => [track.number, track]));
    if (this.#sink && (!sameStreams(tracks, this.#tracks) || this.#startsAnew(blocks))) this.#startOver();
    if (!this.#sink && !this.#open(tracks)) return;

    const inits = new Map([...tracks].map(([number, track]) => [number, initOf(init, track)]));
    const same = [...inits].every(([number, bytes]) => equal(bytes, this.#inits.get(number)));
    const whole = this.#awaitingInit || this.#wantWhole || !same || !this.#repeats(blocks);
    this.#awaitingInit = false;
    this.#wantWhole = false;
    this.#askAt = null;
    this.#askAgain = ASK_FIRST;
    if (!whole) {
      // A replay for somebody else who joins late repeats what plays here already; appending it again would
      // make the decoder start over in the middle.
      this.#append(blocks.filter(({ track, time }) => time > (this.#newest.get(track) ?? -Infinity)));
      return;
    }
    this.#inits = inits;
    this.#writers = new Map([...tracks].map(([number, track]) => [number, new TrackWriter(track)]));
    this.#events.epoch(blocks[0].time);
    for (const [number, bytes] of inits) this.#sink.append(number, bytes);
    this.#append(blocks);
  }

  #append(blocks) {
    for (const number of this.#tracks.keys()) {
      const own = blocks.filter(({ track }) => track === number);
      if (!own.length) continue;
      this.#newest.set(number, own.at(-1).time);
      const bytes = this.#writers.get(number).write(own);
      if (bytes.length) this.#sink.append(number, bytes);
    }
    this.#appended += 1;
    if (this.#sink.backlog > MAX_BACKLOG) this.#fail('the browser takes too long over the stream');
  }

  /** Whether blocks go over what has been received already, and up to it or on from it. */
  #repeats(blocks) {
    const newest = Math.max(...this.#newest.values());
    return blocks[0].time <= newest && blocks.at(-1).time >= newest;
  }

  #startsAnew(blocks) {
    // What is buffered counts where the newest blocks have not come.
    const newest = Math.max(...this.#newest.values(), this.#sink.ranges.at(-1)?.[1] ?? 0);
    return blocks.at(-1).time < newest - RESTART_BEHIND;
  }

  #open(tracks) {
    const mimes = new Map([...tracks].map(([number, track]) => [number, mimeOf(track)]));
    const unknown = unplayable([...mimes.values()]);
    if (unknown.length || !mimes.size) {
      this.#events.unplayable(unknown);
      return false;
    }
    this.#tracks = tracks;
    this.#sink = new Sink(this.#video, mimes, {
      appended: () => this.#steer(performance.now()),
      failed: (why) => this.#fail(why),
    });
    this.#position = 0;
    this.#movedAt = performance.now();
    this.#nudges = 0;
    this.#edge = 0;
    this.#appended = 0;
    this.#readyAt = null;
    this.#started = false;
    this.#lags = [];
    this.#wantWhole = false;
    return true;
  }

  #startOver() {
    this.#events.restart();
    this.#close();
  }

  #close() {
    this.#sink?.close();
    this.#sink = null;
    this.#inits = new Map();
    this.#newest = new Map();
    this.#awaitingInit = true;
    this.#askAt = null;
    this.lag = 0;
  }

  #fail(why) {
    this.stats.errors += 1;
    this.stats.lastError = why;
    this.#startOver();
    this.#events.needInit();
    this.#askAt = performance.now() + this.#askAgain;
  }

  #onVideoError = () => {
    if (this.#sink) this.#fail(this.#video.error?.message || 'the browser cannot decode the stream');
  };

  #play() {
    startPlaying(this.#video, this.#events.blocked);
  }

  #watchEdge(now, edge) {
    if (edge !== this.#edge || this.#appended < BARREN_CHUNKS) {
      if (edge !== this.#edge) this.#appended = 0;
      this.#edge = edge;
      this.#edgeAt = now;
      if (now - this.#barrenAt > BARREN_LIMIT) this.#barren = BARREN;
    } else if (now - this.#edgeAt > this.#barren) {
      this.#edgeAt = now;
      this.#barrenAt = now;
      this.#barren = Math.min(this.#barren * 2, BARREN_LIMIT);
      this.#wantWhole = true;
      this.#events.needInit();
    }
  }

  #startIfReady(now) {
    const { ranges } = this.#sink;
    if (ranges.length) this.#readyAt ??= now;
    this.#started = mayStart({ position: this.#video.currentTime, ranges, waitedMs: now - this.#readyAt });
    if (this.#started) {
      this.#movedAt = now;
      this.#play();
    }
  }

  #steer(now) {
    if (!this.#sink?.open) return;
    const video = this.#video;
    if (video.currentTime !== this.#position) {
      this.#position = video.currentTime;
      this.#movedAt = now;
      this.#nudges = 0;
    }
    if (!this.#started) this.#startIfReady(now);
    const decision = steer({
      position: this.#position,
      ranges: this.#sink.ranges,
      least: Math.min(...this.#lags),
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
}

/** Whether two sets of tracks can go into the same SourceBuffers. */
function sameStreams(one, other) {
  const same = (track, counterpart) => counterpart && mimeOf(track) === mimeOf(counterpart);
  return one.size === other.size && [...one].every(([number, track]) => same(track, other.get(number)));
}

function equal(one, other) {
  return one.length === other?.length && one.every((byte, index) => byte === other[index]);
}

// Counts what a viewer sees: frames, gaps between them, latency.

/** Frames per second are counted over this long (milliseconds). */
const FPS_WINDOW = 1000;

export class Stats {
  /** Frames shown. */
  frames = 0;
  /** When the last one was shown (`performance.now()`), or null. */
  lastFrameAt = null;
  /** Longest time between two frames, in milliseconds, since the last reset. */
  maxGapMs = 0;
  /** Times the player had to start over after an error. */
  errors = 0;
  /** What the last one was, for people. */
  lastError = '';
  /** Jumps to the live edge, by reason. */
  jumps = {};
  /** Chunks received, and dropped unplayed. */
  chunks = 0;
  dropped = 0;
  /** How old the last chunk was on arrival in milliseconds, by the two machines' clocks; null if unknown. */
  transitMs = null;

  #recent = [];
  #presented = null;

  /** A chunk has come; `timestamp` is the sender's Unix time in milliseconds. */
  chunkArrived(timestamp) {
    this.chunks += 1;
    this.transitMs = Number.isFinite(timestamp) ? Date.now() - timestamp : null;
  }

  /**
   * A frame has been shown at `now`. `presented` is the browser's own count: it also counts frames whose
   * callback was skipped because the page was busy, which nobody saw missing.
   */
  frameShown(now, presented) {
    const shown = this.#presented === null || presented <= this.#presented ? 1 : presented - this.#presented;
    this.#presented = presented;
    this.frames += shown;
    if (this.lastFrameAt !== null) this.maxGapMs = Math.max(this.maxGapMs, (now - this.lastFrameAt) / shown);
    this.lastFrameAt = now;
    this.#recent.push([now, shown]);
    this.#forget(now);
  }

  /** The picture has stopped on purpose: the time until the next frame is no gap. */
  pause() {
    this.lastFrameAt = null;
    this.#presented = null;
    this.#recent = [];
  }

  /** Starts measuring the longest gap anew. */
  resetGap() {
    this.maxGapMs = 0;
  }

  fps(now) {
    this.#forget(now);
    return this.#recent.reduce((sum, [, shown]) => sum + shown, 0) * (1000 / FPS_WINDOW);
  }

  #forget(now) {
    while (this.#recent.length && now - this.#recent[0][0] > FPS_WINDOW) this.#recent.shift();
  }
}

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
  relayDelayMs = null;

  #recent = [];

  /** A chunk has come; `timestamp` is the sender's Unix time in milliseconds. */
  chunkArrived(timestamp) {
    this.chunks += 1;
    this.relayDelayMs = Number.isFinite(timestamp) ? Date.now() - timestamp : null;
  }

  /** `frames` frames have been shown since the last call, the last of them at `now`. */
  framesShown(now, frames) {
    this.frames += frames;
    if (this.lastFrameAt !== null) this.maxGapMs = Math.max(this.maxGapMs, (now - this.lastFrameAt) / frames);
    this.lastFrameAt = now;
    this.#recent.push([now, frames]);
    this.#forget(now);
  }

  /** The picture has stopped on purpose: the time until the next frame is no gap. */
  pause() {
    this.lastFrameAt = null;
    this.#recent = [];
  }

  /** Starts measuring the longest gap anew. */
  resetGap() {
    this.maxGapMs = 0;
  }

  fps(now) {
    this.#forget(now);
    return this.#recent.reduce((sum, [, frames]) => sum + frames, 0) * (1000 / FPS_WINDOW);
  }

  #forget(now) {
    while (this.#recent.length && now - this.#recent[0][0] > FPS_WINDOW) this.#recent.shift();
  }
}

// Plays one sender's WebRTC stream in one <video>. The browser keeps it at the live edge.

import { startPlaying } from './autoplay.js';
import { Progress } from './progress.js';
import { rowsOfStream } from './statistics.js';
import { Stats } from './stats.js';

/** How often the browser is asked how the connection is (milliseconds). */
const FIGURES_TICK = 1000;

/** @implements {import('./tile.js').Player} */
export class StreamPlayer {
  stats = new Stats();
  lag = 0;

  #video;
  #events;
  #progress;
  #figures = null;
  #askedAt = 0;
  /** What was last said of the connection, and before that. */
  #now = null;
  #before = null;

  constructor(video, events) {
    this.#video = video;
    this.#events = events;
    this.#progress = new Progress(video, events.frames);
  }

  /** Plays another stream from now on; `figures` tells how its connection is. */
  take({ stream, figures }) {
    this.restart();
    this.#figures = figures;
    this.#video.srcObject = stream;
    startPlaying(this.#video, this.#events.blocked);
  }

  restart() {
    if (this.#video.srcObject) this.#events.restart();
    this.#video.srcObject = null;
    this.#figures = this.#now = this.#before = null;
  }

  tick(now) {
    this.#progress.tick(now);
    if (!this.#figures) return;
    if (this.#video.paused) startPlaying(this.#video, this.#events.blocked);
    if (now - this.#askedAt >= FIGURES_TICK) {
      this.#askedAt = now;
      this.#ask(this.#figures);
    }
  }

  rows(now) {
    return rowsOfStream(this.stats, this.#video, this.#now, this.#before, now);
  }

  destroy() {
    this.#progress.stop();
    this.#figures = null;
    this.#video.srcObject = null;
  }

  async #ask(figures) {
    const said = await figures().catch(() => null);
    // Another stream may have come meanwhile.
    if (figures !== this.#figures || !said) return;
    this.#before = this.#now;
    this.#now = said;
  }
}

// What a <video> has shown: from the browser's callback per frame, and where there is none, from its counters.

/** The callback has been silent for this long although frames were shown: count them instead (milliseconds).
 *  In WebKitGTK it never fires; in a page that is out of sight it does in no browser. */
const SILENT = 400;

export class Progress {
  #video;
  #shown;
  #presented = null;
  #calledAt = -Infinity;
  /** By the browser's counters: frames shown so far, and where playback stood. */
  #counted = 0;
  #position = 0;
  #stopped = false;

  /**
   * @param {HTMLVideoElement} video
   * @param {(now: number, frames: number, mediaTime: number) => void} shown so many frames were shown since
   *   the last call, the last of them at `now` (`performance.now()`), standing at `mediaTime` (seconds)
   */
  constructor(video, shown) {
    this.#video = video;
    this.#shown = shown;
    video.requestVideoFrameCallback?.(this.#onFrame);
  }

  /** To be called about ten times a second. */
  tick(now) {
    const { totalVideoFrames, droppedVideoFrames } = this.#video.getVideoPlaybackQuality();
    const counted = totalVideoFrames - droppedVideoFrames;
    // A new MediaSource starts to count anew.
    const fresh = counted < this.#counted ? counted : counted - this.#counted;
    const moved = this.#video.currentTime !== this.#position;
    this.#counted = counted;
    this.#position = this.#video.currentTime;
    if (fresh > 0 && moved && now - this.#calledAt > SILENT) this.#shown(now, fresh, this.#position);
  }

  stop() {
    this.#stopped = true;
  }

  #onFrame = (now, { presentedFrames, mediaTime }) => {
    if (this.#stopped) return;
    this.#video.requestVideoFrameCallback(this.#onFrame);
    // Frames whose callback was skipped because the page was busy were shown all the same.
    const skipped = this.#presented !== null && presentedFrames > this.#presented;
    const frames = skipped ? presentedFrames - this.#presented : 1;
    this.#presented = presentedFrames;
    this.#calledAt = now;
    this.#shown(now, frames, mediaTime);
  };
}

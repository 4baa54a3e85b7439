// A MediaSource with a SourceBuffer per stream: appends in order, forgets what was played, says when it fails.

import { joined } from './ebml.js';

/** Played media is kept this long, and removed in strides (seconds). */
const KEEP_BEHIND = 10;
const PRUNE_STRIDE = 5;
/** Kept when the browser has no room left (seconds). */
const KEEP_IN_NEED = 1;

/** The browser's MediaSource. iPhones have the managed kind only. Undefined where there is neither. */
export const MediaSourceHere = globalThis.MediaSource ?? globalThis.ManagedMediaSource;

/** The mime types that this browser cannot play, of those given. */
export function unplayable(mimes) {
  return mimes.filter((mime) => !MediaSourceHere?.isTypeSupported(mime));
}

export class Sink {
  #video;
  #events;
  #source = new MediaSourceHere();
  /** By stream: what waits to be appended, and the SourceBuffer once the browser has opened the source. */
  #streams;
  #closing = new AbortController();

  /**
   * @param {HTMLVideoElement} video whose source it becomes
   * @param {Map<number, string>} mimes the streams' mime types, by any key
   * @param {object} events
   * @param {() => void} events.appended something has got into a buffer
   * @param {(why: string) => void} events.failed nothing more will be played
   */
  constructor(video, mimes, events) {
    this.#video = video;
    this.#events = events;
    this.#streams = new Map([...mimes].map(([key, mime]) => [key, { mime, waiting: [], buffer: null }]));
    const url = URL.createObjectURL(this.#source);
    this.#on(this.#source, 'sourceopen', () => {
      URL.revokeObjectURL(url);
      this.#addBuffers();
    });
    // Without this, a managed source does not open where the picture could be sent to another screen.
    video.disableRemotePlayback = true;
    video.src = url;
  }

  /** Queues bytes for a stream. */
  append(key, bytes) {
    const stream = this.#streams.get(key);
    stream.waiting.push(bytes);
    this.#pump(stream);
  }

  /** How many appends wait, in the stream where most do. They are appended all at once, so that they wait only
   *  while the browser opens the source, or is busy with one long append. */
  get backlog() {
    return Math.max(...[...this.#streams.values()].map(({ waiting }) => waiting.length));
  }

  /** What can be played, which is what is there of every stream, as [start, end] in order. */
  get ranges() {
    return this.open ? rangesOf(this.#video.buffered) : [];
  }

  get open() {
    return [...this.#streams.values()].every(({ buffer }) => buffer !== null);
  }

  /** Lets go of the source. The element keeps its `src`, and so often its last picture, until the next. */
  close() {
    this.#closing.abort();
  }

  #on(target, event, act) {
    target.addEventListener(event, act, { signal: this.#closing.signal });
  }

  #addBuffers() {
    for (const stream of this.#streams.values()) {
      try {
        stream.buffer = this.#source.addSourceBuffer(stream.mime);
      } catch (error) {
        this.#events.failed(error.message);
        return;
      }
      this.#on(stream.buffer, 'updateend', () => {
        this.#pump(stream);
        this.#events.appended();
      });
      this.#on(stream.buffer, 'error', () => this.#events.failed('the browser cannot read the stream'));
    }
    for (const stream of this.#streams.values()) this.#pump(stream);
  }

  #pump(stream) {
    const { buffer, waiting } = stream;
    if (!this.open || buffer.updating || this.#source.readyState !== 'open') return;
    if (!waiting.length) {
      this.#prune(buffer, KEEP_BEHIND, PRUNE_STRIDE);
      return;
    }
    try {
      // In one go, which costs hardly more than one of them: a slow append makes the next one longer, instead
      // of making the queue grow.
      buffer.appendBuffer(joined(waiting));
      stream.waiting = [];
    } catch (error) {
      if (error.name === 'QuotaExceededError' && this.#prune(buffer, KEEP_IN_NEED, 0)) return;
      this.#events.failed(error.message);
    }
  }

  /** Removes what was played more than `keep` seconds ago, if that is more than `stride`. Returns whether it
   *  did. */
  #prune(buffer, keep, stride) {
    const [first] = rangesOf(buffer.buffered);
    const end = this.#video.currentTime - keep;
    if (!first || end - first[0] <= stride) return false;
    buffer.remove(0, end);
    return true;
  }
}

function rangesOf(buffered) {
  return Array.from({ length: buffered.length }, (_, at) => [buffered.start(at), buffered.end(at)]);
}

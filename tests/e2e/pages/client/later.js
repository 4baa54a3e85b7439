// The generations after the first: an element is handed over when it is mounted, and playback is steered.

import { Media } from './media.js';

/** A MediaSource is kept while its element is; another element gets it by its old URL, which no browser takes. */
class SteeredMedia extends Media {
  handed(userId, element) {
    this.elements.set(userId, element);
    const socketId = this.socketIds.get(userId);
    const source = this.sources.get(socketId);
    if (!source) return this.handedEarly(userId, socketId);
    const url = this.urls.get(socketId);
    if (element.src && element.src === url && source.readyState === 'open') return;

    if (element.src.startsWith('blob:') && element.src !== url) {
      URL.revokeObjectURL(element.src);
      element.src = '';
    }
    if (source.readyState === 'closed') return this.tearDown(socketId, 'it was closed when its element was mounted');

    if (element.src !== url) this.requestKeyframe(userId);
    this.log.add('attach', { userId, source: source.readyState });
    element.src = url;
    this.watch(userId, socketId, element);
    element.play().catch(() => {});
  }

  /** There is no MediaSource yet. */
  handedEarly() {}

  watch(userId, socketId, element) {
    const failed = () => {
      const code = element.error?.code ?? 0;
      this.log.add('element error', { userId, code });
      if (this.isFatal(code)) this.tearDown(socketId, `error ${code} of the element`);
      else element.addEventListener('error', failed, { once: true });
    };
    element.addEventListener('error', failed, { once: true });
  }
}

export class MiddleMedia extends SteeredMedia {
  accept(socketId, blob) {
    return this.appendOrEnqueue(socketId, blob);
  }

  async updated(source, buffer, socketId) {
    if (this.prunes(buffer, socketId)) return;
    this.#steer(buffer, this.elements.get(this.userIds.get(socketId)));
    await this.appendPeeked(source, buffer, socketId, 'updateend', { keepsIfBusy: false });
  }

  #steer(buffer, element) {
    const end = endOf(buffer);
    if (!element || element.paused || end === undefined) return;
    const lag = end - element.currentTime;
    if (lag > 3) {
      this.log.add('jump', { lag });
      element.currentTime = end - 0.1;
    } else {
      element.playbackRate = lag > 0.5 ? 1.1 : 1;
    }
  }

  isFatal() {
    return true;
  }
}

/** How far behind the end of what is buffered playback may be before it jumps to `target` s before that end, and the
 *  rates by which it catches up with less. */
const RULES = {
  later: { jump: 3, target: 0.35, rates: [[1.5, 1.25], [0.9, 1.15], [0.45, 1.06]], everyMs: 500 },
  'later-5s': { jump: 5, target: 0.3, rates: [[1.5, 1.1], [0.8, 1.05], [0.3, 1.02]] },
};

/** Chunks that wait; one more, and the oldest is thrown away. */
const QUEUE_MAX = 30;

export class LaterMedia extends SteeredMedia {
  #monitors = new Map();

  constructor(options) {
    super(options);
    this.rule = RULES[options.generation];
  }

  enqueue(socketId, blob) {
    super.enqueue(socketId, blob, QUEUE_MAX);
  }

  async accept(socketId, blob) {
    this.enqueue(socketId, blob);
    await this.appendPeeked(this.sources.get(socketId), this.buffers.get(socketId), socketId, 'chunk', { keepsIfBusy: true });
  }

  async updated(source, buffer, socketId) {
    if (!this.buffers.has(socketId) || source.readyState !== 'open') return;
    if (this.prunes(buffer, socketId)) return;
    this.#steer(socketId);
    await this.appendPeeked(source, buffer, socketId, 'updateend', { keepsIfBusy: false });
  }

  #steer(socketId) {
    const buffer = this.buffers.get(socketId);
    const element = this.elements.get(this.userIds.get(socketId));
    const end = endOf(buffer);
    if (!element || end === undefined) return;
    if (element.paused && element.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) element.play().catch(() => {});
    const lag = end - element.currentTime;
    if (lag > this.rule.jump) {
      this.log.add('jump', { lag });
      element.currentTime = Math.max(0, end - this.rule.target);
      element.playbackRate = 1;
      return;
    }
    const [, rate] = this.rule.rates.find(([above]) => lag > above) ?? [0, 1];
    if (Math.abs(element.playbackRate - rate) > 0.01) element.playbackRate = rate;
  }

  takesOpen(source) {
    return source.readyState === 'open' && source.sourceBuffers.length === 0;
  }

  handedEarly(userId, socketId) {
    if (this.queues.get(socketId)?.length > 0) this.setUp(userId, socketId, this.mimeTypes.get(socketId));
  }

  isFatal(code) {
    return code >= 3;
  }

  started(socketId) {
    const { everyMs } = this.rule;
    if (everyMs && !this.#monitors.has(socketId)) this.#monitors.set(socketId, setInterval(() => this.#steer(socketId), everyMs));
  }

  stopped(socketId) {
    clearInterval(this.#monitors.get(socketId));
    this.#monitors.delete(socketId);
  }
}

function endOf(buffer) {
  try {
    return buffer?.buffered.length > 0 ? buffer.buffered.end(buffer.buffered.length - 1) : undefined;
  } catch {
    // It was removed from its MediaSource.
    return undefined;
  }
}

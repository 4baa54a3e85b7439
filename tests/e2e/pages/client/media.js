// What all deployed clients have in common in how they play chunks: one MediaSource per socket id of a sender, built
// at the first chunk after there is an element, and torn down with its queue when a chunk finds it closed, which a
// MediaSource is until its `sourceopen`. Generations differ in what they do with a chunk, after an append, and with
// an element that React hands them. Whatever looks like a mistake here is one of theirs: see docs/receivers.md.

import { contentsOf } from './log.js';

export class Media {
  /** By user id. */
  elements = new Map();
  socketIds = new Map();
  /** By socket id. */
  userIds = new Map();
  sources = new Map();
  buffers = new Map();
  queues = new Map();
  urls = new Map();
  mimeTypes = new Map();

  /** `requestKeyframe(userId)` asks a sender for one. */
  constructor({ log, requestKeyframe }) {
    Object.assign(this, { log, requestKeyframe });
  }

  know(userId, socketId) {
    this.userIds.set(socketId, userId);
    this.socketIds.set(userId, socketId);
  }

  forget(userId) {
    const socketId = this.socketIds.get(userId);
    if (socketId === undefined) return;
    this.tearDown(socketId, 'its user is gone');
    this.userIds.delete(socketId);
    this.socketIds.delete(userId);
  }

  /** A chunk has come. */
  async chunk({ userId, socketId, chunk, mimeType = 'video/webm; codecs="vp8, opus"' }) {
    if (!userId) return;
    const blob = new Blob([chunk], { type: mimeType });
    this.know(userId, socketId);
    this.mimeTypes.set(socketId, mimeType);
    const source = this.sources.get(socketId);
    this.log.add('chunk', { userId, ...contentsOf(chunk), source: source?.readyState, queue: this.queues.get(socketId)?.length ?? 0, updating: this.buffers.get(socketId)?.updating });
    if (source?.readyState === 'closed') this.tearDown(socketId, 'a chunk found it closed');
    this.setUp(userId, socketId, mimeType);

    if (this.buffers.has(socketId)) await this.accept(socketId, blob);
    else this.enqueue(socketId, blob);
  }

  setUp(userId, socketId, mimeType) {
    const element = this.elements.get(userId);
    if (this.sources.has(socketId) || !element) return;
    const source = new MediaSource();
    this.sources.set(socketId, source);
    const url = URL.createObjectURL(source);
    this.urls.set(socketId, url);
    element.src = url;
    element.onloadedmetadata = () => element.play().catch((error) => this.log.add('play failed', { userId, error: error.name }));
    this.log.add('set up', { userId });
    for (const event of ['sourceended', 'sourceclose']) source.addEventListener(event, () => this.log.add(event, { userId }));
    source.addEventListener('sourceopen', () => this.#opened(source, socketId, mimeType));
  }

  async #opened(source, socketId, mimeType) {
    const userId = this.userIds.get(socketId);
    this.log.add('sourceopen', { userId, queue: this.queues.get(socketId)?.length ?? 0 });
    if (!this.takesOpen(source) || !MediaSource.isTypeSupported(mimeType)) return;
    let buffer;
    try {
      buffer = source.addSourceBuffer(mimeType);
    } catch (error) {
      this.log.add('addSourceBuffer failed', { userId, error: error.message });
      return;
    }
    this.buffers.set(socketId, buffer);
    buffer.addEventListener('error', () => this.log.add('SourceBuffer error', { userId }));
    buffer.addEventListener('updateend', () => this.updated(source, buffer, socketId));
    this.started(socketId);
    const first = this.nextOf(source, buffer, socketId);
    if (!first) return;
    this.queues.get(socketId).shift();
    try {
      this.append(buffer, await first.arrayBuffer(), 'opened');
    } catch (error) {
      this.failed('opened', error);
    }
  }

  /** The chunk at the head of the queue, if it can be appended now. */
  nextOf(source, buffer, socketId) {
    if (buffer.updating || source?.readyState !== 'open') return undefined;
    return this.queues.get(socketId)?.[0];
  }

  append(buffer, bytes, path) {
    buffer.appendBuffer(bytes);
    this.log.add('append', { path, ...contentsOf(bytes) });
  }

  failed(path, error) {
    this.log.add('append failed', { path, error: `${error.name}: ${error.message}` });
  }

  enqueue(socketId, blob, most = Infinity) {
    const queue = this.queues.get(socketId) ?? [];
    if (queue.length > most) queue.shift();
    queue.push(blob);
    this.queues.set(socketId, queue);
  }

  /** Appends a chunk at once if nothing is being appended, else queues it. Between the question and the append the
   *  other path can begin to append: then this chunk is lost. */
  async appendOrEnqueue(socketId, blob) {
    const buffer = this.buffers.get(socketId);
    if (buffer.updating || this.sources.get(socketId)?.readyState !== 'open') return this.enqueue(socketId, blob);
    try {
      this.append(buffer, await blob.arrayBuffer(), 'chunk');
    } catch (error) {
      this.failed('chunk', error);
    }
  }

  /** Appends the head of the queue after a look at it, and takes it away afterwards: whatever is at the head then. */
  async appendPeeked(source, buffer, socketId, path, { keepsIfBusy }) {
    const head = this.nextOf(source, buffer, socketId);
    if (!head) return;
    try {
      this.append(buffer, await head.arrayBuffer(), path);
      this.queues.get(socketId).shift();
    } catch (error) {
      this.failed(path, error);
      if (keepsIfBusy && error.name === 'InvalidStateError') return;
      this.queues.get(socketId)?.shift();
    }
  }

  /** Removes what is older than 20 s; true if the SourceBuffer is busy with it now. */
  prunes(buffer, socketId) {
    if (buffer.updating) return false;
    try {
      if (buffer.buffered.length === 0) return false;
      const now = this.elements.get(this.userIds.get(socketId))?.currentTime ?? 0;
      const start = buffer.buffered.start(0);
      if (now - start <= 20) return false;
      buffer.remove(start, now - 20);
      return true;
    } catch {
      return false;
    }
  }

  tearDown(socketId, why) {
    const userId = this.userIds.get(socketId);
    const source = this.sources.get(socketId);
    this.log.add('tear down', { userId, why, queue: this.queues.get(socketId)?.length ?? 0, source: source?.readyState });
    this.stopped(socketId);
    if (source?.readyState === 'open') {
      try {
        source.endOfStream();
      } catch (error) {
        this.log.add('endOfStream failed', { userId, error: error.message });
      }
    }
    const element = this.elements.get(userId);
    if (element) {
      if (element.src.startsWith('blob:')) URL.revokeObjectURL(element.src);
      element.playbackRate = 1;
      element.src = '';
      element.removeAttribute('src');
      element.load();
    }
    for (const map of [this.sources, this.buffers, this.queues, this.urls, this.mimeTypes]) map.delete(socketId);
  }

  clear() {
    for (const socketId of [...this.sources.keys(), ...this.queues.keys()]) this.tearDown(socketId, 'the client leaves');
    for (const map of [this.elements, this.socketIds, this.userIds]) map.clear();
  }

  // What generations do in ways of their own.

  /** Whether a MediaSource that has opened gets a SourceBuffer. */
  takesOpen() {
    return true;
  }

  started() {}

  stopped() {}
}

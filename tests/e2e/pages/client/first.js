// The first generation: neither seeks nor steers, and attaches every element anew when the participants are set.

import { Media } from './media.js';

export class FirstMedia extends Media {
  accept(socketId, blob) {
    return this.appendOrEnqueue(socketId, blob);
  }

  async updated(source, buffer, socketId) {
    if (this.prunes(buffer, socketId)) return;
    const head = this.nextOf(source, buffer, socketId);
    if (!head) return;
    this.queues.get(socketId).shift();
    try {
      this.append(buffer, await head.arrayBuffer(), 'updateend');
    } catch (error) {
      this.failed('updateend', error);
    }
  }

  handed(userId, element) {
    this.elements.set(userId, element);
    const source = this.sources.get(this.socketIds.get(userId));
    if (!source) return;
    this.log.add('detach', { userId, source: source.readyState });
    if (element.src.startsWith('blob:')) {
      URL.revokeObjectURL(element.src);
      element.src = '';
    }
    if (source.readyState === 'closed') return;
    element.src = URL.createObjectURL(source);
    element.play().catch(() => {});
  }
}

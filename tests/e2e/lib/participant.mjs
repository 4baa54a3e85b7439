// A participant without a screen: sees every event and every chunk of a room, whichever relay it is.

import { io } from 'socket.io-client';
import { nowMs, until } from './waiting.mjs';

/** Joins a room and resolves once `room-state` has come. `record`: whether to keep what the chunks contain; `transport`:
 *  'websocket' or 'polling'; `query`: what the handshake says besides. */
export async function joinRoom(origin, room, userId, { token = userId, record = false, transport = 'websocket', query = {} } = {}) {
  const participant = new Participant(origin, room, userId, { token, record, transport, query });
  await participant.next('room-state');
  return participant;
}

class Participant {
  constructor(origin, room, userId, { token, record, transport, query }) {
    /** Everything but chunks: {atMs, event, payload}, in order of arrival. */
    this.events = [];
    /** Per chunk: {atMs, userId, socketId, timestamp, mimeType, bytes}, and `data` if they are recorded. */
    this.chunks = [];
    this.userId = userId;
    this.socket = io(origin, { transports: [transport], query, auth: { token, userId }, forceNew: true, reconnectionDelayMax: 500 });
    this.socket.on('connect', () => {
      this.socket.emit('join-room', { roomId: room, username: userId, hasVideo: false, isMuted: true });
    });
    for (const event of ['disconnect', 'connect_error']) {
      this.socket.on(event, (why) => this.events.push({ atMs: nowMs(), event, payload: String(why) }));
    }
    this.socket.onAny((event, payload) => {
      if (event !== 'media-chunk') this.events.push({ atMs: nowMs(), event, payload });
    });
    this.socket.on('media-chunk', ({ chunk, userId: from, socketId, timestamp, mimeType }) => {
      const data = record ? { data: Buffer.from(chunk) } : {};
      this.chunks.push({ atMs: nowMs(), userId: from, socketId, timestamp, mimeType, bytes: chunk.length, ...data });
    });
  }

  /** The first event of this name after `sinceMs` (Unix ms) whose payload passes. */
  next(event, { sinceMs = 0, deadlineMs = 10_000, where = () => true } = {}) {
    return until(`event ${event}`, deadlineMs, () =>
      this.events.find((each) => each.event === event && each.atMs >= sinceMs && where(each.payload)),
    );
  }

  /** The first chunk of a user after `sinceMs`. */
  chunkOf(userId, { sinceMs = 0, deadlineMs = 10_000 } = {}) {
    return until(`a chunk of ${userId}`, deadlineMs, () =>
      this.chunks.find((chunk) => chunk.userId === userId && chunk.atMs >= sinceMs),
    );
  }

  close() {
    this.socket.close();
  }
}

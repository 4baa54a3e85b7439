// The connection to the relay: joins, joins again where that helps, and says why it is not in the room.

import { conditionOf, refusalIn, waitBefore } from './condition.js';
import { io } from './vendor/socket.io.esm.min.js';

/** How long the relay may take to let somebody in, or to refuse (milliseconds). */
const ANSWER = 8000;

/** Events of the room that are handed on as they come. */
const ROOM_EVENTS = [
  'user-joined',
  'user-left',
  'media-chunk',
  'camera-state-changed',
  'mic-state-changed',
  'stream-reset',
  'speaking-start',
  'speaking-stop',
  'participant-list-changed',
  'broadcast-presenter-changed',
  'broadcast-mode-changed',
  'chat-message',
];

/**
 * A viewer's place in a room, kept for as long as the page is open.
 *
 * A condition is `{kind, message?, retryAt?}`: `joining`, `joined`, or why not (`condition.js`). `retryAt` is
 * when the next try will be (`performance.now()`).
 */
export class Relay {
  #who;
  #on;
  #socket;
  #condition = { kind: 'joining' };
  /** Tries in a row that have failed, and the timer of the next. */
  #tries = 0;
  #timer = null;

  /**
   * @param {{room: string, userId: string, username: string, token: string|null}} who
   * @param {Record<string, (payload: object) => void>} on handlers by event, and besides: `condition`, and
   *   `notice` ({message}: something that the relay refused to somebody who is in the room)
   */
  constructor(who, on) {
    this.#who = who;
    this.#on = on;
    this.#socket = io({
      // WebSocket first; long-polling where a proxy forbids it.
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
      // By which a load balancer keeps a room together.
      query: { room: who.room },
      auth: (tell) => tell({ userId: this.#who.userId, ...(this.#who.token && { token: this.#who.token }) }),
      // Trying again is the business of this class, which says when.
      reconnection: false,
      autoConnect: false,
      timeout: ANSWER,
    });
    this.#listen();
  }

  get condition() {
    return this.#condition;
  }

  get joined() {
    return this.#condition.kind === 'joined';
  }

  /** Tries to get into the room, now. */
  join() {
    clearTimeout(this.#timer);
    if (this.#socket.connected) this.#ask();
    else this.#socket.connect();
  }

  joinWithToken(token) {
    this.#who.token = token;
    this.join();
  }

  /** Says something in the chat, under a name. */
  say(message, username) {
    if (username !== this.#who.username) {
      this.#who.username = username;
      // The relay knows the name from the join, and there is no other way to tell it.
      this.#ask();
    }
    this.#socket.emit('chat-message', { roomId: this.#who.room, message });
  }

  requestKeyframe(userId) {
    this.#socket.emit('request-keyframe', { targetUserId: userId });
  }

  #listen() {
    const socket = this.#socket;
    socket.on('connect', () => this.#ask());
    socket.on('room-state', (state) => {
      clearTimeout(this.#timer);
      this.#tries = 0;
      this.#become({ kind: 'joined' });
      this.#on['room-state'](state);
    });
    socket.on('error', (refusal) => {
      const condition = conditionOf(refusal);
      // The relay also says so what it does not like of somebody in the room.
      if (this.joined && condition.kind !== 'kicked' && condition.kind !== 'ended') this.#on.notice(condition);
      else this.#fail(condition);
    });
    socket.on('room-ended', () => {
      this.#fail({ kind: 'ended' });
      this.#on['room-ended']();
    });
    socket.on('connect_error', (error) => {
      // A relay that refuses a CONNECT has the socket destroyed; before there is a connection, it is left to try again.
      const refusal = socket.active ? refusalIn(error) : { message: error.message, ...error.data };
      this.#fail(refusal ? conditionOf(refusal) : { kind: 'away' });
    });
    socket.on('disconnect', () => {
      // If the relay has said why, that stands.
      if (this.joined || this.#condition.kind === 'joining') this.#fail({ kind: 'away' });
    });
    for (const event of ROOM_EVENTS) socket.on(event, (payload) => this.#on[event]?.(payload ?? {}));
  }

  #ask() {
    if (!this.joined) this.#expectAnswer();
    this.#socket.emit('join-room', {
      roomId: this.#who.room,
      username: this.#who.username,
      hasVideo: false,
      isMuted: true,
    });
  }

  #expectAnswer() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#fail({ kind: 'away' });
      this.#socket.disconnect();
    }, ANSWER);
  }

  /** It is not in the room, or not any more: says why, and tries again if that helps. */
  #fail(condition) {
    clearTimeout(this.#timer);
    const wait = waitBefore(condition.kind, this.#tries);
    if (wait === null) {
      this.#become(condition);
      return;
    }
    this.#tries += 1;
    this.#timer = setTimeout(() => this.join(), wait);
    this.#become({ ...condition, retryAt: performance.now() + wait });
  }

  #become(condition) {
    this.#condition = condition;
    this.#on.condition(condition);
  }
}

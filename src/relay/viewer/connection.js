// The connection to the server: joins, joins again where that helps, and says why it is not in the room.

import { conditionOf, refusalIn, waitBefore } from './condition.js';
import { io } from './vendor/socket.io.esm.min.js';

/** How long the relay may take to let somebody in, or to refuse (milliseconds). */
const ANSWER = 8000;

/**
 * A dialect of a server: what is said to it, as [event, ...arguments] of Socket.IO, and what its events mean here. Pure.
 *
 * @typedef {object} Dialect
 * @property {(who: {room: string, username: string}) => unknown[]} join
 * @property {boolean} acknowledged whether the server acknowledges a join that worked; else `heard` has `room-state`
 * @property {Record<string, (self: string, ...payload: object[]) => [string, object][]>} heard by event of the server,
 *   what it means: events of the page with their payloads. `self` is this page's socket id
 * @property {((who: {username: string}, message: string) => unknown[])|null} chat null where chat goes another way
 * @property {boolean} joinsToRename whether the server knows a name from the join alone, which may be repeated
 * @property {'found'|'came'|null} offersTo to whom the page offers a connection: those whom it finds, or those who come;
 *   null where media come through the server
 */

/**
 * A viewer's place in a room, kept for as long as the page is open.
 *
 * A condition is `{kind, message?, retryAt?}`: `joining`, `joined`, or why not (`condition.js`). `retryAt` is
 * when the next try will be (`performance.now()`).
 */
export class Connection {
  #dialect;
  #who;
  #on;
  #socket;
  #condition = { kind: 'joining' };
  /** Tries in a row that have failed, and the timer of the next. */
  #tries = 0;
  #timer = null;

  /**
   * @param {Dialect} dialect
   * @param {{room: string, userId: string, username: string, token: string|null}} who
   * @param {Record<string, (payload: object) => void>} on handlers by event of the page, and besides: `condition`, and
   *   `notice` ({message}: something that the relay refused to somebody who is in the room)
   */
  constructor(dialect, who, on) {
    this.#dialect = dialect;
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
      if (this.#dialect.joinsToRename) this.#ask();
    }
    this.send(this.#dialect.chat(this.#who, message));
  }

  /** Sends an event, given with its arguments. */
  send(event) {
    this.#socket.emit(...event);
  }

  #listen() {
    const socket = this.#socket;
    socket.on('connect', () => this.#ask());
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
    for (const [event, meaning] of Object.entries(this.#dialect.heard)) {
      socket.on(event, (...payload) => meaning(socket.id, ...payload).forEach(([what, about]) => this.#hear(what, about)));
    }
  }

  #hear(event, payload) {
    if (event === 'room-state') {
      clearTimeout(this.#timer);
      this.#tries = 0;
      this.#become({ kind: 'joined' });
    }
    this.#on[event]?.(payload);
  }

  #ask() {
    if (!this.joined) this.#expectAnswer();
    const join = this.#dialect.join(this.#who);
    if (this.#dialect.acknowledged) join.push(() => this.#hear('room-state', { participants: [] }));
    this.send(join);
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

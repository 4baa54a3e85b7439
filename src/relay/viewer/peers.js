// The connections to those in the room who send: makes one to each, and makes it anew where it fails.

import { Peer } from './peer.js';

/** How long a connection may take, from when it is asked for or expected (milliseconds). An agent without an answer to its
 *  own offer asks again after 4 s. */
const PATIENCE = 7000;
/** Between a failure and the next attempt, doubling from the one to the other (milliseconds). An agent that sees the
 *  failure too offers before. */
const RETRY_FIRST = 2500;
const RETRY_MOST = 30_000;

export class Peers {
  #page;
  #offersTo;
  #chats;
  /** STUN and TURN servers for the connections that are made next. */
  #iceServers = [];
  /** By user id: the connection, null while the next attempt is waited for; how many have failed in a row; a timer. */
  #entries = new Map();

  /**
   * @param {object} dialect
   * @param {'found'|'came'} dialect.offersTo to whom the page offers
   * @param {object|null} dialect.chat null where chat goes over the connections
   * @param {object} page
   * @param {(userId: string, signal: object) => void} page.send
   * @param {(userId: string, stream: MediaStream, figures: () => Promise<object>) => void} page.media
   * @param {(userId: string, problem: 'unanswered'|'unreachable'|null) => void} page.problem why there is no connection;
   *   null once there is one
   * @param {(userId: string, text: string) => void} page.chat
   */
  constructor({ offersTo, chat }, page) {
    this.#offersTo = offersTo;
    this.#chats = chat === null;
    this.#page = page;
  }

  /** This page is in the room, where these are. They take it for a newcomer, whatever was before. */
  begin(participants) {
    this.clear();
    participants.forEach((participant) => this.#expect(participant, this.#offersTo === 'found'));
  }

  /** @param {RTCIceServer[]} iceServers for connections that are made from now on */
  setIceServers(iceServers) {
    this.#iceServers = iceServers;
  }

  /** Somebody has come. */
  came(participant) {
    if (!this.#entries.has(participant.userId)) this.#expect(participant, this.#offersTo === 'came');
  }

  left(userId) {
    const entry = this.#entries.get(userId);
    clearTimeout(entry?.timer);
    entry?.peer?.close();
    this.#entries.delete(userId);
  }

  /** A signal has come: `{from, offer}`, `{from, answer}` or `{from, candidate}`. */
  take({ from, ...signal }) {
    let { peer } = this.#entries.get(from) ?? {};
    if (signal.offer && !peer?.continues(signal.offer)) peer = this.#open(from);
    peer?.take(signal);
  }

  /** Writes something to everybody; returns whether it could be sent to anybody. */
  say(text) {
    return [...this.#entries.values()].filter(({ peer }) => peer?.say(text)).length > 0;
  }

  clear() {
    for (const userId of [...this.#entries.keys()]) this.left(userId);
  }

  #expect({ userId, hasVideo, isMuted }, offers) {
    // Whoever only watches has nothing to be connected to for.
    if (!hasVideo && isMuted) return;
    const peer = this.#open(userId);
    if (offers) peer.offer({ chats: this.#chats });
  }

  /** A new connection, in the place of the one there was. */
  #open(userId) {
    const { failures = 0 } = this.#entries.get(userId) ?? {};
    this.left(userId);
    const peer = new Peer(this.#iceServers, {
      send: (signal) => this.#page.send(userId, signal),
      stream: (stream) => this.#page.media(userId, stream, () => peer.figures()),
      chat: (text) => this.#page.chat(userId, text),
      connected: () => {
        clearTimeout(entry.timer);
        entry.failures = 0;
        this.#page.problem(userId, null);
      },
      failed: () => this.#fail(userId, entry),
    });
    const entry = { peer, failures, timer: setTimeout(() => this.#fail(userId, entry), PATIENCE) };
    this.#entries.set(userId, entry);
    return peer;
  }

  #fail(userId, entry) {
    if (this.#entries.get(userId) !== entry || entry.peer === null) return;
    clearTimeout(entry.timer);
    this.#page.problem(userId, entry.peer.described ? 'unreachable' : 'unanswered');
    entry.peer.close();
    entry.peer = null;
    entry.timer = setTimeout(() => this.#open(userId).offer({ chats: this.#chats }), retryAfter(entry.failures));
    entry.failures += 1;
  }
}

/** How long to wait before the next attempt (milliseconds). */
function retryAfter(failures) {
  return Math.min(RETRY_FIRST * 2 ** failures, RETRY_MOST);
}

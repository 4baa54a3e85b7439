// Who is in the room, and the tiles of those who publish.

import { Tile } from './tile.js';
import { say } from './words.js';

/** After the relay has been away, its people come back one by one: how long their tiles wait for them
 *  (milliseconds). */
const RETURN_GRACE = 4000;

export class People {
  /** Everybody in the room but this viewer, by user id. */
  #roster = new Map();
  /** Those of them who publish. */
  tiles = new Map();
  /** Those who were there before the relay was away, and until when they may come back. */
  #missing = new Map();
  #self;
  #page;
  /** Who is there when the page comes is no news. */
  #settled = false;

  /**
   * @param {string} self the user id of this viewer
   * @param {object} page what tiles need of it, and
   * @param {(tile: Tile) => void} page.added
   * @param {() => void} page.changed who is there, or what they do
   * @param {(news: string) => void} page.announce
   */
  constructor(self, page) {
    this.#self = self;
    this.#page = page;
  }

  /** How many are in the room without publishing, this viewer among them. */
  get watching() {
    return this.#roster.size - this.tiles.size + 1;
  }

  /** What the relay's events do here. */
  get handlers() {
    return {
      'room-state': ({ participants = [] }) => this.#begin(participants),
      'user-joined': (participant) => {
        this.#upsert(participant);
        this.#page.changed();
      },
      'user-left': ({ userId, socketId }) => this.#leave(userId, socketId),
      media: ({ userId, ...media }) => {
        if (userId !== this.#self) this.#tileOf(userId).take(media);
      },
      // Why there is no connection to somebody; null if there is one.
      problem: ({ userId, problem }) => this.tiles.get(userId)?.setProblem(problem),
      'camera-state-changed': ({ userId, hasVideo }) => this.#update(userId, { hasVideo }),
      'mic-state-changed': ({ userId, isMuted }) => this.#update(userId, { isMuted }),
      'stream-reset': ({ userId }) => this.tiles.get(userId)?.player.restart(),
      'speaking-start': ({ userId }) => this.tiles.get(userId)?.setSpeaking(true),
      'speaking-stop': ({ userId }) => this.tiles.get(userId)?.setSpeaking(false),
      'participant-list-changed': (list) => this.#updateAll(list),
      'broadcast-presenter-changed': (list) => this.#updateAll(list),
      'broadcast-mode-changed': (list) => this.#updateAll(list),
      'room-ended': () => this.clear(),
    };
  }

  /** To be called about ten times a second. */
  tick(now) {
    for (const tile of this.tiles.values()) tile.tick(now);
    const gone = [...this.#missing].filter(([, until]) => now > until);
    for (const [who] of gone) this.#remove(who);
    if (gone.length) this.#page.changed();
  }

  /** Everybody is gone. */
  clear() {
    for (const who of [...this.#roster.keys()]) this.#remove(who);
    this.#settled = false;
    this.#page.changed();
  }

  #begin(participants) {
    const present = new Set(participants.map(({ userId }) => userId));
    const until = performance.now() + RETURN_GRACE;
    for (const gone of [...this.#roster.keys()].filter((id) => !present.has(id))) this.#missing.set(gone, until);
    participants.forEach((participant) => this.#upsert(participant));
    this.#settled = true;
    this.#page.changed();
  }

  #upsert(participant) {
    const { userId } = participant;
    if (!userId || userId === this.#self) return;
    const before = this.#roster.get(userId);
    const known = { ...before, ...participant };
    this.#roster.set(userId, known);
    this.#missing.delete(userId);
    if (this.tiles.has(userId)) {
      this.tiles.get(userId).update(participant);
      this.#tellChange(before, known);
    } else if (known.hasVideo === true || known.isMuted === false) {
      this.#tileOf(userId);
    }
  }

  #tellChange(before, { username: name, hasVideo, isMuted }) {
    if (!before) return;
    if (hasVideo !== before.hasVideo) this.#page.announce(say(hasVideo ? 'news.camera-on' : 'news.camera-off', { name }));
    if (isMuted !== before.isMuted) this.#page.announce(say(isMuted ? 'news.mic-off' : 'news.mic-on', { name }));
  }

  #update(who, change) {
    if (!this.#roster.has(who)) return;
    this.#upsert({ userId: who, ...change });
    this.#page.changed();
  }

  #updateAll({ participants = [] }) {
    participants.forEach((participant) => this.#upsert(participant));
    this.#page.changed();
  }

  /** The tile of a participant, who has published by now. It stays until they leave. */
  #tileOf(who) {
    let tile = this.tiles.get(who);
    if (!tile) {
      // Media of somebody the relay has not told of: the state events will follow.
      if (!this.#roster.has(who)) this.#roster.set(who, { userId: who, username: who, hasVideo: true });
      this.#forgetFormer(this.#roster.get(who).username);
      tile = new Tile(this.#roster.get(who), this.#page);
      this.tiles.set(who, tile);
      this.#page.added(tile);
      this.#page.changed();
      if (this.#settled) this.#page.announce(say('news.on-air', { name: tile.name }));
    }
    return tile;
  }

  /** Who was there before the server was away, and whom nobody has by that id any more, may be back under another. */
  #forgetFormer(username) {
    const former = [...this.#missing.keys()].find((who) => this.#roster.get(who)?.username === username);
    if (former) this.#forget(former);
  }

  #leave(who, socketId) {
    // Said of an earlier connection of somebody who is back already.
    const current = this.tiles.get(who)?.socketId;
    if (socketId && current && socketId !== current) return;
    this.#remove(who);
    this.#page.changed();
  }

  #remove(who) {
    const tile = this.tiles.get(who);
    if (tile) this.#page.announce(say('news.left', { name: tile.name }));
    this.#forget(who);
  }

  #forget(who) {
    const tile = this.tiles.get(who);
    this.#roster.delete(who);
    this.#missing.delete(who);
    tile?.remove();
    this.tiles.delete(who);
  }
}

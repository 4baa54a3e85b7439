// A deployed client without its looks, written after what they do (docs/receivers.md), mistakes included. The query
// names the `generation`; `client.join()` enters a room, `client.leave()` makes the page ready for another.

import { FirstMedia } from './first.js';
import { LaterMedia, MiddleMedia } from './later.js';
import { Log } from './log.js';
import { Screen } from './screen.js';
import { Sender } from './sender.js';

/** `lists`: takes over lists of participants, and sends only with the presenter's seat. */
const GENERATIONS = {
  first: { media: FirstMedia, renderMs: 5, refsFollowParticipants: true, cadenceMs: 100 },
  middle: { media: MiddleMedia, renderMs: 8, resets: true, cadenceMs: 100 },
  later: { media: LaterMedia, renderMs: 8, resets: true, lists: true, cadenceMs: 200 },
  'later-5s': { media: LaterMedia, renderMs: 8, resets: true, lists: true, cadenceMs: 200 },
};

class Client {
  log = new Log();
  participants = [];
  joinCalledAt = null;
  roomStateAt = null;
  chunkTimes = [];
  errors = [];
  /** When a card changed between picture and avatar: {atMs (Unix), userId, hasVideo}. */
  cameraStates = [];

  constructor(generation) {
    this.generation = generation;
    this.traits = GENERATIONS[generation];
    const { log } = this;
    const requestKeyframe = (userId) => {
      log.add('request-keyframe', { userId });
      this.socket.emit('request-keyframe', { roomId: this.room, userId });
    };
    this.media = new this.traits.media({ log, requestKeyframe, generation });
    const { refsFollowParticipants = false, renderMs } = this.traits;
    this.screen = new Screen({ log, refsFollowParticipants, renderMs, onRef: (userId, video) => this.media.handed(userId, video) });
  }

  /** `camera`: sends its own camera and microphone. `settleMs`: how long after connecting the browser opens a camera
   *  and a microphone that stay off: the client then renders, and says that they are off. `busyMs`: how long the
   *  page does nothing else from `busyFromMs` after connecting, as one that is still loading. */
  async join({ relay, room, user, token = user, camera = false, settleMs, busyFromMs = 0, busyMs = 0 }) {
    // Deployed clients look for devices before they connect; the first look takes a browser some 300 ms.
    await lookForDevices();
    this.joinCalledAt = performance.now();
    Object.assign(this, { room, user, camera, settleMs });
    this.log.add('join', { room, user });
    this.socket = io(relay, { transports: ['websocket', 'polling'], auth: { token, userId: token }, reconnectionDelay: 1_000, forceNew: true });
    this.sender = new Sender({
      cadenceMs: this.traits.cadenceMs,
      emit: (chunk, mimeType) => this.socket.emit('media-chunk', { chunk, mimeType, ...(this.traits.lists && { timestamp: Date.now() }) }),
    });
    this.#listen();
    if (busyMs > 0) this.socket.once('connect', () => setTimeout(() => this.#block(busyMs), busyFromMs));
  }

  /** Leaves as the button does, and is as before `join`. */
  async leave() {
    const { socket } = this;
    this.left = true;
    clearTimeout(this.settling);
    this.sender?.close();
    if (socket?.connected) await Promise.race([socket.emitWithAck('leave-room', {}), new Promise((resolve) => setTimeout(resolve, 500))]);
    socket?.disconnect();
    this.media.clear();
    this.screen.clear();
    this.log.clear();
    this.left = false;
    Object.assign(this, { participants: [], joinCalledAt: null, roomStateAt: null, chunkTimes: [], errors: [], cameraStates: [] });
  }

  mute(isMuted) {
    this.screen.changed();
    this.socket.emit('mic-state-changed', { roomId: this.room, userId: this.user, isMuted });
  }

  react(emoji) {
    this.socket.emit('send-reaction', { roomId: this.room, emoji });
  }

  switchLayout() {
    this.log.add('layout switch');
    this.screen.switchLayout();
  }

  #block(ms) {
    this.log.add('page is busy', { ms });
    const end = performance.now() + ms;
    while (performance.now() < end);
  }

  #listen() {
    const { socket, media, traits, log } = this;
    /** Handles an event after noting it. */
    const on = (event, handle) => socket.on(event, (payload) => {
      if (this.left) return;
      log.add(event, { userId: payload?.userId, hasVideo: payload?.hasVideo, isMuted: payload?.isMuted });
      handle(payload);
    });

    on('connect', () => {
      socket.emit('join-room', { roomId: this.room, username: this.user, hasVideo: this.camera && !traits.refsFollowParticipants, isMuted: !this.camera });
      if (!traits.lists) this.#openDevices();
    });
    on('disconnect', () => {});
    on('room-state', (state) => {
      this.roomStateAt ??= performance.now();
      if (traits.lists) this.#takeList(state.participants);
      else this.#takeRoom(state.participants);
      if (state.canBroadcast) this.#openDevices();
    });
    on('user-joined', (newcomer) => {
      const { userId, socketId } = newcomer;
      if (userId === this.user) return;
      const former = media.socketIds.get(userId);
      if (former !== undefined) {
        media.tearDown(former, 'its user joined again');
        media.userIds.delete(former);
      }
      media.know(userId, socketId);
      this.#set([...this.participants.filter((each) => each.userId !== userId), newcomer]);
      if (this.sender.isOpen) this.sender.restart();
    });
    on('user-left', ({ userId }) => {
      media.forget(userId);
      this.#set(this.participants.filter((each) => each.userId !== userId));
    });
    on('mic-state-changed', ({ userId, isMuted }) => this.#change(userId, { isMuted }));
    on('camera-state-changed', ({ userId, hasVideo }) => {
      this.cameraStates.push({ atMs: performance.timeOrigin + performance.now(), userId, hasVideo });
      this.#change(userId, { hasVideo });
    });
    on('chat-message', () => this.screen.changed());
    on('reaction-received', () => {
      this.screen.changed();
      setTimeout(() => this.screen.changed(), 2_000);
    });
    socket.on('media-chunk', (payload) => {
      if (this.left || payload.userId === this.user) return;
      this.chunkTimes.push(performance.now());
      void media.chunk(payload);
    });
    on('error', ({ message }) => {
      this.errors.push({ at: performance.now(), message });
      socket.disconnect();
    });
    if (traits.resets) on('stream-reset', ({ userId }) => {
      const socketId = media.socketIds.get(userId);
      if (socketId !== undefined) media.tearDown(socketId, 'stream-reset');
    });
    if (!traits.lists) return;
    for (const event of ['participant-list-changed', 'broadcast-presenter-changed', 'broadcast-mode-changed']) {
      on(event, ({ participants }) => {
        this.#takeList(participants);
        const self = participants.find(({ userId }) => userId === this.user);
        if (self?.canBroadcast) this.#openDevices();
        else this.sender.close();
      });
    }
    on('request-keyframe', () => {
      if (this.sender.isOpen) this.sender.restart();
    });
    on('room-ended', () => socket.disconnect());
  }

  #takeRoom(participants) {
    const others = participants.filter(({ userId }) => userId !== this.user);
    for (const { userId, socketId } of others) this.media.know(userId, socketId);
    this.#set(others);
  }

  /** Who is not in the list is gone, whatever was heard of it. */
  #takeList(participants) {
    const others = participants.filter(({ userId }) => userId !== this.user);
    for (const { userId, socketId } of others) this.media.know(userId, socketId);
    const present = new Set(others.map(({ userId }) => userId));
    for (const userId of [...this.media.socketIds.keys()]) if (!present.has(userId)) this.media.forget(userId);
    this.#set(others);
  }

  #change(userId, change) {
    this.#set(this.participants.map((each) => (each.userId === userId ? { ...each, ...change } : each)));
  }

  #set(participants) {
    this.participants = participants;
    this.screen.set(participants);
  }

  /** Looks for devices and opens them. The first generation says how they are in the name of an e-mail address. */
  async #openDevices() {
    if (this.sender.isOpen) return this.sender.restart();
    if (!this.camera && this.settleMs === undefined) return;
    await lookForDevices();
    this.screen.changed();
    if (this.camera) await this.sender.open();
    else await new Promise((resolve) => (this.settling = setTimeout(resolve, this.settleMs)));
    if (this.left) return;
    this.log.add('devices opened');
    this.screen.changed();
    const userId = this.traits.refsFollowParticipants ? `${this.user}@users.example` : this.user;
    this.socket.emit('camera-state-changed', { roomId: this.room, userId, hasVideo: this.camera });
    this.socket.emit('mic-state-changed', { roomId: this.room, userId, isMuted: !this.camera });
  }
}

/** Firefox answers only a page that is in front. */
function lookForDevices() {
  return Promise.race([navigator.mediaDevices.enumerateDevices(), new Promise((resolve) => setTimeout(resolve, 300))]);
}

window.client = new Client(new URLSearchParams(location.search).get('generation'));

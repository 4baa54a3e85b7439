// A receiver that follows the description of deployed clients in playback.md and nothing beyond it: it is the
// yardstick, so it must not be cleverer than they are. `?jump=1` steers latency as newer clients do, `?jump=0`
// is a client of the seeds' age, which neither jumps nor changes the rate and knows no `stream-reset`.
//
// Query: relay (URL), room, user, jump. Nothing happens before `receiver.join()`.

(() => {
  const query = new URLSearchParams(location.search);
  const STEERS = query.get('jump') !== '0';
  /** Chunks that wait for the SourceBuffer; the oldest is thrown away beyond this. */
  const QUEUE_MAX = 30;
  /** Seconds of media kept behind the playhead. */
  const KEPT_BEHIND_S = 30;

  /** Player per socket id of a sender. */
  const players = new Map();
  const receiver = {
    joinCalledAt: null,
    roomStateAt: null,
    errors: [],
    participants: new Map(),
    /** When somebody's camera was said to be on or off, from which clients show a picture or an avatar. */
    cameraStates: [],
    players,
    chunks: [],
    join,
  };
  window.receiver = receiver;

  class Player {
    constructor(socketId, userId, mimeType) {
      this.socketId = socketId;
      this.userId = userId;
      this.queue = [];
      this.thrownAway = 0;
      this.jumps = 0;
      this.video = document.createElement('video');
      this.video.autoplay = true;
      this.video.playsInline = true;
      this.video.dataset.userId = userId;
      document.body.append(this.video);
      roomcamProbe.attach(this.video);

      this.mediaSource = new MediaSource();
      this.mediaSource.addEventListener('sourceopen', () => {
        URL.revokeObjectURL(this.video.src);
        this.sourceBuffer = this.mediaSource.addSourceBuffer(mimeType);
        this.sourceBuffer.addEventListener('updateend', () => this.updated());
        this.sourceBuffer.addEventListener('error', () => this.failed('SourceBuffer error'));
        this.appendNext();
      });
      this.video.addEventListener('error', () => this.failed(this.video.error?.message));
      this.video.src = URL.createObjectURL(this.mediaSource);
      this.video.play().catch(() => {});
    }

    push(bytes) {
      this.queue.push(bytes);
      if (this.queue.length > QUEUE_MAX) {
        this.queue.shift();
        this.thrownAway += 1;
      }
      this.appendNext();
    }

    appendNext() {
      if (!this.sourceBuffer || this.sourceBuffer.updating || this.queue.length === 0) return;
      try {
        this.sourceBuffer.appendBuffer(this.queue.shift());
      } catch (error) {
        this.failed(error.message);
      }
    }

    updated() {
      const { video, sourceBuffer } = this;
      if (this.dead || sourceBuffer.buffered.length === 0) return this.appendNext();
      const end = sourceBuffer.buffered.end(sourceBuffer.buffered.length - 1);
      if (STEERS) this.steer(end - video.currentTime, end);
      const start = sourceBuffer.buffered.start(0);
      if (video.currentTime - start > 2 * KEPT_BEHIND_S && !sourceBuffer.updating) {
        sourceBuffer.remove(start, video.currentTime - KEPT_BEHIND_S);
        return;
      }
      this.appendNext();
    }

    steer(lag, end) {
      const { video } = this;
      if (lag > 5) {
        video.currentTime = end - 0.3;
        this.jumps += 1;
      } else {
        video.playbackRate = lag > 1.5 ? 1.1 : lag > 0.8 ? 1.05 : lag > 0.3 ? 1.02 : 1.0;
      }
    }

    /** The queue dies with the MediaSource. So a cluster that arrives just ahead of an init segment costs
     *  both, if the init segment is queued before the browser has found the error: some one in thirty joins. */
    failed(message) {
      if (this.dead) return;
      receiver.errors.push({ at: performance.now(), userId: this.userId, message: String(message) });
      this.throwAway();
    }

    throwAway() {
      this.dead = true;
      players.delete(this.socketId);
      this.video.removeAttribute('src');
      this.video.load();
      this.video.remove();
    }
  }

  function throwAwayUser(userId) {
    for (const player of [...players.values()]) if (player.userId === userId) player.throwAway();
  }

  function join() {
    receiver.joinCalledAt = performance.now();
    const user = query.get('user');
    const socket = io(query.get('relay'), { auth: { token: query.get('token') ?? user, userId: user } });
    receiver.socket = socket;
    socket.on('connect', () => {
      socket.emit('join-room', { roomId: query.get('room'), username: user, hasVideo: false, isMuted: true });
    });
    socket.on('room-state', (state) => {
      receiver.roomStateAt = performance.now();
      receiver.participants = new Map(state.participants.map((each) => [each.userId, each]));
      const present = new Set(state.participants.map((each) => each.socketId));
      for (const player of [...players.values()]) if (!present.has(player.socketId)) player.throwAway();
    });
    socket.on('user-joined', (participant) => receiver.participants.set(participant.userId, participant));
    socket.on('user-left', ({ userId }) => {
      receiver.participants.delete(userId);
      throwAwayUser(userId);
    });
    socket.on('camera-state-changed', ({ userId, hasVideo }) => {
      const participant = receiver.participants.get(userId);
      if (participant) participant.hasVideo = hasVideo;
      receiver.cameraStates.push({ atMs: performance.timeOrigin + performance.now(), userId, hasVideo });
    });
    socket.on('mic-state-changed', ({ userId, isMuted }) => {
      const participant = receiver.participants.get(userId);
      if (participant) participant.isMuted = isMuted;
    });
    if (STEERS) socket.on('stream-reset', ({ userId }) => throwAwayUser(userId));
    socket.on('error', ({ message }) => receiver.errors.push({ at: performance.now(), message }));
    socket.on('media-chunk', ({ socketId, userId, chunk, mimeType, timestamp }) => {
      if (!userId) return;
      receiver.chunks.push([performance.now(), Date.now() - timestamp, chunk.byteLength]);
      let player = players.get(socketId);
      if (!player) {
        player = new Player(socketId, userId, mimeType);
        players.set(socketId, player);
      }
      player.push(chunk);
    });
  }
})();

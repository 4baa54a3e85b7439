// One participant on the page: picture or avatar, name, badges, statistics.

import { Player } from './player.js';

/** No frame for this long, although the camera is on: say so (milliseconds). */
const STALE_AFTER = 2000;
/** After camera-on, frames older than the new epoch are not it. Senders that start no new epoch are believed
 *  after this long (milliseconds). */
const NEW_PICTURE_PATIENCE = 3000;

export class Tile {
  player;
  element;

  #userId;
  #socketId;
  #video;
  #held;
  #hasVideo = false;
  #muted = true;
  #canBroadcast = true;
  /** 'avatar': camera off. 'waiting': on, but no picture yet, or none any more. 'playing'. */
  #state = 'avatar';
  /** Frames before this media time (seconds) still belong to the camera being off. */
  #visibleFrom = 0;
  #newPictureBy = null;

  /**
   * @param {object} participant as in `room-state`
   * @param {object} page
   * @param {boolean} page.sound whether it may be heard
   * @param {(userId: string) => void} page.requestKeyframe
   * @param {() => void} page.resized the picture's aspect ratio has changed
   */
  constructor(participant, { sound, requestKeyframe, resized }) {
    const template = document.getElementById('tile-template');
    this.element = template.content.firstElementChild.cloneNode(true);
    this.#video = this.#part('video');
    this.#held = this.#part('held');
    this.#userId = participant.userId;
    this.element.dataset.user = participant.userId;
    this.element.style.setProperty('--hue', hue(participant.userId));
    this.player = new Player(this.#video, {
      frame: (now, presented, mediaTime) => this.#frameShown(now, presented, mediaTime),
      init: (firstCluster) => this.#epochBegins(firstCluster),
      restart: () => this.#hold(),
      needInit: () => requestKeyframe(participant.userId),
    });
    this.#video.addEventListener('resize', resized);
    this.setSound(sound);
    this.update(participant);
  }

  /** Takes over what the relay says about the participant; fields it leaves out stay. */
  update({ username, hasVideo, isMuted, canBroadcast, socketId }) {
    if (username) {
      this.#part('name').textContent = username;
      this.#part('avatar').textContent = initials(username);
      this.element.setAttribute('aria-label', username);
    }
    if (socketId && socketId !== this.#socketId) {
      // A new connection is a new stream: nothing of it continues the old one.
      if (this.#socketId) this.player.restart();
      this.#socketId = socketId;
    }
    if (canBroadcast !== undefined) this.#canBroadcast = canBroadcast;
    if (hasVideo !== undefined) this.setHasVideo(hasVideo);
    if (isMuted !== undefined) this.setMuted(isMuted);
    this.element.classList.toggle('silenced', !this.#canBroadcast);
  }

  chunk({ socketId, chunk, mimeType, timestamp }) {
    this.update({ socketId });
    this.player.push(new Uint8Array(chunk), mimeType, timestamp);
  }

  setHasVideo(on) {
    if (on === this.#hasVideo) return;
    this.#hasVideo = on;
    this.player.stats.pause();
    if (on && this.player.stats.chunks > 0) {
      // With the microphone on, black filler has been playing all along, and more of it is buffered.
      this.#visibleFrom = Infinity;
      this.#newPictureBy = performance.now() + NEW_PICTURE_PATIENCE;
    }
    if (!on) this.#held.hidden = true;
    this.#setState(on ? 'waiting' : 'avatar');
  }

  setMuted(muted) {
    this.#muted = muted;
    this.element.classList.toggle('muted', muted);
    if (muted) this.setSpeaking(false);
  }

  setSpeaking(speaking) {
    this.element.classList.toggle('speaking', speaking && !this.#muted);
  }

  setSound(on) {
    this.#video.muted = !on;
  }

  /** Whether there is anything to hear once sound is on. */
  get audible() {
    return !this.#muted;
  }

  /** Width by height of the picture; null before there was one. */
  get aspect() {
    const { videoWidth, videoHeight } = this.#video;
    return videoHeight ? videoWidth / videoHeight : null;
  }

  get socketId() {
    return this.#socketId;
  }

  /** To be called about ten times a second. */
  tick(now) {
    this.player.tick(now);
    if (this.#newPictureBy !== null && now > this.#newPictureBy) {
      this.#newPictureBy = null;
      this.#visibleFrom = 0;
    }
    const { lastFrameAt } = this.player.stats;
    if (this.#state === 'playing' && lastFrameAt !== null && now - lastFrameAt > STALE_AFTER) {
      this.#setState('waiting');
    }
  }

  /** Shows the statistics; to be called about twice a second while they are wanted. */
  showStats(now) {
    const { stats } = this.player;
    const { fps, lag, latencyMs } = this.inspect(now);
    const { videoWidth, videoHeight, playbackRate } = this.#video;
    const dropped = this.#video.getVideoPlaybackQuality().droppedVideoFrames;
    const rows = {
      picture: videoWidth ? `${videoWidth} × ${videoHeight}, ${Math.round(fps)} fps` : 'none',
      latency: latencyMs === null ? 'unknown' : `${Math.round(latencyMs)} ms`,
      buffered: `${lag.toFixed(2)} s, rate ${playbackRate.toFixed(2)}`,
      frames: `${stats.frames}, ${dropped} dropped`,
      'longest gap': `${Math.round(stats.maxGapMs)} ms`,
      chunks: stats.dropped ? `${stats.chunks}, ${stats.dropped} dropped` : `${stats.chunks}`,
    };
    if (stats.errors) rows.errors = `${stats.errors}: ${stats.lastError}`;
    this.#part('stats').replaceChildren(
      ...Object.entries(rows).flatMap(([name, value]) => [cell('dt', name), cell('dd', value)]),
    );
  }

  /** What tests may know. */
  inspect(now) {
    const { stats, lag } = this.player;
    return {
      state: this.#state,
      muted: this.#muted,
      frames: stats.frames,
      lastFrameAt: stats.lastFrameAt,
      maxGapMs: stats.maxGapMs,
      fps: stats.fps(now),
      lag,
      latencyMs: stats.transitMs === null ? null : stats.transitMs + Math.max(lag, 0) * 1000,
      errors: stats.errors,
      lastError: stats.lastError,
      jumps: { ...stats.jumps },
      chunks: stats.chunks,
      dropped: stats.dropped,
    };
  }

  remove() {
    this.player.destroy();
    this.element.remove();
  }

  #part(name) {
    return this.element.querySelector(`[data-part=${name}]`);
  }

  #setState(state) {
    this.#state = state;
    this.element.dataset.state = state;
  }

  #frameShown(now, presented, mediaTime) {
    // A cluster's time is whole milliseconds; a frame of its start may be reported a little before.
    if (!this.#hasVideo || mediaTime < this.#visibleFrom - 0.005) return;
    this.player.stats.frameShown(now, presented);
    this.#newPictureBy = null;
    this.#held.hidden = true;
    if (this.#state !== 'playing') this.#setState('playing');
  }

  #epochBegins(firstCluster) {
    if (this.#newPictureBy !== null) this.#visibleFrom = firstCluster ?? 0;
  }

  /** Keeps the last picture on display while the stream starts over. */
  #hold() {
    this.#visibleFrom = 0;
    const { videoWidth, videoHeight } = this.#video;
    if (this.#state !== 'playing' || !videoWidth || this.#video.error) return;
    this.#held.width = videoWidth;
    this.#held.height = videoHeight;
    this.#held.getContext('2d').drawImage(this.#video, 0, 0);
    this.#held.hidden = false;
    this.#setState('waiting');
  }
}

function cell(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

/** Up to two letters that stand for a name. */
export function initials(name) {
  const words = name.trim().split(/[\s._-]+/u).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0].toUpperCase()).join('') || '?';
}

/** A colour of one's own, in degrees, the same at every visit. */
function hue(userId) {
  let hash = 0;
  for (const char of userId) hash = (hash * 31 + char.codePointAt(0)) % 99991;
  // Steps of the golden angle keep similar ids apart.
  return (hash * 137.508) % 360;
}

// One participant on the page: picture or avatar, name, what they do, statistics.

import { Avatar, hueOf } from './avatar.js';
import { Player } from './player.js';
import { rowsOf } from './statistics.js';
import { Tools } from './tools.js';
import { label, say } from './words.js';

/** No frame for this long, although the camera is on: say so (milliseconds). */
const STALE_AFTER = 2000;
/** After camera-on, frames older than the new epoch are not it. Senders that start no new epoch are believed
 *  after this long (milliseconds). */
const NEW_PICTURE_PATIENCE = 3000;
/** A cluster's time is whole milliseconds; a frame of its start may be reported a little before (seconds). */
const ROUNDING = 0.005;

export class Tile {
  player;
  element;

  #socketId;
  #page;
  #video;
  #held;
  #avatar;
  #tools;
  #name = '';
  #hasVideo = false;
  #muted = true;
  #speaking = false;
  /** 'avatar': camera off. 'waiting': on, but no picture yet, or none any more. 'playing'. 'problem': this
   *  browser cannot play it. */
  #state = 'avatar';
  /** Frames before this media time (seconds) still belong to the camera being off. */
  #visibleFrom = 0;
  #newPictureBy = null;

  /**
   * @param {object} participant as in `room-state`
   * @param {object} page
   * @param {() => boolean} page.sound whether anybody may be heard
   * @param {(userId: string) => void} page.requestKeyframe
   * @param {(userId: string) => void} page.togglePin
   * @param {() => void} page.resized the picture's aspect ratio has changed
   * @param {(blocked: boolean) => void} page.blocked whether the browser wants a click before it plays
   */
  constructor(participant, page) {
    const { userId } = participant;
    const template = document.getElementById('tile-template');
    this.#page = page;
    this.element = template.content.firstElementChild.cloneNode(true);
    label(this.element);
    this.#video = this.#part('video');
    this.#held = this.#part('held');
    this.#avatar = new Avatar(this.#part('avatar'));
    this.#tools = new Tools(this.element, { togglePin: () => page.togglePin(userId), heard: () => this.soundChanged() });
    this.element.dataset.user = userId;
    this.element.style.setProperty('--hue', hueOf(userId));
    this.player = new Player(this.#video, {
      frames: (now, frames, mediaTime) => this.#framesShown(now, frames, mediaTime),
      epoch: (firstFrame) => this.#epochBegins(firstFrame),
      restart: () => this.#hold(),
      needInit: () => page.requestKeyframe(userId),
      unplayable: (mimes) => this.#showProblem(mimes.join(', ')),
      blocked: page.blocked,
    });
    this.#video.addEventListener('resize', page.resized);
    this.soundChanged();
    this.update(participant);
  }

  get name() {
    return this.#name;
  }

  /** Takes over what the relay says about the participant; fields it leaves out stay. */
  update({ username, avatar_url, hasVideo, isMuted, socketId }) {
    if (username) {
      this.#name = username;
      this.#part('name').textContent = username;
      this.element.setAttribute('aria-label', username);
      this.#tools.name = username;
    }
    if (username || avatar_url !== undefined) this.#avatar.update({ username, avatar_url });
    if (socketId && socketId !== this.#socketId) {
      // A new connection is a new stream: nothing of it continues the old one.
      if (this.#socketId) this.player.restart();
      this.#socketId = socketId;
    }
    if (hasVideo !== undefined) this.#setHasVideo(hasVideo);
    if (isMuted !== undefined) this.#muted = isMuted;
    this.#showStatus();
  }

  chunk({ socketId, chunk, mimeType, timestamp }) {
    this.update({ socketId });
    // Other containers, which some browsers record, have no reader here.
    if (/^(video|audio)\/(webm|x-matroska)\b/.test(mimeType)) this.player.push(new Uint8Array(chunk), timestamp);
    else this.#showProblem(String(mimeType));
  }

  setSpeaking(speaking) {
    this.#speaking = speaking;
    this.#showStatus();
  }

  /** Sound has been turned on or off, for all or here. */
  soundChanged() {
    this.#video.muted = !this.#page.sound() || this.#tools.silenced;
    this.element.classList.toggle('audible', this.#page.sound());
  }

  /** Where it stands in the grid (CSS pixels). */
  place({ x, y, width, height }) {
    for (const [property, value] of Object.entries({ left: x, top: y, width, height })) {
      this.element.style[property] = `${value}px`;
    }
  }

  showPinned(pinned) {
    this.element.classList.toggle('pinned', pinned);
    this.#tools.pinned = pinned;
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
    const rows = rowsOf(this.player, this.#video, now);
    this.#part('stats').replaceChildren(...rows.flatMap(([name, value]) => [cell('dt', name), cell('dd', value)]));
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
      latencyMs: stats.relayDelayMs === null ? null : stats.relayDelayMs + Math.max(lag, 0) * 1000,
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

  #setHasVideo(on) {
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

  #setState(state) {
    this.#state = state;
    this.element.dataset.state = state;
    this.#showStatus();
  }

  /** What is shown by icons and rings, also in words. */
  #showStatus() {
    const speaking = this.#speaking && !this.#muted;
    this.element.classList.toggle('muted', this.#muted);
    this.element.classList.toggle('speaking', speaking);
    const words = [
      this.#state === 'avatar' && say('tile.camera-off'),
      this.#state === 'waiting' && say('tile.waiting'),
      this.#muted && say('tile.muted'),
      speaking && say('tile.speaking'),
    ];
    this.#part('status').textContent = words.filter(Boolean).join(', ');
  }

  #showProblem(type) {
    this.#part('problem').textContent = say('tile.unplayable.text', { type });
    if (this.#hasVideo && this.#state !== 'problem') this.#setState('problem');
  }

  #framesShown(now, frames, mediaTime) {
    if (!this.#hasVideo || mediaTime < this.#visibleFrom - ROUNDING) return;
    this.player.stats.framesShown(now, frames);
    this.#newPictureBy = null;
    this.#held.hidden = true;
    if (this.#state !== 'playing') this.#setState('playing');
  }

  #epochBegins(firstFrame) {
    if (this.#newPictureBy !== null) this.#visibleFrom = firstFrame;
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

// One participant on the page: picture or avatar, name, what they do, statistics.

import { Avatar, hueOf } from './avatar.js';
import { Tools } from './tools.js';
import { label, say } from './words.js';

/** No frame for this long, although the camera is on: say so (milliseconds). */
const STALE_AFTER = 2000;
/** After camera-on, frames older than the new epoch are not it. Senders that start no new epoch are believed
 *  after this long (milliseconds). */
const NEW_PICTURE_PATIENCE = 3000;
/** A cluster's time is whole milliseconds; a frame of its start may be reported a little before (seconds). */
const ROUNDING = 0.005;

/** Why there is no connection to a participant, in words. */
const PROBLEMS = {
  unanswered: { title: 'tile.unanswered', text: 'tile.unanswered.text' },
  unreachable: { title: 'tile.unreachable', text: 'tile.unreachable.text' },
};

/**
 * Plays the media of one participant in one <video>: `ChunkPlayer` what comes through a relay, `StreamPlayer` what comes
 * over WebRTC. It is made of the element and of these events:
 *
 * - `frames(now, frames, mediaTime)`: frames have been shown;
 * - `epoch(firstFrame)`: media of a new epoch has come, from there (seconds);
 * - `restart()`: the picture is about to go: keep it on display if you can;
 * - `needInit()`: ask the sender for an init segment and a key frame;
 * - `unplayable(mimes)`: this browser does not know these types;
 * - `blocked(blocked)`: whether the browser wants a click before it plays.
 *
 * @typedef {object} Player
 * @property {import('./stats.js').Stats} stats
 * @property {number} lag seconds between the newest sample and the picture
 * @property {(media: object) => void} take what has come
 * @property {() => void} restart throws the stream away and waits for the next
 * @property {(now: number) => void} tick to be called about ten times a second
 * @property {(now: number) => [string, string][]} rows its statistics, in words
 * @property {() => void} destroy
 */

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
   *  browser cannot play it, or there is no connection. */
  #state = 'avatar';
  /** Why there is no connection to the participant, or null. */
  #problem = null;
  /** Frames before this media time (seconds) still belong to the camera being off. */
  #visibleFrom = 0;
  #newPictureBy = null;

  /**
   * @param {object} participant as in `room-state`
   * @param {object} page
   * @param {(video: HTMLVideoElement, events: object) => Player} page.player
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
    this.player = page.player(this.#video, {
      frames: (now, frames, mediaTime) => this.#framesShown(now, frames, mediaTime),
      epoch: (firstFrame) => this.#epochBegins(firstFrame),
      restart: () => this.#hold(),
      needInit: () => page.requestKeyframe(userId),
      unplayable: (mimes) => this.#unplayable(mimes.join(', ')),
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

  /** Media of the participant have come, over the connection `socketId`. */
  take({ socketId, ...media }) {
    this.update({ socketId });
    this.player.take(media);
  }

  /** Says why there is no connection to the participant: a key of `PROBLEMS`; null if there is one. */
  setProblem(problem) {
    if (problem === this.#problem) return;
    this.#problem = problem;
    if (problem) this.#showProblem(this.#problemTitle(), say(PROBLEMS[problem].text));
    else if (this.#state === 'problem') this.#setState(this.#hasVideo ? 'waiting' : 'avatar');
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
    const rows = this.player.rows(now);
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
    if (!this.#problem) this.#setState(on ? 'waiting' : 'avatar');
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
      this.#problem && this.#problemTitle(),
      this.#muted && say('tile.muted'),
      speaking && say('tile.speaking'),
    ];
    this.#part('status').textContent = words.filter(Boolean).join(', ');
  }

  #unplayable(type) {
    if (this.#hasVideo) this.#showProblem(say('tile.unplayable'), say('tile.unplayable.text', { type }));
  }

  #problemTitle() {
    return say(PROBLEMS[this.#problem].title, { name: this.#name });
  }

  #showProblem(title, text) {
    this.#part('problem-title').textContent = title;
    this.#part('problem').textContent = text;
    this.#held.hidden = true;
    this.#setState('problem');
  }

  #framesShown(now, frames, mediaTime) {
    if (!this.#hasVideo || this.#problem || mediaTime < this.#visibleFrom - ROUNDING) return;
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

// The controls of a tile: volume, pin, full screen.

import { name as nameControl, say } from './words.js';

export class Tools {
  #tile;
  #video;
  #parts;
  #name = '';
  #pinned = false;
  #silenced = false;

  /**
   * @param {HTMLElement} tile
   * @param {object} page
   * @param {() => void} page.togglePin
   * @param {() => void} page.heard whether it is heard here has changed
   */
  constructor(tile, { togglePin, heard }) {
    this.#tile = tile;
    const part = (name) => tile.querySelector(`[data-part=${name}]`);
    this.#video = part('video');
    this.#parts = { volume: part('volume'), mute: part('mute'), pin: part('pin'), fullscreen: part('fullscreen') };
    const { volume, mute, pin, fullscreen } = this.#parts;
    volume.hidden = !hasVolume(this.#video);
    volume.addEventListener('input', () => {
      this.#video.volume = volume.valueAsNumber;
      this.#silence(volume.valueAsNumber === 0, heard);
    });
    mute.addEventListener('click', () => {
      if (this.#silenced && this.#video.volume === 0) this.#video.volume = 1;
      this.#silence(!this.#silenced, heard);
    });
    pin.addEventListener('click', togglePin);
    fullscreen.hidden = !tile.requestFullscreen && !this.#video.webkitEnterFullscreen;
    fullscreen.addEventListener('click', () => this.#toggleFullscreen());
    tile.addEventListener('fullscreenchange', () => this.#label());
  }

  /** Whose tile it is. */
  set name(name) {
    this.#name = name;
    this.#label();
  }

  set pinned(pinned) {
    this.#pinned = pinned;
    this.#label();
  }

  /** Whether the user does not want to hear this one. */
  get silenced() {
    return this.#silenced;
  }

  #silence(silenced, heard) {
    this.#silenced = silenced;
    this.#tile.classList.toggle('hushed', silenced);
    this.#parts.volume.value = silenced ? 0 : this.#video.volume;
    this.#label();
    heard();
  }

  #toggleFullscreen() {
    if (document.fullscreenElement === this.#tile) document.exitFullscreen();
    // iPhones show nothing but a video in full screen.
    else if (this.#tile.requestFullscreen) this.#tile.requestFullscreen().catch(() => {});
    else this.#video.webkitEnterFullscreen();
  }

  #label() {
    const { volume, mute, pin, fullscreen } = this.#parts;
    const name = this.#name;
    const whole = document.fullscreenElement === this.#tile;
    nameControl(volume, say('tile.volume', { name }));
    nameControl(mute, say(this.#silenced ? 'tile.unmute' : 'tile.mute', { name }));
    nameControl(pin, say(this.#pinned ? 'tile.unpin' : 'tile.pin', { name }));
    pin.setAttribute('aria-pressed', this.#pinned);
    nameControl(fullscreen, say(whole ? 'tile.fullscreen.leave' : 'tile.fullscreen', { name }));
  }
}

/** Whether the page may set the volume. On iPhones that is the side buttons' business. */
function hasVolume(video) {
  const before = video.volume;
  video.volume = 0.5;
  const set = video.volume === 0.5;
  video.volume = before;
  return set;
}

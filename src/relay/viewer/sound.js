// The page's sound: off until the user clicks, as browsers want it, and off again where one objects.

import { name, say } from './words.js';

export class Sound {
  #button;
  #changed;
  #on = false;
  #blocked = false;
  #audible = false;
  #asked = false;

  /**
   * @param {HTMLButtonElement} button
   * @param {() => void} changed sound has been turned on or off
   */
  constructor(button, changed) {
    this.#button = button;
    this.#changed = changed;
    button.addEventListener('click', () => {
      this.#asked = true;
      this.#blocked = false;
      this.#set(!this.#on);
    });
  }

  get on() {
    return this.#on;
  }

  /** Whether there is anybody to hear. */
  set audible(audible) {
    this.#audible = audible;
    this.#show();
  }

  /** A browser does not let a video play, or lets it now. It may be the sound that it objects to. */
  showBlocked(blocked) {
    if (blocked && this.#on) {
      this.#asked = false;
      this.#set(false);
    } else if (blocked !== this.#blocked) {
      this.#blocked = blocked;
      this.#show();
    }
  }

  #set(on) {
    this.#on = on;
    this.#changed();
    this.#show();
  }

  #show() {
    // Asking for the first click, it says so in words; afterwards it is one control of several.
    const asks = !this.#on && !this.#asked;
    const words = this.#blocked ? 'sound.play' : asks ? 'sound.start' : this.#on ? 'sound.off' : 'sound.on';
    this.#button.hidden = !this.#audible && !this.#on && !this.#blocked;
    this.#button.classList.toggle('asks', asks || this.#blocked);
    this.#button.classList.toggle('hushed', !this.#on);
    this.#button.querySelector('span').textContent = say(words);
    name(this.#button, say(words));
  }
}

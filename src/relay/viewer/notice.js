// Says what is wrong and what to do: a banner while the tiles still stand, a card where there is nothing else.

import { say } from './words.js';

/** Icons of the card, by kind of condition; paths in a box of 64. */
const ICONS = {
  joining: 'M32 12a20 20 0 1 1-20 20',
  away: 'M10 26a32 32 0 0 1 44 0M19 36a19 19 0 0 1 26 0M27 46a7 7 0 0 1 10 0M12 10l40 44',
  'token-needed': 'M40 10a14 14 0 1 1-11 22L12 49v6h8v-6h6v-6h4l4-5M44 20h.1',
  full: 'M22 30a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM6 52c0-10 7-16 16-16s16 6 16 16zM44 30a8 8 0 1 0-3-15M44 37c8 0 14 6 14 15H46',
  kicked: 'M8 14h34v26H8zM18 50h14M48 24h10v28H40v-6',
  ended: 'M32 10a22 22 0 1 0 .1 0M24 32h16',
  refused: 'M32 10a22 22 0 1 0 .1 0M32 21v14M32 43h.1',
};
const ICON_OF = { 'token-wrong': 'token-needed', busy: 'full', 'relay-full': 'full', 'no-media-source': 'refused', 'no-webrtc': 'refused', room: 'refused' };
const ASKS_TOKEN = ['token-needed', 'token-wrong'];
/** What the button says, where it is not "Try now". */
const ACTIONS = { kicked: 'kicked.action', ended: 'ended.action' };
/** Nothing that a click could change. */
const NO_ACTION = ['joining', 'no-media-source', 'no-webrtc', 'room', ...ASKS_TOKEN];
const TICK = 250;
/** A join that takes no longer is not worth a word (milliseconds). */
const JOINING_PATIENCE = 600;

const $ = (id) => document.getElementById(id);

export class Notice {
  #condition = { kind: 'joining' };
  #since = performance.now();
  #tilesStand = false;
  #told = null;
  #room;
  #announce;

  /**
   * @param {object} page
   * @param {string} page.room
   * @param {() => void} page.tryNow
   * @param {(token: string) => void} page.offerToken
   * @param {(news: string) => void} page.announce
   */
  constructor({ room, tryNow, offerToken, announce }) {
    this.#room = room;
    this.#announce = announce;
    for (const place of ['banner', 'card']) part(place, 'action').addEventListener('click', tryNow);
    $('token-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const token = $('token').value.trim();
      if (token) offerToken(token);
    });
    $('token-show').addEventListener('click', () => {
      const shown = $('token').type === 'password';
      $('token').type = shown ? 'text' : 'password';
      $('token-show').setAttribute('aria-pressed', shown);
      $('token-show').textContent = say(shown ? 'token.hide' : 'token.show');
    });
    setInterval(() => this.#render(), TICK);
  }

  /** `tilesStand`: there is something else to look at. */
  show(condition, tilesStand) {
    if (condition.kind !== this.#condition.kind) this.#since = performance.now();
    this.#condition = condition;
    this.#tilesStand = tilesStand;
    this.#render();
  }

  #render() {
    const { kind } = this.#condition;
    const patient = kind === 'joining' && performance.now() - this.#since < JOINING_PATIENCE;
    const silent = kind === 'joined' || patient;
    // What only the user can change takes the place of everything else.
    const banner = !silent && this.#tilesStand && (kind === 'away' || kind === 'joining');
    document.body.classList.toggle('away', kind !== 'joined' && kind !== 'joining');
    $('banner').hidden = !banner;
    $('card').hidden = silent || banner;
    if (!silent) this.#fill(banner ? 'banner' : 'card', kind);
    if (!silent && this.#told !== kind) this.#announce(`${this.#title(kind)}. ${this.#text(kind)}`);
    if (kind === 'joined' && this.#told) this.#announce(say('news.back'));
    if (!patient) this.#told = silent ? null : kind;
  }

  #fill(place, kind) {
    setText(part(place, 'title'), this.#title(kind));
    setText(part(place, 'text'), this.#text(kind));
    setText(part(place, 'retry'), this.#retry());
    const action = part(place, 'action');
    action.hidden = NO_ACTION.includes(kind);
    setText(action, say(ACTIONS[kind] ?? 'retry.now'));
    if (place !== 'card') return;
    $('card').dataset.kind = kind;
    part('card', 'icon').setAttribute('d', ICONS[ICON_OF[kind] ?? kind]);
    const asks = ASKS_TOKEN.includes(kind);
    const appears = asks && ($('token-form').hidden || this.#told !== kind);
    $('token-form').hidden = !asks;
    $('token').setAttribute('aria-invalid', kind === 'token-wrong');
    if (appears) {
      $('token').focus();
      $('token').select();
    }
  }

  #title(kind) {
    return say(`${kind}.title`, { room: this.#room });
  }

  #text(kind) {
    return kind === 'joining' ? '' : say(`${kind}.text`, this.#condition);
  }

  #retry() {
    const { retryAt } = this.#condition;
    if (retryAt === undefined) return '';
    const seconds = Math.ceil((retryAt - performance.now()) / 1000);
    return seconds > 0 ? say('retry.in', { seconds }) : say('retry.soon');
  }
}

function part(place, name) {
  return $(place).querySelector(`[data-part=${name}]`);
}

/** Leaves a text alone that is right already, so that nobody's selection goes. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Where the tiles stand in the window, and which of them is pinned.

import { places } from './grid.js';

const GAP = 12;
/** The shape of tiles before there is a picture. */
const FIRST_ASPECT = 16 / 9;

export class Stage {
  #element;
  #tiles;
  #aspect = FIRST_ASPECT;
  #pinned = null;

  /**
   * @param {HTMLElement} element
   * @param {Map<string, import('./tile.js').Tile>} tiles by user id, in the order in which they are shown
   */
  constructor(element, tiles) {
    this.#element = element;
    this.#tiles = tiles;
    new ResizeObserver(() => this.arrange()).observe(element);
  }

  /** The user id of who is pinned, or null. */
  get pinned() {
    return this.#tiles.has(this.#pinned) ? this.#pinned : null;
  }

  /** Pins somebody, or, if they are pinned, nobody. */
  togglePin(userId) {
    this.#pinned = this.pinned === userId ? null : userId;
    for (const [who, tile] of this.#tiles) tile.showPinned(who === this.#pinned);
    this.arrange();
  }

  /** All tiles have the shape of most pictures, so that few are cropped. */
  arrange() {
    const shapes = [...this.#tiles.values()].map((tile) => tile.aspect).filter(Boolean);
    if (shapes.length) this.#aspect = shapes.sort((a, b) => a - b)[Math.floor(shapes.length / 2)];
    this.#element.hidden = this.#tiles.size === 0;
    const rectangles = places({
      count: this.#tiles.size,
      pinned: [...this.#tiles.keys()].indexOf(this.pinned),
      width: this.#element.clientWidth,
      height: this.#element.clientHeight,
      aspect: this.#aspect,
      gap: GAP,
    });
    [...this.#tiles.values()].forEach((tile, index) => tile.place(rectangles[index]));
  }
}

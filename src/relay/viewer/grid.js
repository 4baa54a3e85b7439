// How tiles share a window: pure. All lengths are CSS pixels.

/** Tiles are not made narrower than this; the page scrolls instead. */
export const MIN_TILE_WIDTH = 200;
/** The same for those beside a pinned one. */
const MIN_ASIDE_WIDTH = 132;
/** What a pinned tile leaves to the others: the smaller of a part and a length. */
const ASIDE_PART = 0.24;
const MAX_ASIDE = 260;

/**
 * The grid of `count` tiles of one aspect ratio in which they are largest.
 *
 * @returns {{columns: number, tileWidth: number}} whole
 */
export function bestGrid(count, width, height, aspect, gap, least = MIN_TILE_WIDTH) {
  let best = { columns: 1, tileWidth: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const byWidth = (width - gap * (columns - 1)) / columns;
    const byHeight = ((height - gap * (rows - 1)) / rows) * aspect;
    const tileWidth = Math.floor(Math.min(byWidth, byHeight));
    if (tileWidth > best.tileWidth) best = { columns, tileWidth };
  }
  if (best.tileWidth >= least) return best;
  const columns = Math.max(1, Math.min(count, Math.floor((width + gap) / (least + gap))));
  return { columns, tileWidth: Math.floor((width - gap * (columns - 1)) / columns) };
}

/**
 * Where each of `count` tiles goes. The one at index `pinned`, if any, gets most of the room, and the others
 * stand beside it, or below where the window is high.
 *
 * @returns {{x: number, y: number, width: number, height: number}[]} more than `height` in all where it must
 *   be scrolled
 */
export function places({ count, pinned = -1, width, height, aspect, gap }) {
  const whole = { x: 0, y: 0, width, height };
  if (pinned < 0 || pinned >= count || count === 1) return grid(count, whole, aspect, gap, MIN_TILE_WIDTH);
  const [main, aside] = width > height ? sideBySide(whole, gap) : stacked(whole, aspect, gap);
  const [stage] = grid(1, main, aspect, gap, MIN_TILE_WIDTH);
  const others = grid(count - 1, aside, aspect, gap, MIN_ASIDE_WIDTH);
  return [...others.slice(0, pinned), stage, ...others.slice(pinned)];
}

function sideBySide({ width, height }, gap) {
  const aside = Math.min(width * ASIDE_PART, MAX_ASIDE);
  return [
    { x: 0, y: 0, width: width - aside - gap, height },
    { x: width - aside, y: 0, width: aside, height },
  ];
}

function stacked({ width, height }, aspect, gap) {
  const main = Math.min(width / aspect, height * (1 - ASIDE_PART));
  return [
    { x: 0, y: 0, width, height: main },
    { x: 0, y: main + gap, width, height: height - main - gap },
  ];
}

/** Tiles in the middle of an area, row by row, the last row centred. */
function grid(count, area, aspect, gap, least) {
  const { columns, tileWidth } = bestGrid(count, area.width, area.height, aspect, gap, least);
  const tileHeight = Math.floor(tileWidth / aspect);
  const rows = Math.ceil(count / columns);
  const top = area.y + Math.max(0, (area.height - rows * tileHeight - (rows - 1) * gap) / 2);
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, count - row * columns);
    const left = area.x + (area.width - inRow * tileWidth - (inRow - 1) * gap) / 2;
    return {
      x: Math.round(left + (index % columns) * (tileWidth + gap)),
      y: Math.round(top + row * (tileHeight + gap)),
      width: tileWidth,
      height: tileHeight,
    };
  });
}

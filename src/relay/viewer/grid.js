// How tiles share a window: pure.

/** Tiles are not made narrower than this; the page scrolls instead (CSS pixels). */
export const MIN_TILE_WIDTH = 200;

/**
 * The grid of `count` tiles of one aspect ratio in which they are largest.
 *
 * @returns {{columns: number, tileWidth: number}} CSS pixels, whole
 */
export function bestGrid(count, width, height, aspect, gap) {
  let best = { columns: 1, tileWidth: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const byWidth = (width - gap * (columns - 1)) / columns;
    const byHeight = ((height - gap * (rows - 1)) / rows) * aspect;
    const tileWidth = Math.floor(Math.min(byWidth, byHeight));
    if (tileWidth > best.tileWidth) best = { columns, tileWidth };
  }
  if (best.tileWidth >= MIN_TILE_WIDTH) return best;
  const columns = Math.max(1, Math.min(count, Math.floor((width + gap) / (MIN_TILE_WIDTH + gap))));
  return { columns, tileWidth: Math.floor((width - gap * (columns - 1)) / columns) };
}

// The clock of the test picture (src/capture/overlay.rs), drawn and read: the time of day in UTC, to a hundredth of a
// second. Read at a viewer it is a time code: how long ago the picture that is shown was captured. A plain script.

window.roomcamClock = (() => {
  const CELLS_HIGH = 60;
  const TOP_CELLS = 47;
  const SIGNS = 11;
  /** A sign is three cells wide, with one between two. */
  const TEXT_CELLS = SIGNS * 4 - 1;
  /** Five rows of three cells each; the highest bit is the upper left cell. */
  const DIGITS = [
    0b111_101_101_101_111, 0b010_110_010_010_111, 0b111_001_111_100_111, 0b111_001_111_001_111, 0b101_101_111_001_001,
    0b111_100_111_001_111, 0b111_100_111_101_111, 0b111_001_001_001_001, 0b111_101_111_101_111, 0b111_101_111_001_111,
  ];
  const COLON = 0b000_010_000_010_000;
  const POINT = 0b000_000_000_000_010;
  /** Which of the signs are digits, and what one of each is worth in ms. */
  const PLACES = [[0, 36e6], [1, 36e5], [3, 6e5], [4, 6e4], [6, 1e4], [7, 1e3], [9, 100], [10, 10]];
  /** A cell is read as so many pixels, each way. */
  const SAMPLED = 4;
  /** By how much the second-best digit must be worse, in cells of full contrast. Two digits differ by one at least. */
  const CLEAR = 0.4;

  const bitOf = (sign, cell) => (sign >> (14 - cell)) & 1;

  function placeIn(width, height) {
    const cell = Math.max(1, Math.floor(height / CELLS_HIGH));
    return { cell, left: Math.floor((width - (TEXT_CELLS + 2) * cell) / 2), top: Math.floor((height * TOP_CELLS) / CELLS_HIGH) };
  }

  /** Draws the time of day (`atMs`, Unix) and the block that crosses the picture in two seconds. */
  function draw(context, width, height, atMs) {
    const { cell, left, top } = placeIn(width, height);
    context.fillStyle = 'black';
    context.fillRect(left, top, (TEXT_CELLS + 2) * cell, 7 * cell);
    context.fillStyle = 'white';
    const digits = [...new Date(atMs).toISOString().slice(11, 22)];
    digits.forEach((text, index) => {
      const sign = { ':': COLON, '.': POINT }[text] ?? DIGITS[text];
      for (let at = 0; at < 15; at += 1) {
        if (bitOf(sign, at)) context.fillRect(left + (1 + index * 4 + (at % 3)) * cell, top + (1 + Math.floor(at / 3)) * cell, cell, cell);
      }
    });
    context.fillRect(((width - 4 * cell) * (atMs % 2_000)) / 2_000, height - 4 * cell, 4 * cell, 3 * cell);
  }

  const canvas = new OffscreenCanvas(TEXT_CELLS * SAMPLED, 5 * SAMPLED);
  const context = canvas.getContext('2d', { willReadFrequently: true });

  /** The time that a video's present picture shows, in ms since midnight UTC; null if it cannot be read for certain. */
  function read(video) {
    const { videoWidth, videoHeight } = video;
    if (videoWidth === 0) return null;
    const { cell, left, top } = placeIn(videoWidth, videoHeight);
    context.drawImage(video, left + cell, top + cell, TEXT_CELLS * cell, 5 * cell, 0, 0, canvas.width, canvas.height);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    // Green, the most of luma; of each cell the middle, because its edges are blurred.
    const pixel = (x, y) => data[(y * canvas.width + x) * 4 + 1] / 255;
    const level = (column, row) => {
      const [x, y] = [column * SAMPLED + 1, row * SAMPLED + 1];
      return (pixel(x, y) + pixel(x + 1, y) + pixel(x, y + 1) + pixel(x + 1, y + 1)) / 4;
    };
    let ms = 0;
    for (const [sign, worth] of PLACES) {
      const cells = Array.from({ length: 15 }, (_, at) => level(sign * 4 + (at % 3), Math.floor(at / 3)));
      const misses = DIGITS.map((digit) => cells.reduce((sum, cell, at) => sum + Math.abs(cell - bitOf(digit, at)), 0));
      const best = Math.min(...misses);
      if (misses.filter((miss) => miss < best + CLEAR).length > 1) return null;
      ms += misses.indexOf(best) * worth;
    }
    return ms;
  }

  return { draw, read };
})();

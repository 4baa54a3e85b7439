// Numbers out of what the probe recorded, and assertions that say them.

import assert from 'node:assert/strict';

/** A frame is on the screen for at least this long: Chromium without a display presents at 60 Hz. */
const REFRESH_MS = 1_000 / 60;

/** The gaps between frames that overlap [fromMs, toMs] on the page's clock, longest first: {ms, atMs, missed}.
 *  The last gap runs from the last frame to the end, so that a frozen picture shows. `missed` frames were
 *  presented within the gap, says the browser, without our callback being called (a busy page): the longest
 *  that the picture can have stood still is then shorter by one refresh for each. */
export function gapsOf(frames, fromMs, toMs) {
  const gaps = [];
  let previous = null;
  for (const frame of frames) {
    const [atMs] = frame;
    if (atMs > toMs) break;
    if (previous && atMs > fromMs) {
      const missed = Math.max(0, frame[2] - previous[2] - 1);
      gaps.push({ ms: atMs - previous[0] - missed * REFRESH_MS, atMs: previous[0], missed });
    }
    previous = frame;
  }
  const from = previous ? previous[0] : fromMs;
  gaps.push({ ms: toMs - from, atMs: from, missed: 0 });
  return gaps.sort((a, b) => b.ms - a.ms);
}

/** From `sinceMs` on the page's clock to the first frame from then on, ms; undefined without one. */
export function firstFrameAfter(frames, sinceMs) {
  const first = frames?.find(([atMs]) => atMs >= sinceMs);
  return first && first[0] - sinceMs;
}

/** Gaps as text: the longest few. */
export function describeGaps(gaps, count = 5) {
  return gaps.slice(0, count).map(({ ms, atMs, missed }) => `${ms.toFixed(0)} ms at ${atMs.toFixed(0)}${missed ? ` (${missed} not seen)` : ''}`).join(', ');
}

/** Asserts that a colour is within `tolerance` of the expected one on each channel. */
export function assertColour(actual, expected, what, tolerance = 30) {
  const far = actual.some((channel, index) => Math.abs(channel - expected[index]) > tolerance);
  assert.ok(!far, `${what}: expected about rgb(${expected}), the page shows rgb(${actual})`);
}

/** The value below which a share of the values lies: `quantile(values, 0.5)` is the median. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

// How long viewers were without a picture, and what happened in the client of one that was for too long.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gapsOf, quantile } from './measures.mjs';
import { ARTIFACTS } from './paths.mjs';
import { until } from './waiting.mjs';

/** The longest that a viewer saw no new picture of a sender in [fromMs, toMs] on its page's clock, in ms. A wait for
 *  the first one counts from `fromMs`. */
export function longestGapMs(report, fromMs, toMs) {
  const frames = (report?.frames ?? []).filter(([atMs]) => atMs >= fromMs);
  const before = (report?.frames ?? []).findLast(([atMs]) => atMs < fromMs);
  // A picture that stood before is as good as one at `fromMs`, but for the frames counted in between.
  const start = before && frames.length > 0 ? [fromMs, 0, frames[0][2] - 1] : [fromMs, 0, (frames[0]?.[2] ?? 1) - 1];
  return gapsOf([start, ...frames], fromMs, toMs)[0].ms;
}

/** Resolves when a viewer has seen 10 frames of a sender within half a second after `sinceMs`: true, or false after
 *  the deadline. */
export async function isMoving(viewer, userId, sinceMs, deadlineMs = 3_000) {
  const moving = async () => {
    const times = await viewer.shownSince(userId, sinceMs);
    return times.some((atMs, index) => times[index + 9] - atMs < 500);
  };
  return until('a moving picture', deadlineMs, moving, 50).then(() => true, () => false);
}

/** Keeps the log of a client as a file among the artifacts, and returns the lines that tell most. */
export async function keepLog(viewer, name) {
  mkdirSync(ARTIFACTS, { recursive: true });
  const file = join(ARTIFACTS, `${name}.log`);
  const lines = await viewer.log();
  writeFileSync(file, `${lines.join('\n')}\n`);
  return [`the whole log: ${file}`, ...lines.filter((line) => !/ (chunk|append) /.test(line) || line.includes('"init":true')).slice(0, 40)];
}

/** Median and worst of some durations, as text. */
export function spread(values) {
  return `median ${quantile(values, 0.5).toFixed(0)} ms, worst ${Math.max(...values).toFixed(0)} ms`;
}

// Where playback should be: pure decisions, no DOM. Times are seconds on the media timeline.

/** Further behind than this, catching up by rate would take too long: jump. Deployed clients wait for 5 s; in a
 *  conversation that is an age. */
export const JUMP_LAG = 2;
/** How far before the newest sample a jump lands. */
export const LIVE_MARGIN = 0.3;
/** A position this close to the end of its range plays nothing more of it: under two frames at 30 fps. */
const RANGE_END = 0.06;
/** A decoder that has less than this ahead may rightly wait for more. */
const STALL_AHEAD = 0.15;
/** Standing still for this long, with data to play, is a stall (milliseconds). */
const STALL_MS = 300;
/** The patience doubles with each nudge that did not help, up to this (milliseconds). */
const MAX_STALL_MS = 5000;

/** A sender whose chunks come late is played with this much in hand (seconds): below, playback slows down
 *  a little, until it is there. */
const LEAST_IN_HAND = 0.06;
/** Playback of a new stream begins with this much in hand (seconds), or after so long (milliseconds). */
const START_IN_HAND = 0.2;
const START_PATIENCE = 500;

/**
 * The playback rate for a lag behind the newest sample.
 *
 * @param {number} least the smallest lag of the last second or so
 */
export function rateFor(lag, least = lag) {
  if (least < LEAST_IN_HAND) return 0.95;
  if (lag > 1.5) return 1.1;
  if (lag > 0.8) return 1.05;
  if (lag > 0.3) return 1.02;
  return 1.0;
}

/** Whether a stream that has been there for `waitedMs`, and of which nothing has been played, should be. */
export function mayStart({ position, ranges, waitedMs }) {
  const here = ranges.find(([start, end]) => start <= position && position < end);
  return here !== undefined && (here[1] - position >= START_IN_HAND || waitedMs > START_PATIENCE);
}

/** The moment between two milliseconds at `position` or right after it. Blocks begin at whole milliseconds, and Firefox may
 *  fail to decode where it is to play from exactly where one of sound begins (docs/receivers.md §6.4). */
function betweenMilliseconds(position) {
  return (Math.round(position * 1000) + 0.5) / 1000;
}

/** The position to play from in `range` to be live: near its end, but inside it. */
function liveIn([start, end]) {
  return Math.max(start, end - LIVE_MARGIN);
}

/**
 * What to do now.
 *
 * @param {object} now
 * @param {number} now.least the smallest lag of the last second or so
 * @param {number} now.position where playback stands
 * @param {[number, number][]} now.ranges what is buffered, in order
 * @param {boolean} now.starved whether the browser has nothing to play after the current frame
 * @param {boolean} now.seeking whether an earlier jump has not arrived yet
 * @param {number} now.stalledMs how long the position has not moved although it should, or since the last jump
 * @param {number} now.nudges how many jumps in a row have not set it moving
 * @returns {{lag: number, rate: number, jumpTo: number|null, why: 'lag'|'outside'|'gap'|'stall'|null}}
 *   `lag` is negative when playback has run past everything there is.
 */
export function steer({ position, ranges, least, starved, seeking, stalledMs, nudges }) {
  const last = ranges.at(-1);
  const lag = last ? last[1] - position : 0;
  const stay = { lag, rate: rateFor(lag, least), jumpTo: null, why: null };
  const jump = (target, why) => ({ ...stay, rate: 1, jumpTo: betweenMilliseconds(target), why });

  const impatient = stalledMs > Math.min(STALL_MS * 2 ** nudges, MAX_STALL_MS);
  // A jump takes a moment. One to where nothing can be decoded, because its key frame is missing, never
  // arrives: then the rules below find a better place.
  if (!last || (seeking && !impatient)) return stay;
  if (lag > JUMP_LAG) return jump(liveIn(last), 'lag');

  const here = ranges.find(([start, end]) => start <= position && position < end);
  const next = ranges.find(([start]) => start > position);
  if (!here) {
    // Before the first range or in a gap. Past the end of everything there is nothing to jump to.
    return next ? jump(liveIn(next), 'outside') : stay;
  }
  const ahead = here[1] - position;
  // The browser stops where one of the two tracks ends, which may be well before the end of the range.
  if (next && (ahead < RANGE_END || starved)) return jump(liveIn(next), 'gap');
  if (impatient && ahead > STALL_AHEAD) return jump(Math.max(liveIn(last), position + RANGE_END), 'stall');
  return stay;
}

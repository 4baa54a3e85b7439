// What the statistics of a tile say: each number named for what it is.

import { say } from './words.js';

/** A chunk cannot be older, or younger, than this on arrival (milliseconds): then the clocks differ. */
const CREDIBLE = [-20, 10_000];

/** The rows of one player, as [name, value]. */
export function rowsOf({ stats, lag }, video, now) {
  const { videoWidth: width, videoHeight: height, playbackRate } = video;
  const { droppedVideoFrames } = video.getVideoPlaybackQuality();
  const picture = { width, height, fps: Math.round(stats.fps(now)) };
  const behind = { ms: Math.round(Math.max(lag, 0) * 1000), rate: playbackRate.toFixed(2) };
  const rows = {
    'stats.picture': width ? say('stats.picture.value', picture) : say('stats.picture.none'),
    'stats.relay-delay': relayDelay(stats.relayDelayMs),
    'stats.behind-live': say('stats.behind-live.value', behind),
    'stats.frames': counted(stats.frames, droppedVideoFrames),
    'stats.gap': `${Math.round(stats.maxGapMs)} ms`,
    'stats.chunks': counted(stats.chunks, stats.dropped),
  };
  if (stats.errors) rows['stats.errors'] = `${stats.errors}: ${stats.lastError}`;
  return Object.entries(rows).map(([key, value]) => [say(key), value]);
}

/** From the sender's clock to ours: with the relay in between, and with what the clocks differ. */
function relayDelay(ms) {
  if (ms === null) return say('stats.relay-delay.unknown');
  if (ms < CREDIBLE[0] || ms > CREDIBLE[1]) return say('stats.relay-delay.clocks');
  return `${Math.round(Math.max(ms, 0))} ms`;
}

function counted(count, dropped) {
  return dropped ? say('stats.dropped', { count, dropped }) : `${count}`;
}

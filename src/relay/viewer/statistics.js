// What the statistics of a tile say: each number named for what it is.

import { say } from './words.js';

/** A chunk cannot be older, or younger, than this on arrival (milliseconds): then the clocks differ. */
const CREDIBLE = [-20, 10_000];

/** The rows of a player of chunks, as [name, value]. */
export function rowsOfChunks({ stats, lag }, video, now) {
  const behind = { ms: Math.round(Math.max(lag, 0) * 1000), rate: video.playbackRate.toFixed(2) };
  const rows = {
    'stats.picture': picture(stats, video, now),
    'stats.relay-delay': relayDelay(stats.relayDelayMs),
    'stats.behind-live': say('stats.behind-live.value', behind),
    ...shown(stats, video),
    'stats.chunks': counted(stats.chunks, stats.dropped),
  };
  if (stats.errors) rows['stats.errors'] = `${stats.errors}: ${stats.lastError}`;
  return named(rows);
}

/** The rows of a player of a stream. `figures` and those a second `before`: see `figuresOf` in peer.js; null if unknown. */
export function rowsOfStream(stats, video, figures, before, now) {
  const elapsedMs = figures && before ? figures.at - before.at : 0;
  return named({
    'stats.picture': picture(stats, video, now),
    'stats.round-trip': milliseconds(figures?.roundTripMs),
    'stats.buffer': milliseconds(figures?.bufferMs),
    'stats.bitrate': elapsedMs > 0 ? `${Math.round(((figures.bytes - before.bytes) * 8) / elapsedMs)} kbit/s` : say('stats.unknown'),
    ...shown(stats, video),
    'stats.lost': `${figures?.lost ?? 0}`,
  });
}

function picture(stats, { videoWidth: width, videoHeight: height }, now) {
  return width ? say('stats.picture.value', { width, height, fps: Math.round(stats.fps(now)) }) : say('stats.picture.none');
}

function shown(stats, video) {
  const { droppedVideoFrames } = video.getVideoPlaybackQuality();
  return { 'stats.frames': counted(stats.frames, droppedVideoFrames), 'stats.gap': milliseconds(stats.maxGapMs) };
}

function milliseconds(ms) {
  return ms === null || ms === undefined ? say('stats.unknown') : `${Math.round(ms)} ms`;
}

/** From the sender's clock to ours: with the relay in between, and with what the clocks differ. */
function relayDelay(ms) {
  if (ms !== null && (ms < CREDIBLE[0] || ms > CREDIBLE[1])) return say('stats.relay-delay.clocks');
  return milliseconds(ms === null ? null : Math.max(ms, 0));
}

function counted(count, dropped) {
  return dropped ? say('stats.dropped', { count, dropped }) : `${count}`;
}

function named(rows) {
  return Object.entries(rows).map(([key, value]) => [say(key), value]);
}

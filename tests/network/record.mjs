// What came over the link: each chunk that arrived, beside the agent's own line about it, and each frame that a viewer
// showed, on one clock.

import { WebmReader } from '../../src/relay/viewer/webm.js';
import { quantile } from '../e2e/lib/measures.mjs';

/** An Opus packet lasts so long. */
const PACKET_MS = 20;
/** Of two chunks that arrive so close together deployed clients may lose one (docs/receivers.md §4.2). */
const BUNCHED_MS = 12;

/** The agent's lines about the chunks that a participant got, in order, each with `arrivedMs` (Unix) and, in the same
 *  clock, when it was cut and captured. What was sent and never arrived is left out. */
export function arrived(participant, trace) {
  const chunks = [];
  let next = 0;
  for (const { atMs, bytes } of participant.chunks) {
    const found = trace.findIndex((line, index) => index >= next && line.bytes === bytes);
    if (found < 0) continue;
    chunks.push({ ...trace[found], arrivedMs: atMs });
    next = found + 1;
  }
  // Both clocks run evenly; a chunk that did not wait takes the relay some milliseconds.
  const clockMs = Math.min(...chunks.map((chunk) => chunk.arrivedMs - chunk.t_ms));
  const span = (captured) => captured && { frames: captured.frames, fromMs: captured.from_ms + clockMs };
  return chunks.map((chunk) => ({
    arrivedMs: chunk.arrivedMs,
    bytes: chunk.bytes,
    startMs: Math.min(chunk.video_ms ?? Infinity, chunk.audio_ms ?? Infinity),
    endMs: chunk.end_ms,
    cutMs: chunk.t_ms - chunk.queue_ms + clockMs,
    camera: span(chunk.camera),
    mic: span(chunk.mic),
  }));
}

/** What the chunks that were cut in [fromMs, toMs] say of the link: delays in ms, `voice` as a share of the time,
 *  pictures per second, kbit/s; the longest time without a new picture and without voice, by arrival; how many chunks came
 *  right behind another. */
export function linkReport(chunks, fromMs, toMs) {
  const cut = chunks.filter(({ cutMs }) => cutMs >= fromMs && cutMs < toMs);
  const delays = cut.map(({ arrivedMs, cutMs }) => arrivedMs - cutMs);
  const seconds = (toMs - fromMs) / 1_000;
  const frames = (track) => cut.reduce((sum, chunk) => sum + (chunk[track]?.frames ?? 0), 0);
  const longest = (track) => {
    const times = chunks.filter((chunk) => chunk[track] && chunk.arrivedMs >= fromMs && chunk.arrivedMs < toMs).map(({ arrivedMs }) => arrivedMs);
    return [fromMs, ...times, toMs].reduce((most, time, index, all) => Math.max(most, index ? time - all[index - 1] : 0), 0);
  };
  const ages = cut.flatMap(({ arrivedMs, mic }) => (mic ? [arrivedMs - mic.fromMs] : []));
  return {
    delayP50: quantile(delays, 0.5),
    delayP95: quantile(delays, 0.95),
    oldestMs: Math.max(...ages),
    voice: (frames('mic') * PACKET_MS) / (toMs - fromMs),
    fps: frames('camera') / seconds,
    kbps: (cut.reduce((sum, { bytes }) => sum + bytes, 0) * 8) / seconds / 1_000,
    longestWithoutPicture: longest('camera'),
    longestWithoutVoice: longest('mic'),
    bunched: cut.filter(({ arrivedMs }, index) => index > 0 && arrivedMs - cut[index - 1].arrivedMs < BUNCHED_MS).length,
  };
}

/** What a viewer saw in [fromMs, toMs]: how long after its capture the media at its place on the timeline was played, also
 *  while the picture is held; and the longest time without any frame. `frames`: {shownMs, mediaMs}. */
export function viewerReport(frames, chunks, fromMs, toMs) {
  const lags = [];
  for (const { shownMs, mediaMs } of within(frames, fromMs, toMs)) {
    const chunk = chunks.findLast(({ startMs, endMs, arrivedMs }) => startMs <= mediaMs && mediaMs < endMs && arrivedMs <= shownMs);
    const captured = chunk?.mic ?? chunk?.camera;
    if (captured) lags.push(shownMs - (captured.fromMs + (mediaMs - chunk.startMs)));
  }
  return { latencyP50: quantile(lags, 0.5), latencyP95: quantile(lags, 0.95), longestFreeze: longestGap(frames, fromMs, toMs) };
}

/** Glass to glass, by the clock in the picture (`clockMs`, of a frame that could be read): how old new pictures are when they
 *  are shown, and the longest time without a new one. Gives each frame `ageMs`, the age of what it shows. */
export function pictureReport(frames, fromMs, toMs) {
  const read = frames.filter(({ clockMs }) => typeof clockMs === 'number');
  for (const frame of read) frame.ageMs = modulo(frame.shownMs - frame.clockMs + DAY_MS / 2, DAY_MS) - DAY_MS / 2;
  const fresh = read.filter(({ clockMs }, index) => clockMs !== read[index - 1]?.clockMs);
  const ages = within(fresh, fromMs, toMs).map(({ ageMs }) => ageMs);
  return { glassP50: quantile(ages, 0.5), glassP95: quantile(ages, 0.95), longestStill: longestGap(fresh, fromMs, toMs) };
}

/** The share of the voice that came in [fromMs, toMs] out of chunks that nothing but their content tells of. */
export function voiceOf(chunks, fromMs, toMs) {
  const reader = new WebmReader();
  let audio;
  const times = [];
  for (const { data, atMs } of chunks) {
    for (const { init, block } of reader.push(new Uint8Array(data))) {
      if (init) audio = init.tracks.find(({ kind }) => kind === 'audio')?.number;
      else if (block.track === audio && atMs >= fromMs && atMs < toMs) times.push(block.time * 1_000);
    }
  }
  return times.length > 0 ? (Math.max(...times) - Math.min(...times)) / (toMs - fromMs) : 0;
}

const DAY_MS = 86_400_000;
const modulo = (value, by) => ((value % by) + by) % by;
const within = (frames, fromMs, toMs) => frames.filter(({ shownMs }) => shownMs >= fromMs && shownMs < toMs);

function longestGap(frames, fromMs, toMs) {
  const times = [fromMs, ...within(frames, fromMs, toMs).map(({ shownMs }) => shownMs), toMs];
  return Math.max(...times.slice(1).map((time, index) => time - times[index]));
}

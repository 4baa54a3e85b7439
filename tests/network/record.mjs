// What came over the link: each chunk that arrived, beside the agent's own line about it, on one clock.

import { quantile } from '../e2e/lib/measures.mjs';

/** An Opus packet lasts so long. */
const PACKET_MS = 20;

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
 *  pictures per second, kbit/s; the longest time without a new picture and without voice, by arrival. */
export function linkReport(chunks, fromMs, toMs) {
  const within = chunks.filter(({ cutMs }) => cutMs >= fromMs && cutMs < toMs);
  const delays = within.map(({ arrivedMs, cutMs }) => arrivedMs - cutMs);
  const seconds = (toMs - fromMs) / 1_000;
  const frames = (track) => within.reduce((sum, chunk) => sum + (chunk[track]?.frames ?? 0), 0);
  const longest = (track) => {
    const times = chunks.filter((chunk) => chunk[track] && chunk.arrivedMs >= fromMs && chunk.arrivedMs < toMs).map(({ arrivedMs }) => arrivedMs);
    return [fromMs, ...times, toMs].reduce((most, time, index, all) => Math.max(most, index ? time - all[index - 1] : 0), 0);
  };
  const ages = within.flatMap(({ arrivedMs, mic }) => (mic ? [arrivedMs - mic.fromMs] : []));
  return {
    delayP50: quantile(delays, 0.5),
    delayP95: quantile(delays, 0.95),
    oldestMs: Math.max(...ages),
    voice: (frames('mic') * PACKET_MS) / (toMs - fromMs),
    fps: frames('camera') / seconds,
    kbps: (within.reduce((sum, { bytes }) => sum + bytes, 0) * 8) / seconds / 1_000,
    longestWithoutPicture: longest('camera'),
    longestWithoutVoice: longest('mic'),
  };
}

/** What a viewer saw in [fromMs, toMs] (Unix): how long after its capture a picture was shown, by its place on the
 *  timeline; and the longest time without any frame. `frames`: those of the probe; `originMs`: of the page's clock. */
export function viewerReport(frames, originMs, chunks, fromMs, toMs) {
  const lags = [];
  let longestFreeze = 0;
  let previous = fromMs;
  for (const [shownOnPage, mediaSeconds] of frames) {
    const shownMs = shownOnPage + originMs;
    if (shownMs < fromMs || shownMs >= toMs) continue;
    longestFreeze = Math.max(longestFreeze, shownMs - previous);
    previous = shownMs;
    const media = mediaSeconds * 1_000;
    const chunk = chunks.findLast(({ startMs, endMs, arrivedMs }) => startMs <= media && media < endMs && arrivedMs <= shownMs);
    const captured = chunk?.mic ?? chunk?.camera;
    if (captured) lags.push(shownMs - (captured.fromMs + (media - chunk.startMs)));
  }
  longestFreeze = Math.max(longestFreeze, toMs - previous);
  return { latencyP50: quantile(lags, 0.5), latencyP95: quantile(lags, 0.95), longestFreeze };
}

// What an agent sent, decoded afterwards: how loud and how bright it was, and when that was captured.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const EBML = Buffer.from([0x1a, 0x45, 0xdf, 0xa3]);

/** Decodes the chunks that a recording participant got from one sender.
 *  `trace`: the agent's own lines about the same chunks. Returns {audio, video}: lists of
 *  {mediaMs, atMs, level}, where `atMs` is when the sample must have been captured at the latest (Unix ms) and
 *  `level` is dBFS (RMS over 20 ms) or mean luma. */
export function decodeRecording(chunks, trace, directory) {
  if (chunks.length !== trace.length) throw new Error(`${chunks.length} chunks were recorded, ${trace.length} were sent`);
  const epochs = [];
  chunks.forEach((chunk, index) => {
    const line = trace[index];
    if (chunk.data.length !== line.bytes) throw new Error(`chunk ${index}: ${chunk.data.length} bytes came of ${line.bytes}`);
    if (chunk.data.subarray(0, 4).equals(EBML)) epochs.push([]);
    epochs.at(-1).push({ ...line, sentMs: chunk.timestamp, data: chunk.data });
  });
  const audio = [];
  const video = [];
  epochs.forEach((epoch, index) => {
    const file = join(directory, `epoch-${index}.webm`);
    writeFileSync(file, Buffer.concat(epoch.map(({ data }) => data)));
    audio.push(...placed(decode(file, ['-map', '0:a:0', '-af', AUDIO_LEVELS], 'Overall.RMS_level'), epoch, 'audio_ms'));
    video.push(...placed(decode(file, ['-map', '0:v:0', '-vf', VIDEO_LEVELS], 'signalstats.YAVG'), epoch, 'video_ms'));
  });
  return { audio, video, epochs: epochs.length };
}

const AUDIO_LEVELS = 'astats=metadata=1:reset=1,ametadata=mode=print:file=-';
const VIDEO_LEVELS = 'signalstats,metadata=mode=print:file=-';

/** The frames of a track: {mediaMs, level}. */
function decode(file, filter, key) {
  const args = ['-loglevel', 'error', '-copyts', '-i', file, ...filter, '-f', 'null', '-'];
  const printed = execFileSync('ffmpeg', args, { encoding: 'utf8', maxBuffer: 64 << 20 });
  const frames = [];
  for (const line of printed.split('\n')) {
    const time = /pts_time:(-?[\d.]+)/.exec(line);
    if (time) frames.push({ mediaMs: Number(time[1]) * 1_000, level: null });
    const level = line.includes(key) ? line.split('=').at(-1) : undefined;
    if (level !== undefined) frames.at(-1).level = level === '-inf' ? -Infinity : Number(level);
  }
  return frames.filter(({ level }) => level !== null);
}

/** Finds each frame's chunk. The newest frame of a chunk was captured when the chunk was sent, at the latest, and
 *  the others as much earlier as the timeline has them earlier. */
function placed(frames, epoch, startKey) {
  const starts = epoch.filter((chunk) => chunk[startKey] !== null);
  let at = 0;
  const byChunk = starts.map((chunk) => ({ chunk, frames: [] }));
  for (const frame of frames) {
    // A decoder moves Opus by its pre-skip of 6.5 ms.
    while (at + 1 < starts.length && frame.mediaMs + 8 >= starts[at + 1][startKey]) at += 1;
    byChunk[at]?.frames.push(frame);
  }
  return byChunk.flatMap(({ chunk, frames: inside }) => {
    const newest = inside.at(-1)?.mediaMs;
    return inside.map((frame) => ({ ...frame, atMs: chunk.sentMs - (newest - frame.mediaMs), sentMs: chunk.sentMs }));
  });
}

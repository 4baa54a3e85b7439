// What an agent sent, decoded afterwards: how loud and how bright it was, and and when each piece of it was captured.

import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { quantile } from './measures.mjs';

const EBML = Buffer.from([0x1a, 0x45, 0xdf, 0xa3]);

/** Whether a chunk begins with an init segment, and with it an epoch. */
export const startsEpoch = (data) => data.subarray(0, EBML.length).equals(EBML);

/** Decodes the chunks that a recording participant got from one sender.
 *  `trace`: the agent's own lines about the same chunks. Returns the chunks, each {sentMs, camera, mic, sounds,
 *  pictures}: `camera` and `mic` are null or {frames, fromMs, toMs}, when it was captured (Unix ms), and `sounds` and
 *  `pictures` the levels that a decoder finds, in dBFS (RMS over 20 ms) and mean luma. */
export async function decodeRecording(chunks, trace, directory) {
  if (chunks.length !== trace.length) throw new Error(`${chunks.length} chunks were recorded, ${trace.length} were sent`);
  // Where the capture clock is in Unix time: a chunk says when it was sent, and the trace when that was.
  const offsetMs = quantile(chunks.map(({ timestamp }, index) => timestamp - trace[index].t_ms), 0.5);
  const span = (captured) => captured && { frames: captured.frames, fromMs: captured.from_ms + offsetMs, toMs: captured.to_ms + offsetMs };
  const epochs = [];
  chunks.forEach((chunk, index) => {
    const line = trace[index];
    if (chunk.data.length !== line.bytes) throw new Error(`chunk ${index}: ${chunk.data.length} bytes came of ${line.bytes}`);
    if (startsEpoch(chunk.data)) epochs.push([]);
    const { video_ms, audio_ms } = line;
    epochs.at(-1).push({ sentMs: chunk.timestamp, camera: span(line.camera), mic: span(line.mic), video_ms, audio_ms, data: chunk.data });
  });
  for (const [index, epoch] of epochs.entries()) {
    const file = join(directory, `epoch-${index}.webm`);
    writeFileSync(file, Buffer.concat(epoch.map(({ data }) => data)));
    const { audio, video } = await decode(file, Math.min(...[epoch[0].video_ms, epoch[0].audio_ms].filter((ms) => ms !== null)));
    share(audio, epoch, 'audio_ms', 'sounds');
    share(video, epoch, 'video_ms', 'pictures');
  }
  return epochs.flat();
}

/** Level and brightness of each frame of a file that begins at `fromMs`: {audio, video}, lists of {mediaMs, level}. */
async function decode(file, fromMs) {
  const [audio, video] = [`${file}.audio`, `${file}.video`];
  await promisify(execFile)('ffmpeg', [
    // Times are printed with six digits: not those of a timeline that begins at the time of day.
    '-loglevel', 'error', '-copyts', '-itsoffset', String(-fromMs / 1_000), '-i', file,
    '-map', '0:a:0', '-af', `astats=metadata=1:reset=1,ametadata=mode=print:file=${audio}`, '-f', 'null', '-',
    '-map', '0:v:0', '-vf', `signalstats,metadata=mode=print:file=${video}`, '-f', 'null', '-',
  ]);
  return { audio: levels(audio, 'Overall.RMS_level', fromMs), video: levels(video, 'signalstats.YAVG', fromMs) };
}

function levels(printed, key, fromMs) {
  const frames = [];
  for (const line of readFileSync(printed, 'utf8').split('\n')) {
    const time = /pts_time:(-?[\d.]+)/.exec(line);
    if (time) frames.push({ mediaMs: fromMs + Number(time[1]) * 1_000, level: null });
    if (!line.includes(key)) continue;
    const level = line.split('=').at(-1);
    frames.at(-1).level = level === '-inf' ? -Infinity : Number(level);
  }
  return frames.filter(({ level }) => level !== null);
}

/** Gives each chunk the levels of its frames. */
function share(frames, epoch, startKey, key) {
  for (const chunk of epoch) chunk[key] = [];
  const starts = epoch.filter((chunk) => chunk[startKey] !== null);
  let at = 0;
  for (const { mediaMs, level } of frames) {
    // A decoder moves Opus by its pre-skip of 6.5 ms.
    while (at + 1 < starts.length && mediaMs + 8 >= starts[at + 1][startKey]) at += 1;
    starts[at]?.[key].push(level);
  }
}

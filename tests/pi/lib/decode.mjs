// What is in the chunks that came, by ffmpeg: when pictures show what, and when a tone sounds.

import { execFileSync } from 'node:child_process';
import { startsEpoch } from '../../e2e/lib/recording.mjs';
import { clustersIn } from './webm.mjs';

/** The decoded picture's size; small, because colours are all that is asked. */
const WIDTH = 32;
const HEIGHT = 18;
const SAMPLE_RATE = 48_000;
/** How long a stretch of sound is looked at for one level. */
const WINDOW_SECONDS = 0.01;

/** The epochs in a participant's kept chunks, oldest first. Each starts with an init segment. */
export function epochsOf(chunks) {
  const epochs = [];
  for (const chunk of chunks) {
    if (startsEpoch(chunk.data)) epochs.push([]);
    epochs.at(-1)?.push(chunk);
  }
  return epochs.map((each) => new Epoch(each));
}

/** One epoch, and what it decodes to. Times are seconds on the sender's timeline. */
class Epoch {
  #arrivals;
  #pictures;
  #tones = new Map();

  constructor(chunks) {
    this.chunks = chunks;
    this.#arrivals = chunks.flatMap(({ atMs, data }) => clustersIn(data).map(({ time }) => ({ time, atMs })));
    /** From where to where on the timeline it goes; the last cluster's length is not counted. */
    this.fromTime = this.#arrivals[0].time;
    this.toTime = this.#arrivals.at(-1).time;
  }

  /** When (Unix ms) the chunk arrived that carries this moment of the timeline. */
  arrivedMs(time) {
    return this.#arrivals.findLast((each) => each.time <= time + 0.001)?.atMs;
  }

  /** The moment of the timeline that arrived last at `atMs` (Unix ms). */
  timeAt(atMs) {
    return this.#arrivals.findLast((each) => each.atMs <= atMs)?.time ?? this.fromTime;
  }

  /** The [`Picture`]s, in order of time. */
  get pictures() {
    this.#pictures ??= this.#decodePictures();
    return this.#pictures;
  }

  #decodePictures() {
    const input = Buffer.concat(this.chunks.map(({ data }) => data));
    const probed = run('ffprobe', ['-select_streams', 'v', '-show_entries', 'frame=pts_time', '-of', 'csv=p=0', '-'], input);
    const times = probed.toString().trim().split(/\s+/).map((line) => Number.parseFloat(line));
    const raw = run('ffmpeg', [
      '-copyts', '-i', '-', '-an', '-fps_mode', 'passthrough', '-enc_time_base', '-1',
      '-vf', `scale=${WIDTH}:${HEIGHT}:flags=area:in_color_matrix=bt601`, '-pix_fmt', 'rgb24', '-f', 'rawvideo', '-',
    ], input);
    const size = WIDTH * HEIGHT * 3;
    if (raw.length !== times.length * size) throw new Error(`${times.length} pictures, but ${raw.length / size} decoded`);
    return times.map((time, index) => new Picture(time, raw.subarray(index * size, (index + 1) * size)));
  }

  /** How loud `frequency` is: {time, db} for each 10 ms. 0 dB is a sine at full scale. */
  tone(frequency) {
    if (!this.#tones.has(frequency)) this.#tones.set(frequency, this.#measureTone(frequency));
    return this.#tones.get(frequency);
  }

  #measureTone(frequency) {
    const input = Buffer.concat(this.chunks.map(({ data }) => data));
    // Sound may begin after the picture: silence is put before the first sample.
    const raw = run('ffmpeg', [
      '-copyts', '-i', '-', '-vn', '-af', `aresample=async=1:min_hard_comp=0.02:first_pts=${Math.round(this.fromTime * SAMPLE_RATE)}`,
      '-ac', '1', '-ar', String(SAMPLE_RATE), '-f', 'f32le', '-',
    ], input);
    const samples = new Float32Array(raw.buffer, raw.byteOffset, raw.length / 4);
    const length = SAMPLE_RATE * WINDOW_SECONDS;
    const levels = [];
    for (let start = 0; start + length <= samples.length; start += length) {
      levels.push({ time: this.fromTime + start / SAMPLE_RATE, db: levelOf(samples.subarray(start, start + length), frequency) });
    }
    return levels;
  }
}

/** One picture, and when it is shown. */
class Picture {
  #pixels;

  constructor(time, pixels) {
    this.time = time;
    this.#pixels = pixels;
  }

  /** The colour [red, green, blue] at a place that is given in fractions of the picture. */
  at(x, y) {
    const pixel = Math.floor(y * HEIGHT) * WIDTH + Math.floor(x * WIDTH);
    return [...this.#pixels.subarray(pixel * 3, pixel * 3 + 3)];
  }

  /** Whether it is the same as another one. */
  same(other) {
    return this.#pixels.equals(other.#pixels);
  }
}

/** The level of one frequency in a stretch of samples that has whole periods of it. */
function levelOf(samples, frequency) {
  let [sine, cosine] = [0, 0];
  samples.forEach((sample, index) => {
    const phase = (2 * Math.PI * frequency * index) / SAMPLE_RATE;
    sine += sample * Math.sin(phase);
    cosine += sample * Math.cos(phase);
  });
  return 20 * Math.log10((2 * Math.hypot(sine, cosine)) / samples.length + 1e-9);
}

function run(program, args, input) {
  return execFileSync(program, ['-loglevel', 'error', ...args], { input, maxBuffer: 1 << 30 });
}

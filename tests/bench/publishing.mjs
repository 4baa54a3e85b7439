// One sender: the agent, a bare GStreamer pipeline with the same encoders, and Chromium's MediaRecorder.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startAgent } from '../e2e/lib/agents.mjs';
import { startBrowser } from '../e2e/lib/browser.mjs';
import { ROOMCAM_RELEASE } from '../e2e/lib/paths.mjs';
import { Child } from '../e2e/lib/processes.mjs';
import { startRelay } from '../e2e/lib/relays.mjs';
import { until } from '../e2e/lib/waiting.mjs';
import { costOver } from './cost.mjs';
import { FORMAT, testPattern, writeBenchProfile } from './profile.mjs';
import { median, quantile, spread, verdict } from './table.mjs';

/** What is left out before measuring: start-up, and the encoder's first seconds. */
const WARM_UP_CHUNKS = 30;
const GOALS = { overBare: 1.1, overChromium: 0.5, pssMb: 40, cadenceP99Ms: 110, firstChunkMs: 500 };
const HERE = dirname(fileURLToPath(import.meta.url));

/** Measures `runs` times in turn, so that a slow minute of the machine hits everyone. */
export async function benchPublishing({ runs, seconds, baselines, cadence }) {
  const directory = mkdtempSync(join(tmpdir(), 'roomcam-bench-'));
  try {
    const files = baselines ? makePicture(directory) : undefined;
    const agent = [];
    const bare = [];
    const chromium = [];
    for (let run = 1; run <= runs; run += 1) {
      console.error(`run ${run} of ${runs}: agent${baselines ? ', bare pipeline, Chromium' : ''} for ${seconds} s each`);
      agent.push(await measureAgent(directory, seconds));
      if (baselines) bare.push(await measureBare(seconds));
      if (baselines) chromium.push(await measureChromium(files, seconds));
    }
    const tables = [];
    if (baselines) tables.push(costTable(agent, bare, chromium));
    if (cadence) tables.push(...cadenceTables(agent, chromium));
    return { agent, bare, chromium, tables };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measureAgent(directory, seconds) {
  const relay = await startRelay('nestjs-new');
  const userId = 'agent';
  writeBenchProfile(directory);
  const capture = { profile: 'bench', ...FORMAT };
  const env = { ROOMCAM_PIPELINES: directory };
  const agent = startAgent({ directory, origin: relay.origin, room: 'bench', userId, capture, env, program: ROOMCAM_RELEASE });
  try {
    await chunksArrive(relay, userId, 1, agent);
    const firstChunkMs = (await relay.get('arrivals', { userId }))[0][0] - agent.startedMs;
    await chunksArrive(relay, userId, WARM_UP_CHUNKS, agent);
    const cost = await costOver(agent.pid, seconds * 1_000);
    return { ...cost, firstChunkMs, ...(await timing(relay, userId, agent.trace())) };
  } finally {
    await agent.stop();
    await relay.stop();
  }
}

async function measureBare(seconds) {
  const { video, audio } = testPattern();
  const pipeline = `${video.source} ! ${video.encoder} ! fakesink  ${audio.source} ! ${audio.encoder} ! fakesink`;
  const child = new Child('bare pipeline', 'gst-launch-1.0', ['-q', ...words(pipeline)]);
  try {
    await costOver(child.pid, 3_000);
    return await costOver(child.pid, seconds * 1_000);
  } catch (error) {
    throw new Error(`gst-launch-1.0 ${pipeline}: ${error.message}\n${child.tail()}`);
  } finally {
    await child.stop();
  }
}

async function measureChromium({ picture, sound }, seconds) {
  const relay = await startRelay('nestjs-new');
  const userId = 'chromium';
  const browser = await startBrowser({
    files: { '/recorder.html': join(HERE, 'pages/recorder.html') },
    flags: fakeDevices({ picture, sound }),
  });
  try {
    const page = await browser.newPage();
    const query = new URLSearchParams({ relay: relay.origin, room: 'bench', user: userId, bitrate: String(FORMAT.video_bitrate) });
    await page.goto(`${browser.pages}/recorder.html?${query}`);
    await chunksArrive(relay, userId, WARM_UP_CHUNKS);
    const cost = await costOver(browser.pid, seconds * 1_000);
    return { ...cost, ...(await timing(relay, userId)) };
  } finally {
    await browser.stop();
    await relay.stop();
  }
}

/** Flags with which Chromium takes such files for its camera and its microphone. */
export function fakeDevices({ picture, sound }) {
  return [
    '--use-fake-ui-for-media-stream',
    '--use-fake-device-for-media-stream',
    `--use-file-for-fake-video-capture=${picture}`,
    `--use-file-for-fake-audio-capture=${sound}`,
  ];
}

/** Cadence and latency in ms, without the first chunks. */
async function timing(relay, userId, trace) {
  const arrivals = await relay.get('arrivals', { userId });
  const transit = arrivals.map(([arrivedMs, sentMs]) => arrivedMs - sentMs);
  const measured = {
    arrivalGaps: differences(arrivals.map(([arrivedMs]) => arrivedMs)).slice(WARM_UP_CHUNKS),
    transit: transit.slice(WARM_UP_CHUNKS),
  };
  if (!trace) return measured;
  // Nothing is lost between the two on loopback: the n-th line of the trace is the n-th arrival.
  const latency = trace.slice(0, transit.length).map(({ age_ms }, index) => age_ms + transit[index]);
  return {
    ...measured,
    latency: latency.slice(WARM_UP_CHUNKS),
    traceGaps: differences(trace.map(({ t_ms }) => t_ms)).slice(WARM_UP_CHUNKS),
    queue: trace.map(({ queue_ms }) => queue_ms).slice(WARM_UP_CHUNKS),
  };
}

function costTable(agent, bare, chromium) {
  const cpu = (all) => all.map(({ cpuPercent }) => cpuPercent);
  const pss = (all) => all.map(({ pssMb }) => pssMb);
  const overBare = median(cpu(agent)) / median(cpu(bare));
  const overChromium = median(cpu(agent)) / median(cpu(chromium));
  const row = (sender, all, goals) => ({ sender, 'CPU %': spread(cpu(all)), 'PSS MB': spread(pss(all)), goals });
  return {
    title: `Sender, ${FORMAT.width}x${FORMAT.height}@${FORMAT.fps}, ${FORMAT.video_bitrate / 1e6} Mbit/s`,
    rows: [
      row('roomcam', agent, `PSS <= ${GOALS.pssMb} MB: ${verdict(median(pss(agent)), GOALS.pssMb)}`),
      row('bare GStreamer', bare, `roomcam is ${overBare.toFixed(2)} x (<= ${GOALS.overBare}: ${verdict(overBare, GOALS.overBare)})`),
      row('Chromium', chromium, `roomcam is ${overChromium.toFixed(2)} x (<= ${GOALS.overChromium}: ${verdict(overChromium, GOALS.overChromium)})`),
    ],
  };
}

function cadenceTables(agent, chromium) {
  const row = (what, all, of, goal) => {
    const p50 = all.map((run) => quantile(of(run), 0.5));
    const p99 = all.map((run) => quantile(of(run), 0.99));
    return { what, 'p50 ms': spread(p50), 'p99 ms': spread(p99), goal: goal?.(median(p99)) ?? '' };
  };
  const within = (p99) => `100 +- 10: ${verdict(p99, GOALS.cadenceP99Ms)}`;
  const rows = [
    row('chunk cadence, as sent (trace)', agent, (run) => run.traceGaps, within),
    row('chunk cadence, at the relay', agent, (run) => run.arrivalGaps),
    row('latency: capture of the oldest frame to the relay', agent, (run) => run.latency),
    row('  of it, in the outbox', agent, (run) => run.queue),
    row('  of it, send to arrival', agent, (run) => run.transit),
  ];
  if (chromium.length > 0) rows.push(row('Chromium: chunk cadence, at the relay', chromium, (run) => run.arrivalGaps));
  const firstChunk = agent.map(({ firstChunkMs }) => firstChunkMs);
  return [
    { title: 'Cadence and latency', rows },
    {
      title: 'Start',
      rows: [{ what: 'exec to first chunk at the relay', ms: spread(firstChunk, 0), goal: `<= ${GOALS.firstChunkMs}: ${verdict(median(firstChunk), GOALS.firstChunkMs)}` }],
    },
  ];
}

/** The test pattern as files that Chromium takes for a camera and a microphone: 10 s, looped. */
export function makePicture(directory) {
  const { video, audio } = testPattern();
  const picture = join(directory, 'picture.y4m');
  const sound = join(directory, 'sound.wav');
  const frames = 10 * FORMAT.fps;
  gstLaunch(`${limited(video.source, 'videotestsrc', frames)} ! videoconvert ! video/x-raw,format=I420 ! y4menc ! filesink location=${picture}`);
  // 1024 samples a buffer are audiotestsrc's default.
  gstLaunch(`${limited(audio.source, 'audiotestsrc', Math.round((10 * 48_000) / 1_024))} ! audioconvert ! wavenc ! filesink location=${sound}`);
  return { picture, sound };
}

function limited(source, element, buffers) {
  if (!source.includes(element)) throw new Error(`pipelines/test-pattern.toml: expected ${element} in "${source}"`);
  return source.replace(element, `${element} num-buffers=${buffers}`);
}

function gstLaunch(pipeline) {
  execFileSync('gst-launch-1.0', ['-q', ...words(pipeline)], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** A launch line as arguments: what a shell makes of it, without a shell. */
function words(pipeline) {
  return [...pipeline.matchAll(/(?:"[^"]*"|\S)+/g)].map(([word]) => word.replaceAll('"', ''));
}

function chunksArrive(relay, userId, count, child) {
  return until(`${count} chunks of ${userId}`, 30_000, async () => {
    if (child?.exit) throw new Error(`${child.name} ended:\n${child.tail()}`);
    return ((await relay.sender(userId))?.chunks ?? 0) >= count;
  });
}

function differences(times) {
  return times.slice(1).map((time, index) => time - times[index]);
}

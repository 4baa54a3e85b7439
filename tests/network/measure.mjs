// One sender behind one link, watched by a client and by a participant that keeps what arrives.

import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GENERATIONS } from '../e2e/lib/browser.mjs';
import { PAGES } from '../e2e/lib/pages.mjs';
import { TESTS } from '../e2e/lib/paths.mjs';
import { randomNumbers, seed } from '../e2e/lib/random.mjs';
import { nowMs, observeFor, until } from '../e2e/lib/waiting.mjs';
import { Link } from './link.mjs';
import { Proxy } from './proxy.mjs';
import { arrived, linkReport, pictureReport, viewerReport, voiceOf } from './record.mjs';

/** A MediaError's code where media could not be decoded. */
const MEDIA_ERR_DECODE = 3;
/** How long the link is good before it is what the row says. */
const WARM_UP_MS = 5_000;

/** The agent, with what it says of each chunk. */
export const roomcam = {
  name: 'roomcam',
  joins: 1,
  async start(scene, { link, origin, capture }) {
    const agent = scene.agent({ origin }, 'sender', { link, capture });
    return { trace: () => agent.trace(), control: agent.control };
  },
};

/** A browser that sends as deployed clients do, with the same picture: `picture` and `sound` are the files that it takes
 *  for its devices, and the page draws the clock. */
export const mediaRecorder = ({ picture, sound, bitrate }) => ({
  name: 'MediaRecorder',
  joins: 6,
  async start(scene, { link, origin }) {
    const [command, args] = link.within(process.env.CHROMIUM ?? '/usr/bin/chromium', []);
    const program = join(scene.directory, 'chromium-behind-link');
    writeFileSync(program, `#!/bin/sh\nexec ${[command, ...args].join(' ')} "$@"\n`);
    chmodSync(program, 0o755);
    const browser = await scene.browser({
      program,
      flags: [`--use-file-for-fake-video-capture=${picture}`, `--use-file-for-fake-audio-capture=${sound}`],
    });
    const page = await browser.newPage();
    // Nothing serves pages behind the link. On localhost a page may use devices.
    const files = { '/recorder.html': join(TESTS, 'bench/pages/recorder.html'), '/clock.js': join(PAGES, 'clock.js'), '/socket.io.js': join(TESTS, 'node_modules/socket.io-client/dist/socket.io.min.js') };
    await page.route('http://localhost/**', (route) => route.fulfill({ path: files[new URL(route.request().url()).pathname] }));
    const query = new URLSearchParams({ relay: origin, room: scene.room, user: 'sender', bitrate: String(bitrate), clock: '1' });
    await page.goto(`http://localhost/recorder.html?${query}`);
    return {};
  },
});

/** Plays a row to one sender, watched by a client of a generation for `lastMs` after the row has changed the link.
 *  Returns {report, all, latencies, died, recovers, …}: what was measured after the changes and with them; [s since the first change,
 *  ms] for each frame; how often a MediaSource died, and whether pictures move again once the link is good. */
export async function measure(scene, row, { sender = roomcam, generation = 'later', lastMs, capture, observe }) {
  const watched = await scene.turns.start(() => watch(scene, { sender, generation, capture }));
  return scene.turns.measure(() => play(scene, row, watched, { lastMs, observe }));
}

/** A sender behind a link, and a client of a generation that sees it. */
async function watch(scene, { sender, generation, capture }) {
  const link = new Link();
  scene.t.after(() => link.close());
  const relay = await scene.relay(GENERATIONS[generation]);
  const proxy = await Proxy.start(link.address, relay.port);
  scene.t.after(() => proxy.close());
  const recorder = await scene.participant(relay, 'recorder', { record: sender !== roomcam });
  const browser = await scene.browser();
  const viewer = await browser.client(generation, { relay, room: scene.room, user: 'viewer' });
  await viewer.page.evaluate(() => { roomcamProbe.readsClock = true; });
  const { trace, control } = await sender.start(scene, { link, origin: proxy.origin, capture });
  await recorder.chunkOf('sender', { deadlineMs: 20_000 });
  await joinUntilSeen(viewer, sender.joins);
  return { link, recorder, viewer, trace, control };
}

async function play(scene, row, { link, recorder, viewer, trace, control }, { lastMs, observe }) {
  await observeFor(WARM_UP_MS);

  const random = randomNumbers(seed());
  const changedMs = nowMs();
  await row.play({ link, random }, lastMs);
  const fromMs = row.during ? changedMs : nowMs() + row.adaptingMs;
  const toMs = row.during ? changedMs + lastMs : fromMs + lastMs;
  await observeFor(Math.max(0, toMs - nowMs()));
  const seen = await viewer.report('sender');
  const originMs = seen.timeOrigin;
  const log = await viewer.page.evaluate((since) => client.log.lines.filter(([atMs]) => atMs >= since), changedMs - originMs);
  const observed = await observe?.({ control });
  // What was cut before the end may still be on its way.
  link.limit();
  const frames = seen.frames.map(([shownMs, mediaS, , , clockMs]) => ({ shownMs: shownMs + originMs, mediaMs: mediaS * 1_000, clockMs }));
  const chunks = trace && (await until('the last chunk', 20_000, () => {
    const all = arrived(recorder, trace());
    return all.some(({ cutMs }) => cutMs >= toMs) && all;
  }));
  const reportOf = (from, to) => {
    const pictures = pictureReport(frames, from, to);
    if (!chunks) return { ...pictures, voice: voiceOf(recorder.chunks, from, to) };
    return { ...linkReport(chunks, from, to), ...viewerReport(frames, chunks, from, to), ...pictures };
  };
  return {
    report: rounded(reportOf(fromMs, toMs)),
    all: rounded(reportOf(changedMs, toMs)),
    latencies: frames.filter(({ shownMs }) => shownMs >= changedMs - WARM_UP_MS && shownMs < toMs).flatMap((frame) => (frame.ageMs === undefined ? [] : [[(frame.shownMs - changedMs) / 1_000, frame.ageMs]])),
    // An element whose player is taken away reports an error too, of another code.
    died: log.filter(([, what, { code }]) => what === 'SourceBuffer error' || (what === 'element error' && code === MEDIA_ERR_DECODE)).length,
    recovers: await recovers(viewer),
    frames,
    chunks,
    log,
    changedMs,
    originMs,
    observed,
  };
}

/** Whether pictures move again on a good link: a client that has lost a chunk stands still until it jumps. */
function recovers(viewer) {
  return viewer.now().then((sinceMs) => viewer.frames('sender', 10, { sinceMs, deadlineMs: 15_000 })).then(() => true, () => false);
}

/** Clients lose the beginning of what a browser sends in part of their joins (docs/receivers.md §4). */
async function joinUntilSeen(viewer, joins) {
  for (let left = joins; ; left -= 1) {
    await viewer.join();
    try {
      return await viewer.frames('sender', 30, { deadlineMs: 8_000 });
    } catch (error) {
      if (left <= 1) throw error;
      await viewer.leave();
    }
  }
}

function rounded(report) {
  return Object.fromEntries(Object.entries(report).map(([what, value]) => [what, Math.round(value * 100) / 100]));
}

// The agent over WebRTC on bad networks: datagrams that are lost, and one viewer of three whose link is too narrow.

import { gapsOf } from '../e2e/lib/measures.mjs';
import { randomNumbers } from '../e2e/lib/random.mjs';
import { observeFor } from '../e2e/lib/waiting.mjs';
import { DatagramLink } from './datagram-link.mjs';
import { MeshMeeting } from './mesh-meeting.mjs';
import { FORMAT } from './profile.mjs';
import { verdict } from './table.mjs';

const LOSSES = [0, 0.01, 0.05, 0.1];
/** Links as parts of the full bitrate; the first is that of a meeting in which nothing is bad. */
const NARROW = [Infinity, 0.5, 0.25];
const VIEWERS = 3;
/** What viewers with good links keep of their pictures per second, and of their bitrate. */
const KEPT_GOAL = 0.9;
/** Estimates start low, and find a narrow link, within this time. */
const SETTLED_MS = 10_000;

/** Measures each loss and each narrow link over `seconds`. */
export async function benchWebRtcLinks({ seconds }) {
  const losses = [];
  for (const loss of LOSSES) {
    console.error(`${100 * loss} % loss for ${seconds} s`);
    const [seen] = await watch([{ loss }], seconds);
    losses.push({ loss: `${100 * loss} %`, ...cells(seen) });
  }
  const full = FORMAT.video_bitrate + FORMAT.audio_bitrate;
  const links = [];
  let all;
  for (const part of NARROW) {
    console.error(`one link of ${part} of the bitrate among ${VIEWERS}, for ${seconds} s`);
    const [bad, ...good] = await watch([{ bitsPerSecond: part * full }, ...Array(VIEWERS - 1).fill({})], seconds);
    const worst = good.reduce((a, b) => (a.kbps < b.kbps ? a : b));
    all ??= worst;
    const goals = ['fps', 'kbps'].map((what) => {
      const kept = worst[what] / all[what];
      const name = { fps: 'pictures', kbps: 'bitrate' }[what];
      return `${name} >= ${100 * KEPT_GOAL} %: ${verdict(KEPT_GOAL, kept)} (${Math.round(100 * kept)} %)`;
    });
    const goal = part === Infinity ? '' : goals.join('; ');
    const name = part === Infinity ? 'no limit' : `${part} x ${full / 1_000} kbit/s`;
    links.push({ 'link of one': name, viewer: 'that one', ...cells(bad), goal: '' });
    links.push({ 'link of one': '', viewer: 'worse of the others', ...cells(worst), goal });
  }
  return {
    tables: [
      { title: `The agent over WebRTC where datagrams are lost, 1 viewer for ${seconds} s`, rows: losses },
      { title: `The agent over WebRTC with ${VIEWERS} viewers, one of them with a narrow link, ${seconds} s`, rows: links },
    ],
  };
}

/** What viewers see of the agent, each through a link of its own. */
async function watch(conditions, seconds) {
  const random = randomNumbers(20_261_128);
  const meeting = await MeshMeeting.open();
  const links = [];
  try {
    await meeting.agent();
    const viewers = [];
    for (const condition of conditions) {
      links.push(await DatagramLink.open({ ...condition, random }));
      viewers.push(await meeting.viewer(`viewer-${links.length}`, links.at(-1)));
      await viewers.at(-1).enter();
    }
    await observeFor(SETTLED_MS);
    const before = await Promise.all(viewers.map((viewer) => viewer.inbound()));
    const fromMs = await Promise.all(viewers.map((viewer) => viewer.now()));
    await observeFor(seconds * 1_000);
    return await Promise.all(viewers.map(async (viewer, index) => compare(before[index], await viewer.inbound(), await viewer.report(), fromMs[index], seconds)));
  } finally {
    await meeting.close();
    for (const link of links) await link.close();
  }
}

/** A viewer to whom nothing came of the picture has none. */
function compare(before, after, report, fromMs, seconds) {
  const more = (kind, what) => (after[kind]?.[what] ?? 0) - (before[kind]?.[what] ?? 0);
  return {
    fps: more('video', 'framesDecoded') / seconds,
    kbps: (more('video', 'bytesReceived') * 8) / 1_000 / seconds,
    height: after.video?.frameHeight ?? 0,
    freezes: more('video', 'freezeCount'),
    longestMs: report ? gapsOf(report.frames, fromMs, report.now)[0].ms : 1_000 * seconds,
    concealed: more('audio', 'concealedSamples') / more('audio', 'totalSamplesReceived'),
    bufferMs: (1_000 * more('video', 'jitterBufferDelay')) / more('video', 'jitterBufferEmittedCount'),
  };
}

function cells({ fps, kbps, height, freezes, longestMs, concealed, bufferMs }) {
  return {
    'pictures/s': fps.toFixed(1),
    'video kbit/s': kbps.toFixed(0),
    lines: height,
    freezes,
    'longest gap ms': longestMs.toFixed(0),
    'jitter buffer ms': Number.isFinite(bufferMs) ? bufferMs.toFixed(0) : 'none',
    'voice concealed %': (100 * concealed).toFixed(1),
  };
}

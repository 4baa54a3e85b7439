// A meeting over WebRTC as it grows: what the agent costs beside Chromium and GStreamer's webrtcbin, how soon a newcomer has a picture, and what its
// coming costs the others.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gapsOf } from '../e2e/lib/measures.mjs';
import { observeFor } from '../e2e/lib/waiting.mjs';
import { costOver } from './cost.mjs';
import { MeshMeeting, missingForWebrtcbin } from './mesh-meeting.mjs';
import { givePriority } from './priority.mjs';
import { fakeDevices, makePicture } from './publishing.mjs';
import { median, spread, verdict } from './table.mjs';

const AGENT = 'the agent';
const VIEWERS = [0, 1, 3, 8];
/** Chromium encodes for each viewer: with eight, this would measure the machine. */
const CHROMIUM_VIEWERS = [0, 1, 3];
/** CPU of all but the threads that capture and encode, in % of one core, and PSS in MB, by viewers. */
const GOALS = { 3: { cpu: 2, pssMb: 36 }, 8: { cpu: 4, pssMb: 40 } };
const FIRST_PICTURE_MS = 1_100;
const GAP_MS = 150;
/** Estimates of the links, and what a newcomer costs, have settled by then. */
const SETTLED_MS = 3_000;

/** Lets meetings grow `runs` times, each size measured over `seconds`. */
export async function benchWebRtcCost({ runs, seconds }) {
  const agent = [];
  const chromium = [];
  const webrtcbin = [];
  const missing = missingForWebrtcbin();
  if (missing) console.error(`without webrtcbin: ${missing}`);
  const directory = mkdtempSync(join(tmpdir(), 'roomcam-bench-'));
  try {
    const devices = fakeDevices(makePicture(directory));
    for (let run = 1; run <= runs; run += 1) {
      console.error(`run ${run} of ${runs}: meetings with the agent, Chromium and webrtcbin, for ${seconds} s at each size`);
      agent.push(await grow(VIEWERS, seconds, (meeting) => meeting.agent()));
      chromium.push(await grow(CHROMIUM_VIEWERS, seconds, (meeting) => meeting.chromium(devices)));
      if (!missing) webrtcbin.push(await grow(VIEWERS, seconds, (meeting) => meeting.webrtcbin()));
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  const costs = [...costRows(AGENT, agent, VIEWERS, GOALS), ...costRows('Chromium', chromium, CHROMIUM_VIEWERS, {})];
  const joins = [joinRow(AGENT, agent, true), joinRow('Chromium', chromium, false)];
  if (!missing) {
    costs.push(...costRows('webrtcbin', webrtcbin, VIEWERS, {}));
    joins.push(joinRow('webrtcbin', webrtcbin, false));
  }
  return {
    agent,
    chromium,
    webrtcbin,
    tables: [
      { title: `A sender over WebRTC, ${seconds} s at each number of viewers`, rows: costs },
      { title: 'Viewers that join over WebRTC, one after the other', rows: joins },
    ],
  };
}

/** Starts a sender and lets viewers come: {costs: by viewers, firstPicturesMs, gapsMs, arrivalGapsMs}. */
async function grow(sizes, seconds, startSender) {
  const meeting = await MeshMeeting.open();
  try {
    const { pid } = await startSender(meeting);
    if (!givePriority(pid)) console.error('without root the viewers take processor time from the sender: gaps are also theirs');
    const viewers = [];
    const grown = { costs: {}, firstPicturesMs: [], gapsMs: [], arrivalGapsMs: [] };
    for (const size of sizes) {
      while (viewers.length < size) {
        const newcomer = await meeting.viewer(`viewer-${viewers.length + 1}`);
        const before = await Promise.all(viewers.map((viewer) => viewer.now()));
        grown.firstPicturesMs.push(await newcomer.join());
        await observeFor(SETTLED_MS);
        for (const [index, viewer] of viewers.entries()) {
          const { frames, now } = await viewer.report();
          grown.gapsMs.push(gapsOf(frames, before[index], now)[0].ms);
          grown.arrivalGapsMs.push(gapsOf(frames.map(([, , presented, arrivedMs]) => [arrivedMs, , presented]), before[index], now)[0].ms);
        }
        viewers.push(newcomer);
      }
      await observeFor(SETTLED_MS);
      grown.costs[size] = await costOver(pid, seconds * 1_000);
    }
    return grown;
  } finally {
    await meeting.close();
  }
}

function costRows(sender, runs, sizes, goals) {
  return sizes.map((size) => {
    const of = (what) => runs.map(({ costs }) => costs[size][what]);
    const goal = goals[size];
    return {
      sender,
      viewers: size,
      'CPU %': spread(of('cpuPercent')),
      'above that without viewers %': spread(runs.map(({ costs }) => costs[size].cpuPercent - costs[0].cpuPercent)),
      // Chromium encodes in one of its other processes, webrtcbin is no part of a main thread.
      'above the encoder %': sender === AGENT ? spread(of('mainPercent')) : '',
      'PSS MB': spread(of('pssMb')),
      goal: goal
        ? `CPU <= ${goal.cpu}: ${verdict(median(of('mainPercent')), goal.cpu)}, PSS <= ${goal.pssMb}: ${verdict(median(of('pssMb')), goal.pssMb)}`
        : '',
    };
  });
}

function joinRow(sender, runs, judged) {
  const firstPictures = runs.flatMap(({ firstPicturesMs }) => firstPicturesMs);
  const gaps = runs.flatMap(({ gapsMs }) => gapsMs);
  const arrivalGaps = runs.flatMap(({ arrivalGapsMs }) => arrivalGapsMs);
  const goals = [
    `picture <= ${FIRST_PICTURE_MS}: ${verdict(Math.max(...firstPictures), FIRST_PICTURE_MS)}`,
    `gap <= ${GAP_MS}: ${verdict(Math.max(...gaps), GAP_MS)}`,
  ];
  return {
    sender,
    joins: firstPictures.length,
    'join to first picture ms': spread(firstPictures, 0),
    'longest gap of each other ms': spread(gaps, 0),
    // What the decoders and the screen of all viewers, on this machine, did not add.
    'longest gap between arrivals ms': spread(arrivalGaps, 0),
    goal: judged ? goals.join(', ') : '',
  };
}

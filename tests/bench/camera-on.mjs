// From the command "camera on" to the first chunk with its picture, at the relay.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAgent } from '../e2e/lib/agents.mjs';
import { ROOMCAM_RELEASE } from '../e2e/lib/paths.mjs';
import { joinRoom } from '../e2e/lib/participant.mjs';
import { startsEpoch } from '../e2e/lib/recording.mjs';
import { startRelay } from '../e2e/lib/relays.mjs';
import { nowMs, observeFor, until } from '../e2e/lib/waiting.mjs';
import { quantile, spread, verdict } from './table.mjs';

const GOAL_MS = 300;
const ROOM = 'bench';
/** Cameras are off for this long before, so that the device is closed and nothing is on its way. */
const OFF_MS = 700;

/** Turns the camera on `runs` times each with the microphone live and muted. */
export async function benchCameraOn({ runs }) {
  const directory = mkdtempSync(join(tmpdir(), 'roomcam-bench-'));
  const relay = await startRelay('nestjs-new');
  const watcher = await joinRoom(relay.origin, ROOM, 'watcher', { record: true });
  const agent = startAgent({ directory, origin: relay.origin, room: ROOM, userId: 'agent', program: ROOMCAM_RELEASE });
  try {
    await watcher.chunkOf('agent');
    const rows = [];
    for (const muted of [false, true]) {
      await agent.control.mic(muted);
      const delays = [];
      for (let run = 0; run < runs; run += 1) delays.push(await turnOn(agent, watcher));
      const goal = `<= ${GOAL_MS}: ${verdict(quantile(delays, 0.99), GOAL_MS)}`;
      rows.push({ microphone: muted ? 'muted' : 'live', ms: spread(delays, 0), runs, goal });
    }
    return { tables: [{ title: 'Command "camera on" to the first chunk with a key frame, as sent (median, lowest..highest)', rows }] };
  } finally {
    await agent.stop();
    watcher.close();
    await relay.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function turnOn(agent, watcher) {
  await agent.control.camera(false);
  await observeFor(OFF_MS);
  const seen = watcher.chunks.length;
  const fromMs = nowMs();
  await agent.control.camera(true);
  const first = await until('the first picture', 5_000, () => watcher.chunks.slice(seen).find(({ data }) => startsEpoch(data)), 5);
  return first.timestamp - fromMs;
}

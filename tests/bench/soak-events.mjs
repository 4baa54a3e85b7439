// A meeting in which something happens every second, some twenty times as often as in a real one: people join and leave, the
// camera and the microphone are turned off and on, the connection breaks, the camera is lost, the link changes. Prints what the
// agent's process held, in quarters, and ends with 1 if it grew. `SOAK_SECONDS` says how long (600), `SEED` what happens. As root.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startAgent } from '../e2e/lib/agents.mjs';
import { ROOMCAM_RELEASE, REPOSITORY } from '../e2e/lib/paths.mjs';
import { joinRoom } from '../e2e/lib/participant.mjs';
import { startRelay } from '../e2e/lib/relays.mjs';
import { observeFor, until } from '../e2e/lib/waiting.mjs';
import { Proxy } from '../network/proxy.mjs';
import { NOMINAL_BPS } from '../network/rows.mjs';
import { resourcesOf } from './cost.mjs';
import { runSoak } from './run-soak.mjs';
import { median, printTable } from './table.mjs';

const SECONDS = Number(process.env.SOAK_SECONDS ?? 600);
const EVENT_EVERY_MS = 1_000;
/** After so many events everything is on again, and what the process holds is counted. */
const EVENTS_PER_SAMPLE = 12;
/** The camera is lost each time it has given so many pictures. */
const PICTURES_PER_LOSS = 600;
/** GStreamer's objects, but for those that pass: buffers, events and what they carry. */
const LASTING = /object-alive, type-name=\(string\)(?!Gst(?:Buffer|BufferList|Memory|Sample|Event|Message|Query|Caps|TagList|Context)\b)/;
/** What the log says of it. */
const LOST = /trying again every/;
/** By how much the last quarter may hold more than the second one. */
const GROWTH = { rssKb: 1_024, fds: 1, threads: 1, objects: 2 };

await runSoak(soak);

async function soak({ endings, used, random, directory, link }) {
  const relay = await startRelay('nestjs-new');
  endings.push(() => relay.stop());
  const proxy = await Proxy.start(link.address, relay.port);
  endings.push(() => proxy.close());
  const room = `soak-${process.pid}`;
  const agent = startAgent({
    directory, origin: proxy.origin, room, userId: 'agent', program: ROOMCAM_RELEASE, link,
    capture: { profile: losesCamera(directory) },
    env: {
      ROOMCAM_PIPELINES: directory,
      // On SIGUSR1 GStreamer says which of its objects there are.
      GST_TRACERS: 'leaks(check-refs=false)', GST_LEAKS_TRACER_SIG: '1', GST_DEBUG: 'GST_TRACER:7', GST_DEBUG_NO_COLOR: '1',
    },
  });
  endings.push(() => agent.stop());
  await until('the agent', 15_000, () => agent.control.answers());

  const guests = [];
  const events = {
    async join() {
      guests.push(await joinRoom(relay.origin, room, `guest-${Math.floor(random() * 1e9)}`));
      if (guests.length > 3) guests.shift().close();
    },
    leave: () => guests.shift()?.close(),
    camera: () => agent.control.camera(random() < 0.5),
    microphone: () => agent.control.mic(random() < 0.5),
    reconnect: () => proxy.cut(),
    link: () => link.limit(NOMINAL_BPS * [0.1, 0.25, 0.5, 1.2, 4][Math.floor(random() * 5)]),
    async unplug() {
      link.plug(false);
      await observeFor(600);
      link.plug(true);
    },
  };
  endings.push(() => guests.forEach((guest) => guest.close()));
  const happened = Object.fromEntries(Object.keys(events).map((what) => [what, 0]));
  const held = [];
  let lost = 0;
  const endMs = performance.now() + SECONDS * 1_000;
  while (performance.now() < endMs) {
    for (let each = 0; each < EVENTS_PER_SAMPLE; each += 1) {
      const dueMs = performance.now() + EVENT_EVERY_MS;
      const what = Object.keys(events)[Math.floor(random() * Object.keys(events).length)];
      await events[what]();
      happened[what] += 1;
      await observeFor(Math.max(0, dueMs - performance.now()));
    }
    lost += agent.lines.filter((line) => LOST.test(line)).length;
    held.push(await sample(agent, link));
    console.error(JSON.stringify(held.at(-1)));
  }

  printTable(`${SECONDS} s, seed ${used}`, [{ ...happened, 'camera lost': lost }]);
  const quarter = Math.max(1, Math.floor(held.length / 4));
  const rows = Object.keys(GROWTH).map((what) => {
    const of = (samples) => median(samples.map((each) => each[what]));
    return { what, first: held[0][what], 'second quarter': of(held.slice(quarter, 2 * quarter)), 'last quarter': of(held.slice(-quarter)) };
  });
  printTable(`What the agent’s process held, ${held.length} times`, rows);
  const grown = rows.filter((row) => row['last quarter'] - row['second quarter'] > GROWTH[row.what]);
  for (const { what } of grown) console.log(`FAILED: ${what} grew by more than ${GROWTH[what]}`);
  return grown.length === 0;
}

/** With everything on, over a good link. */
async function sample(agent, link) {
  link.limit();
  await agent.control.camera(true);
  await agent.control.mic(false);
  await until('camera, microphone and meeting', 60_000, async () => {
    const { camera, mic, meeting } = await agent.control.status();
    return camera.state === 'on' && mic.state === 'live' && meeting === 'joined';
  });
  // Threads of pools and the window of the last second go by then.
  await observeFor(1_500);
  const before = agent.lines.length;
  agent.signal('SIGUSR1');
  const objects = await until('GStreamer’s list of its objects', 5_000, async () => {
    const alive = () => agent.lines.slice(before).filter((line) => LASTING.test(line)).length;
    const first = alive();
    await observeFor(300);
    return first === alive() && first;
  });
  agent.lines.length = 0;
  return { ...resourcesOf(agent.pid), objects };
}

/** The test picture from a camera that ends now and then. */
function losesCamera(directory) {
  const profile = readFileSync(join(REPOSITORY, 'pipelines/test-pattern.toml'), 'utf8');
  writeFileSync(join(directory, 'lost.toml'), profile.replace('videotestsrc ', `videotestsrc num-buffers=${PICTURES_PER_LOSS} `));
  return 'lost';
}

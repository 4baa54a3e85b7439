// A relay that drains while people watch: the picture stands still for a moment where a connection was lost, and nowhere
// else.

import assert from 'node:assert/strict';
import { describeGaps, gapsOf } from './lib/measures.mjs';
import { scenario } from './lib/scene.mjs';
import { attempts, observeFor, until } from './lib/waiting.mjs';

/** The longest that a picture may stand still whose connection was lost. Deployed clients leave connecting anew to their
 *  library, which waits for up to 1.5 s by itself. */
const FREEZE_MS = { 'viewer page': 1_500, later: 2_000 };
/** What is no freeze: other tests' viewers have as much while nothing happens. */
const FLOWS_MS = 250;
/** From the signal on: the relay is gone after five seconds and what its participants need to hear it. */
const WATCHED_MS = 12_000;
const VIEWERS = ['later', 'viewer page'];
/** Two agents and their viewers share the machine. */
const CAPTURE = { width: 320, height: 240, video_bitrate: 300_000 };

scenario('a relay that drains is hardly noticed', ['haproxy'], (scene, kind, t) =>
  attempts(t, 2, async (attempt) => {
    const flags = ['--drain-seconds', '5'];
    const relays = [await scene.relay('embedded', { flags }), await scene.relay('embedded', { flags })];
    const balancer = await scene.balancer(kind, relays);
    const [moving, staying] = await roomOfEach(scene, balancer, relays, attempt);
    const browser = await scene.browser();
    const agents = [moving, staying].map((room, index) => scene.agent(balancer, `agent-${attempt}-${index}`, { room, capture: CAPTURE }));
    const watch = async (viewers, room, userId) => {
      // Whoever operates deployed clients behind a load balancer has them name the room as their library lets them.
      const named = { ...balancer, origin: `${balancer.origin}?room=${encodeURIComponent(room)}` };
      const viewer = await browser.viewer(viewers, { relay: viewers === 'viewer page' ? balancer : named, room, user: `${viewers}-${room}` });
      await viewer.join();
      await viewer.frames(userId, 60, { deadlineMs: 30_000 });
      return { viewers, viewer, userId };
    };
    const seen = [];
    for (const viewers of VIEWERS) seen.push({ lost: true, ...(await watch(viewers, moving, agents[0].userId)) });
    seen.push({ lost: false, ...(await watch('later', staying, agents[1].userId)) });

    for (const one of seen) one.sinceMs = await one.viewer.now();
    relays[0].child.signal('SIGTERM');
    await observeFor(WATCHED_MS);
    const outcome = {};
    const missed = [];
    for (const { lost, viewers, viewer, userId, sinceMs } of seen) {
      const { frames, now } = await viewer.report(userId);
      const gaps = gapsOf(frames, sinceMs, now);
      const name = lost ? viewers : `${viewers}, elsewhere`;
      t.diagnostic(`${name}: ${describeGaps(gaps)}, since ${sinceMs.toFixed(0)}`);
      outcome[name] = Math.round(gaps[0].ms);
      if (gaps[0].ms > (lost ? FREEZE_MS[viewers] : FLOWS_MS)) missed.push(`${name} stood still for ${gaps[0].ms.toFixed(0)} ms`);
    }
    await Promise.all(agents.map((agent) => agent.stop()));
    await browser.stop();
    for (const relay of relays) await relay.stop();
    await balancer.child.stop();
    assert.deepEqual(missed, []);
    return outcome;
  }),
);

/** The name of a room for each relay. */
async function roomOfEach(scene, balancer, relays, attempt) {
  const names = [];
  for (let number = 0; names.filter(Boolean).length < relays.length; number += 1) {
    const room = `${scene.room}-${attempt}-${number}`;
    const participant = await scene.participant(balancer, 'scout', { room, query: { room } });
    const counts = await Promise.all(relays.map(async ({ origin }) => (await (await fetch(`${origin}/healthz`)).json()).rooms));
    names[counts.indexOf(1)] ??= room;
    participant.close();
    await until('an empty relay', 5_000, async () => {
      const health = await Promise.all(relays.map(async ({ origin }) => (await fetch(`${origin}/healthz`)).json()));
      return health.every(({ sessions }) => sessions === 0);
    });
  }
  return names;
}

// Relays behind a load balancer while people watch: one drains, one dies and comes back, the balancer is restarted. The
// picture stands still for a moment where a connection was lost, and nowhere else.

import { SMALL_PICTURE } from './lib/agents.mjs';
import { describeGaps, gapsOf } from './lib/measures.mjs';
import { startRelay } from './lib/relays.mjs';
import { repeated } from './lib/repeated.mjs';
import { scenario } from './lib/scene.mjs';
import { observeFor, until } from './lib/waiting.mjs';

/** How long a picture may stand still whose connection was lost. The goal is 1.5 s, of which the libraries of deployed
 *  clients wait 0.5 to 1.5 s by themselves: the rest is for long waits drawn twice in three rounds. */
const FREEZE_MS = 2_000;
/** What is no freeze: other tests' viewers have as much while nothing happens. */
const FLOWS_MS = 250;
/** Enough that clients whose libraries wait long by chance do not decide. */
const ROUNDS = 3;
/** Between two troubles, as between any two in life: the balancer knows all relays again, viewers have caught up, and the
 *  agent has been joined for the 10 s after which its next wait is a short one again (`Backoff::HEALTHY`). */
const CALM_MS = 9_500;
/** After everything is there again. */
const WATCHED_MS = 3_000;
/** `at`: the relay of each room. `loses`: whether a room loses its connections. Each ends with every relay there again. */
const TROUBLES = {
  // The rooms move to the other relay each time.
  'a relay drains': {
    at: [0, 0],
    loses: () => true,
    async begin(stage, round) {
      const index = (round - 1) % 2;
      stage.relays[index].child.signal('SIGTERM');
      await stage.relays[index].child.exited;
      await stage.startAgain(index);
    },
  },
  'a relay is killed': {
    at: [0, 1],
    loses: (room) => room === 0,
    async begin(stage) {
      await stage.relays[0].kill();
      await stage.startAgain(0);
    },
  },
  'the balancer is restarted': {
    at: [0, 1],
    loses: () => true,
    async begin({ scene, balancer }) {
      await balancer.restart();
      scene.owns(balancer.child);
    },
  },
};
const FLAGS = ['--drain-seconds', '5'];
/** Clients of the first generation cannot jump to the end of a timeline: whoever has them says so. */
const ROOMS = [
  { viewers: ['later', 'viewer page'], meeting: {} },
  { viewers: ['first'], meeting: { late_join: 'restart' } },
];

scenario('a picture hardly stands still', Object.keys(TROUBLES), { atOnce: 2 }, async (scene, trouble, t) => {
  const { begin } = TROUBLES[trouble];
  const { stage, seen } = await scene.turns.start(() => watched(scene, TROUBLES[trouble]));

  const goals = Object.fromEntries(seen.map((one) => [one.name, one.loses ? FREEZE_MS : FLOWS_MS]));
  await repeated(t, ROUNDS, goals, async (round) => {
    // A client of the first generation that has lost a chunk stands still until something happens in its room.
    for (const { kind, viewer } of seen) if (kind === 'first') await viewer.mute(round % 2 === 1);
    await observeFor(CALM_MS);
    return scene.turns.measure(async () => {
      for (const one of seen) one.sinceMs = await one.viewer.now();
      await begin(stage, round);
      await observeFor(WATCHED_MS);
      const times = {};
      for (const { name, viewer, userId, sinceMs } of seen) {
        const { frames, now } = await viewer.report(userId);
        const gaps = gapsOf(frames, sinceMs, now);
        t.diagnostic(`${name}: ${describeGaps(gaps, 3)}, since ${sinceMs.toFixed(0)}`);
        times[name] = gaps[0].ms;
      }
      return times;
    });
  });
});

/** Relays behind a balancer, with agents in two rooms, and viewers who see them. */
async function watched(scene, { at, loses }) {
  const relays = [await scene.relay('embedded', { flags: FLAGS }), await scene.relay('embedded', { flags: FLAGS })];
  const balancer = await scene.balancer('haproxy', relays);
  const rooms = await roomsAt(scene, balancer, relays, at);
  const browser = await scene.browser();
  const seen = [];
  for (const [index, { viewers, meeting }] of ROOMS.entries()) {
    const room = rooms[index];
    const agent = scene.agent(balancer, `agent-${index}`, { room, meeting, capture: SMALL_PICTURE });
    // Whoever operates deployed clients behind a load balancer has them name the room as their library lets them.
    const named = { ...balancer, origin: `${balancer.origin}?room=${encodeURIComponent(room)}` };
    for (const kind of viewers) {
      const viewer = await browser.viewer(kind, { relay: kind === 'viewer page' ? balancer : named, room, user: `${kind}-${index}` });
      await viewer.join();
      await viewer.frames(agent.userId, 60, { deadlineMs: 30_000 });
      const name = loses(index) ? kind : `${kind}, elsewhere`;
      seen.push({ kind, name, loses: loses(index), viewer, userId: agent.userId });
    }
  }
  const stage = {
    scene,
    relays,
    balancer,
    async startAgain(index) {
      relays[index] = await startRelay('embedded', { port: relays[index].port, flags: FLAGS });
      scene.owns(relays[index].child);
    },
  };
  return { stage, seen };
}

/** Names of rooms that the balancer sends to these relays. */
async function roomsAt(scene, balancer, relays, at) {
  const healths = () => Promise.all(relays.map(async ({ origin }) => (await fetch(`${origin}/healthz`)).json()));
  const names = at.map(() => undefined);
  for (let number = 0; names.includes(undefined); number += 1) {
    const room = `${scene.room}-${number}`;
    const participant = await scene.participant(balancer, 'scout', { room, query: { room } });
    const found = (await healths()).findIndex(({ rooms }) => rooms === 1);
    const place = names.findIndex((name, index) => name === undefined && at[index] === found);
    if (place >= 0) names[place] = room;
    participant.close();
    await until('an empty relay', 5_000, async () => (await healths()).every(({ sessions }) => sessions === 0));
  }
  return names;
}

// Relays that share their rooms over Redis, with the agent at one and viewers at the other: they see it as if all were at
// one, and a Redis that restarts or freezes leaves no picture standing still for longer than Redis itself.

import { SMALL_PICTURE } from './lib/agents.mjs';
import { describeGaps, gapsOf } from './lib/measures.mjs';
import { startRedis } from './lib/redis.mjs';
import { repeated } from './lib/repeated.mjs';
import { scenario } from './lib/scene.mjs';
import { observeFor, until } from './lib/waiting.mjs';

/** At the other relay than the agent. */
const FAR = ['later', 'viewer page'];
/** What is no freeze: other tests' viewers have as much while nothing happens. */
const FLOWS_MS = 250;
/** From the moment at which Redis is there again until the picture moves. */
const HEALS_MS = 500;
/** What Redis does, and for how long it is away; a restart takes some 50 ms more. Viewers have that much in hand, so nobody
 *  notices one that is over at once. */
const STAGES = [
  { trouble: 'restarts', awayMs: 0 },
  { trouble: 'restarts', awayMs: 1_000 },
  { trouble: 'freezes', awayMs: 5_000 },
];
const ROUNDS = 3;
/** From one round to the next: the viewer page has caught up, so that it has as little in hand as before. */
const CATCHES_UP_MS = 5_000;

const redisAt = async ({ origin }) => (await (await fetch(`${origin}/healthz`)).json()).redis;
const meet = (relays) =>
  until('relays that have each other', 20_000, async () => {
    const seen = await Promise.all(relays.map(redisAt));
    return seen.every(({ status, relays: others }) => status === 'ok' && others === 1);
  });

scenario('a picture goes from one relay to another', STAGES, async (scene, { trouble, awayMs }, t) => {
  const redis = await startRedis(scene.directory);
  scene.owns(redis);
  const flags = ['--redis', redis.url];
  const relays = [await scene.relay('embedded', { flags }), await scene.relay('embedded', { flags })];
  await meet(relays);
  const agent = scene.agent(relays[0], 'agent', { capture: SMALL_PICTURE });
  const browser = await scene.browser({ fresh: true });
  const viewers = [];
  for (const [kind, where, relay] of [...FAR.map((far) => [far, 'far', relays[1]]), ['later', 'near', relays[0]]]) {
    const name = `${kind}, ${where}`;
    const viewer = await browser.viewer(kind, { relay, room: scene.room, user: name });
    await viewer.join();
    await viewer.frames(agent.userId, 60, { deadlineMs: 30_000 });
    viewers.push({ name, viewer, isFar: where === 'far' });
  }

  // Who is far sees nothing new for as long as Redis is away.
  const isJudgedAfter = (isFar) => isFar && awayMs > 0;
  const goals = {};
  for (const { name, isFar } of viewers) {
    goals[`${name}, undisturbed`] = FLOWS_MS;
    if (isJudgedAfter(isFar)) goals[`${name}, after it`] = HEALS_MS;
    else goals[name] = FLOWS_MS;
  }
  await repeated(t, ROUNDS, goals, async () => {
    // A deployed client has more in hand after each hole, until it has to jump: so each time it has just come.
    for (const { viewer } of viewers) {
      if (!viewer.leave) continue;
      await viewer.leave();
      await viewer.join();
      await viewer.frames(agent.userId, 60, { deadlineMs: 30_000 });
    }
    for (const one of viewers) one.undisturbedMs = await one.viewer.now();
    await observeFor(CATCHES_UP_MS);
    for (const one of viewers) one.sinceMs = await one.viewer.now();
    await redis[trouble](awayMs);
    for (const one of viewers) one.backMs = await one.viewer.now();
    await meet(relays);
    await observeFor(3_000);
    const times = {};
    for (const { name, viewer, isFar, undisturbedMs, sinceMs, backMs } of viewers) {
      const { frames, now } = await viewer.report(agent.userId);
      const gaps = gapsOf(frames, sinceMs, now);
      const [{ ms, atMs }] = gaps;
      t.diagnostic(`${name}: ${describeGaps(gaps, 3)}; ${trouble} at ${sinceMs.toFixed(0)}, is back at ${backMs.toFixed(0)}`);
      times[`${name}, undisturbed`] = gapsOf(frames, undisturbedMs + 2_000, sinceMs)[0].ms;
      if (isJudgedAfter(isFar)) times[`${name}, after it`] = atMs + ms - backMs;
      else times[name] = ms;
    }
    return times;
  });
});

// Relays that share their rooms over Redis, with the agent at one and viewers at the other: they see it as if all were at
// one, and a Redis that restarts or freezes leaves no picture standing still.

import assert from 'node:assert/strict';
import { describeGaps, gapsOf } from './lib/measures.mjs';
import { startRedis } from './lib/redis.mjs';
import { scenario } from './lib/scene.mjs';
import { attempts, observeFor, until } from './lib/waiting.mjs';

const VIEWERS = ['later', 'viewer page'];
/** What is no freeze: other tests' viewers have as much while nothing happens. */
const FLOWS_MS = 250;
/** From the moment at which the relays have each other again until the picture moves. What was said meanwhile is a hole
 *  in the timeline, which deployed clients stand still at until their jump rule ends it (docs/receivers.md §2.2). */
const HEALS_MS = { 'viewer page': 1_500, later: 4_000 };
/** What Redis does, and for how long. */
const TROUBLES = { restarts: 1_000, freezes: 5_000 };

const redisAt = async ({ origin }) => (await (await fetch(`${origin}/healthz`)).json()).redis;
const meet = (relays) =>
  until('relays that have each other', 20_000, async () => {
    const seen = await Promise.all(relays.map(redisAt));
    return seen.every(({ status, relays: others }) => status === 'ok' && others === 1);
  });

scenario('a picture goes from one relay to another', Object.keys(TROUBLES), (scene, trouble, t) =>
  attempts(t, 2, async (attempt) => {
    const redis = await startRedis(scene.directory);
    scene.owns(redis);
    const flags = ['--redis', redis.url];
    const relays = [await scene.relay('embedded', { flags }), await scene.relay('embedded', { flags })];
    await meet(relays);
    const room = `${scene.room}-${attempt}`;
    const agent = scene.agent(relays[0], `agent-${attempt}`, { room });
    const browser = await scene.browser();
    const viewers = [];
    for (const kind of VIEWERS) {
      const viewer = await browser.viewer(kind, { relay: relays[1], room, user: `${kind}-${attempt}` });
      await viewer.join();
      await viewer.frames(agent.userId, 60, { deadlineMs: 30_000 });
      viewers.push({ kind, viewer, sinceMs: await viewer.now() });
    }
    const near = await browser.viewer('later', { relay: relays[0], room, user: `near-${attempt}` });
    await near.join();
    await near.frames(agent.userId, 60, { deadlineMs: 30_000 });
    await observeFor(4_000);
    const outcome = {};
    const missed = [];
    for (const { kind, viewer, sinceMs } of viewers) {
      const { frames, now } = await viewer.report(agent.userId);
      outcome[kind] = Math.round(gapsOf(frames, sinceMs + 2_000, now)[0].ms);
      if (outcome[kind] > FLOWS_MS) missed.push(`${kind} stood still for ${outcome[kind]} ms while nothing happened`);
    }

    const nearSinceMs = await near.now();
    await redis[trouble](TROUBLES[trouble]);
    for (const one of viewers) one.backMs = await one.viewer.now();
    await meet(relays);
    for (const one of viewers) one.metMs = await one.viewer.now();
    await observeFor(8_000);
    for (const { kind, viewer, backMs, metMs } of viewers) {
      const { frames, now } = await viewer.report(agent.userId);
      const gaps = gapsOf(frames, backMs, now);
      const moves = gaps[0].atMs + gaps[0].ms - metMs;
      t.diagnostic(`${kind}: ${describeGaps(gaps)}; Redis back at ${backMs.toFixed(0)}, the relays at ${metMs.toFixed(0)}`);
      outcome[`${kind} moves after`] = Math.round(moves);
      if (moves > HEALS_MS[kind]) missed.push(`${kind} moved ${moves.toFixed(0)} ms after the relays had each other`);
    }
    const { frames, now } = await near.report(agent.userId);
    outcome.near = Math.round(gapsOf(frames, nearSinceMs, now)[0].ms);
    if (outcome.near > FLOWS_MS) missed.push(`who is at the agent's relay saw a picture that stood still for ${outcome.near} ms`);
    await agent.stop();
    await browser.stop();
    assert.deepEqual(missed, []);
    return outcome;
  }),
);

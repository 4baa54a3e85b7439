// SIGTERM: the agent leaves the room at once and exits with 0 within 2 s, whether or not the relay is there.

import assert from 'node:assert/strict';
import { RELAYS } from './lib/relays.mjs';
import { scenario } from './lib/scene.mjs';
import { until } from './lib/waiting.mjs';

const EXITS_WITHIN_MS = 2_000;

scenario('SIGTERM leaves the room and exits with 0', RELAYS, async (scene, kind, t) => {
  const relay = await scene.relay(kind);
  const witness = await scene.participant(relay, 'witness');
  const agent = scene.agent(relay, 'agent');
  await witness.chunkOf('agent');

  const termMs = performance.timeOrigin + performance.now();
  const exit = await terminate(agent);
  const left = await witness.next('user-left', { sinceMs: termMs, deadlineMs: 1_000, where: ({ userId }) => userId === 'agent' });
  t.diagnostic(`exit after ${(exit.atMs - termMs).toFixed(0)} ms, user-left after ${(left.atMs - termMs).toFixed(0)} ms`);
  assert.equal(exit.code, 0, `exit ${JSON.stringify(exit)}`);
  assert.ok(exit.atMs - termMs <= EXITS_WITHIN_MS, `exit after ${exit.atMs - termMs} ms`);
  assert.ok(left.atMs - termMs <= 1_000, `user-left after ${left.atMs - termMs} ms`);

  if (kind === 'embedded') return;
  const { happenings } = await relay.get('stats');
  const ABOUT_MEDIA = ['camera-state-changed', 'mic-state-changed', 'stream-reset'];
  const last = happenings.filter(({ userId, what }) => userId === 'agent' && !ABOUT_MEDIA.includes(what));
  assert.deepEqual(last.map(({ what }) => what), ['connect', 'join', 'leave-room', 'disconnect'], 'the agent said goodbye before it closed');
});

scenario('SIGTERM while the relay is away exits with 0', ['nestjs-new'], async (scene, kind, t) => {
  const relay = await scene.relay(kind);
  const witness = await scene.participant(relay, 'witness');
  const agent = scene.agent(relay, 'agent');
  await witness.chunkOf('agent');
  const lines = agent.lines.length;
  await relay.kill();
  await until('the agent to notice', 10_000, () => agent.lines.length > lines);

  const termMs = performance.timeOrigin + performance.now();
  const exit = await terminate(agent);
  t.diagnostic(`exit after ${(exit.atMs - termMs).toFixed(0)} ms`);
  assert.equal(exit.code, 0, `exit ${JSON.stringify(exit)}`);
  assert.ok(exit.atMs - termMs <= EXITS_WITHIN_MS, `exit after ${exit.atMs - termMs} ms`);
});

scenario('SIGTERM before the first connection exits with 0', ['nestjs-new'], async (scene, kind) => {
  const relay = await scene.relay(kind);
  await relay.kill();
  const agent = scene.agent(relay, 'agent');
  await until('the agent to say that the relay is away', 10_000, () => agent.lines.some((line) => line.includes(String(relay.port))));

  const termMs = performance.timeOrigin + performance.now();
  const exit = await terminate(agent);
  assert.equal(exit.code, 0, `exit ${JSON.stringify(exit)}`);
  assert.ok(exit.atMs - termMs <= EXITS_WITHIN_MS, `exit after ${exit.atMs - termMs} ms`);
});

function terminate(agent) {
  agent.signal('SIGTERM');
  return until('the agent to exit', 10_000, () => agent.exit);
}

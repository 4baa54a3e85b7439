// Presenter control: without the seat the agent sends nothing; with it again the picture comes back.

import assert from 'node:assert/strict';
import { firstFrameAfter } from './lib/measures.mjs';
import { scenario } from './lib/scene.mjs';
import { observeFor, until } from './lib/waiting.mjs';

/** From giving the seat back to the first frame. */
const BACK_WITHIN_MS = 2_000;

scenario('a taken seat stops the chunks, a seat given back brings frames within 2 s', ['nestjs-new'], async (scene, kind, t) => {
  const relay = await scene.relay(kind);
  const browser = await scene.browser();
  const viewer = await browser.client('later', { relay, room: scene.room, user: 'viewer' });
  await viewer.join();
  const agent = scene.agent(relay, 'agent');
  await viewer.frames('agent', 30);

  await relay.post('presenter', { roomId: scene.room, userId: 'viewer' });
  const sentNow = async () => {
    const { chunks, dropped } = await relay.sender('agent');
    return chunks + dropped;
  };
  // Chunks that were under way may still arrive: they are dropped by the relay, and must end.
  let sent = await sentNow();
  await until('a second without a chunk', 5_000, async () => {
    const before = sent;
    await observeFor(1_000);
    sent = await sentNow();
    return sent === before;
  });
  const { dropped } = await relay.sender('agent');
  t.diagnostic(`${dropped} chunks arrived after the seat was taken`);
  assert.ok(dropped <= 5, `${dropped} chunks were sent without a seat`);
  assert.equal(agent.exit, undefined, 'the agent stays');

  const fromMs = await viewer.now();
  await relay.post('presenter', { roomId: scene.room });
  const report = await viewer.frames('agent', 10, { sinceMs: fromMs });
  const backMs = firstFrameAfter(report.frames, fromMs);
  t.diagnostic(`first frame ${backMs.toFixed(0)} ms after the seat was given back`);
  assert.ok(backMs <= BACK_WITHIN_MS, `the first frame came after ${backMs} ms`);

  const { happenings } = await relay.get('stats');
  const on = happenings.findLast(({ what, userId }) => what === 'camera-state-changed' && userId === 'agent');
  assert.deepEqual(on?.detail, { hasVideo: true }, 'the agent said that its camera is on again');
});

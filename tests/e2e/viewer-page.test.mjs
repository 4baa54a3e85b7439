// The viewer page of `roomcam demo`, with the demo's sender and two more: who is shown, how, and that it moves.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describeGaps, gapsOf } from './lib/measures.mjs';
import { framesShown, reportOf, soundHeard } from './lib/browser.mjs';
import { ARTIFACTS, ROOMCAM } from './lib/paths.mjs';
import { Child } from './lib/processes.mjs';
import { scenario } from './lib/scene.mjs';
import { observeFor, until } from './lib/waiting.mjs';

scenario('the page shows every sender as it is', ['demo'], async (scene, _, t) => {
  mkdirSync(ARTIFACTS, { recursive: true });
  const demo = scene.owns(new Child('roomcam demo', ROOMCAM, ['demo', '--listen', '127.0.0.1:0']));
  const url = new URL((await demo.line(/http:\/\/[^\s"]+/))[0]);
  const browser = await scene.browser();
  const page = await browser.probedPage();
  await page.goto(url.href);
  const users = () => page.evaluate(() => window.roomcam.users);
  const stateOf = (userId, state) =>
    until(`${userId} to be ${state}`, 15_000, async () => {
      const user = (await users())[userId];
      return user?.state === state ? user : undefined;
    });

  // The demo's own sender is there, and nobody else can publish there.
  await stateOf(await until('the demo on the page', 15_000, async () => Object.keys(await users())[0]), 'playing');
  await page.screenshot({ path: join(ARTIFACTS, 'viewer-page-demo.png') });
  await demo.stop();

  // Given such a sender at a relay where everybody may publish …
  const relay = await scene.relay('embedded');
  const { room } = scene;
  const demoUser = scene.agent(relay, 'both', { room, username: 'Both' }).userId;
  await page.goto(`${relay.origin}/?room=${room}`);
  await stateOf(demoUser, 'playing');

  // … when one joins with its camera off, and one with its mic muted …
  scene.agent(relay, 'voice-only', { room, username: 'Voice Only', capture: { start_camera: false } });
  scene.agent(relay, 'picture-only', { room, username: 'Picture Only', capture: { start_mic: false } });

  // … then all three are on the page, each as it is.
  await stateOf('picture-only', 'playing');
  const voice = await stateOf('voice-only', 'avatar');
  assert.equal(voice.muted, false);
  const tiles = await page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll('[data-user]')].map((tile) => {
        const visible = (css) => tile.querySelector(css).checkVisibility({ opacityProperty: true, visibilityProperty: true });
        return [
          tile.dataset.user,
          { name: tile.querySelector('[data-part=name]').textContent, avatar: visible('.avatar'), muted: visible('.mic-off') },
        ];
      }),
    ),
  );
  assert.equal(Object.keys(tiles).length, 3);
  assert.deepEqual(tiles['voice-only'], { name: 'Voice Only', avatar: true, muted: false });
  assert.deepEqual(tiles['picture-only'], { name: 'Picture Only', avatar: false, muted: true });
  assert.deepEqual({ avatar: tiles[demoUser].avatar, muted: tiles[demoUser].muted }, { avatar: false, muted: false });

  // Both pictures move.
  const fromMs = await page.evaluate(() => performance.now());
  await observeFor(3_000);
  for (const userId of [demoUser, 'picture-only']) {
    const report = await reportOf(page, `[data-user="${userId}"] video`);
    const shown = report.frames.filter(([atMs]) => atMs >= fromMs).length;
    t.diagnostic(`${userId}: ${shown} frames in ${((report.now - fromMs) / 1_000).toFixed(1)} s; gaps ${describeGaps(gapsOf(report.frames, fromMs, report.now), 3)}`);
    assert.ok(shown >= 45, `${userId}: ${shown} frames in 3 s`);
  }
  for (const user of Object.values(await users())) assert.equal(user.errors, 0, user.lastError);

  // The page is silent until it is clicked; then the demo's tone is heard.
  await page.click('#sound');
  const sound = await soundHeard(page, `[data-user="${demoUser}"] video`);
  assert.ok(Math.abs(sound.peakHz - 440) < 12, `the strongest frequency is ${sound.peakHz} Hz`);

  await page.screenshot({ path: join(ARTIFACTS, 'viewer-page-three.png') });
  await page.click('#info');
  await framesShown(page, `[data-user="${demoUser}"] video`, 15, { sinceMs: await page.evaluate(() => performance.now()) });
  await page.screenshot({ path: join(ARTIFACTS, 'viewer-page-statistics.png') });
  await page.setViewportSize({ width: 390, height: 844 });
  await framesShown(page, `[data-user="${demoUser}"] video`, 5, { sinceMs: await page.evaluate(() => performance.now()) });
  await page.screenshot({ path: join(ARTIFACTS, 'viewer-page-phone.png') });
});

scenario('a sender that leaves takes its tile with it, and an empty room says so', ['embedded'], async (scene, kind) => {
  mkdirSync(ARTIFACTS, { recursive: true });
  const relay = await scene.relay(kind);
  const browser = await scene.browser();
  const { room } = scene;
  const viewer = await browser.viewerPage({ relay, room, user: 'viewer' });
  await viewer.join();
  const agent = scene.agent(relay, 'agent');
  await viewer.frames('agent', 10);

  await agent.stop();
  await until('the tile to go', 3_000, () => viewer.page.evaluate(() => Object.keys(window.roomcam.users).length === 0));
  assert.ok(await viewer.page.isVisible('#empty'));
  await viewer.page.screenshot({ path: join(ARTIFACTS, 'viewer-page-empty.png') });
});

scenario('the page stays at the live edge when it was held up', ['embedded'], async (scene, kind, t) => {
  const relay = await scene.relay(kind);
  const browser = await scene.browser();
  const viewer = await browser.viewerPage({ relay, room: scene.room, user: 'viewer' });
  await viewer.join();
  scene.agent(relay, 'agent');
  await viewer.frames('agent', 60);

  // A page that does nothing for 7 s: what arrived meanwhile waits for it, and is too much to catch up on.
  await viewer.page.evaluate(() => {
    const end = performance.now() + 7_000;
    while (performance.now() < end);
  });
  const agentOnPage = async () => (await viewer.state()).users.agent;
  const caughtUp = await until('the live edge', 10_000, async () => {
    const user = await agentOnPage();
    // From there on it catches up by rate, unseen.
    return user.state === 'playing' && user.lag < 1.5 ? user : undefined;
  });
  t.diagnostic(`lag ${caughtUp.lag.toFixed(2)} s, jumps ${JSON.stringify(caughtUp.jumps)}, errors ${caughtUp.errors}`);
  await viewer.frames('agent', 30, { sinceMs: await viewer.now() });
  assert.equal((await agentOnPage()).errors, 0);
});

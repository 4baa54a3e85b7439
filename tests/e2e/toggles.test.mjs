// Camera and microphone, turned on and off a hundred times: the lamps never lie, and nobody sees a frozen picture.

import assert from 'node:assert/strict';
import { describeGaps, gapsOf, quantile } from './lib/measures.mjs';
import { decodeRecording } from './lib/recording.mjs';
import { scenario } from './lib/scene.mjs';
import { attempts, observeFor, until } from './lib/waiting.mjs';

const TOGGLES = 100;
/** A picture that is to be seen never stands still for longer. */
const FROZEN_MS = 500;
/** From the command to the avatar. */
const AVATAR_MS = 150;
/** What counts as sound, in dBFS, and as a picture, in mean luma (black is 16). */
const AUDIBLE_DB = -60;
const VISIBLE_LUMA = 20;
/** How exactly the recording tells when something was captured: a chunk says when it was sent, and a packet of
 *  sound lasts 20 ms. */
const BEFORE_LIT_MS = 60;
const BEFORE_DARK_MS = 40;

const nowMs = () => performance.timeOrigin + performance.now();

scenario('a hundred toggles: no lamp lies, no picture freezes', ['nestjs-new', 'embedded'], async (scene, kind, t) => {
  const relay = await scene.relay(kind);
  const browser = await scene.browser();
  const lamps = scene.lamps();
  const recorder = await scene.participant(relay, 'recorder', { record: true });
  const viewer = await browser.viewer(kind === 'embedded' ? 'viewer page' : 'receiver', { relay, room: scene.room, user: 'viewer' });
  await viewer.join();
  const watched = await watchAvatar(viewer, kind);
  const agent = scene.agent(relay, 'agent', { lamps, env: { STATE_DIRECTORY: scene.directory } });
  await viewer.frames('agent', 30);

  const random = randomNumbers(20_261_121);
  await attempts(t, 3, () => toggleAndWatch({ agent, viewer, watched, random, t }));

  // With both off nothing is sent any more; then all that was sent has been recorded.
  await agent.control.camera(false);
  await agent.control.mic(true);
  const sent = () => recorder.chunks.filter(({ userId }) => userId === 'agent');
  await until('everything sent to be recorded', 5_000, () => sent().length === agent.trace().length);
  const { length } = agent.trace();
  await observeFor(1_000);
  assert.equal(agent.trace().length, length, 'with both off, nothing is sent at all');

  // Nothing captured while a lamp denied it, over all attempts.
  const { audio, video, epochs } = decodeRecording(sent(), agent.trace(), scene.directory);
  const loud = audio.filter(({ level }) => level > AUDIBLE_DB);
  const bright = video.filter(({ level }) => level > VISIBLE_LUMA);
  t.diagnostic(`${epochs} epochs; ${loud.length} of ${audio.length} packets are loud, ${bright.length} of ${video.length} pictures bright`);
  assert.ok(loud.length > 500 && bright.length > 500, 'the recording has sound and picture in it');
  for (const [lamp, samples, what] of [['mic-muted', loud, 'sound'], ['camera-off', bright, 'a picture']]) {
    const intervals = lamps.intervals(lamp);
    assert.ok(intervals.length > 10, `${lamp} was lit ${intervals.length} times`);
    const lies = samples.filter(({ atMs }) => intervals.some(([from, to]) => atMs > from + BEFORE_LIT_MS && atMs < to - BEFORE_DARK_MS));
    assert.deepEqual(lies.slice(0, 5), [], `${what} was captured while ${lamp} was lit, ${lies.length} times`);
  }
  for (const [says, denies] of [['mic-live', 'mic-muted'], ['camera-on', 'camera-off']]) {
    assert.deepEqual([lamps.isLit(says), lamps.isLit(denies)], [false, true], `${says} and ${denies} in the end`);
  }
});

/** One run of toggles at random moments; asserts what viewers saw of it. */
async function toggleAndWatch({ agent, viewer, watched, random, t }) {
  const status = await agent.control.status();
  let on = { camera: status.camera.wanted_on, mic: !status.mic.wanted_muted };
  const offs = [];
  const pictures = [];
  let shownFrom = on.camera ? nowMs() : null;
  for (let toggle = 0; toggle < TOGGLES; toggle += 1) {
    await observeFor(50 + random() * 550);
    const atMs = nowMs();
    if (random() < 0.6) {
      on = { ...on, camera: !on.camera };
      if (on.camera) shownFrom = atMs;
      else {
        offs.push(atMs);
        pictures.push([shownFrom, atMs]);
        shownFrom = null;
      }
      await agent.control.camera(on.camera);
    } else {
      on = { ...on, mic: !on.mic };
      await agent.control.mic(!on.mic);
    }
  }
  if (!on.camera) {
    shownFrom = nowMs();
    await agent.control.camera(true);
  }
  await observeFor(1_500);
  pictures.push([shownFrom, nowMs()]);

  const report = await viewer.report('agent');
  const frames = report.frames.map(([atMs, ...rest]) => [atMs + report.timeOrigin, ...rest]);
  const gaps = pictures.flatMap(([from, to]) => gapsWithin(frames, from, to)).sort((a, b) => b.ms - a.ms);
  const avatars = (await watched()).filter(({ avatar }) => avatar);
  const delays = offs.map((off) => (avatars.find(({ atMs }) => atMs >= off)?.atMs ?? Infinity) - off);
  t.diagnostic(
    `camera off ${offs.length} times; avatar after ${quantile(delays, 0.5).toFixed(0)} ms (median), ${Math.max(...delays).toFixed(0)} ms (longest); ` +
      `gaps in the picture: ${describeGaps(gaps, 3)}`,
  );
  assert.ok(gaps[0].ms <= FROZEN_MS, `the picture stood still for ${gaps[0].ms.toFixed(0)} ms`);
  assert.ok(Math.max(...delays) <= AVATAR_MS, `an avatar was shown after ${Math.max(...delays).toFixed(0)} ms`);
  return { offs: offs.length, longestGapMs: Math.round(gaps[0].ms), longestAvatarMs: Math.round(Math.max(...delays)) };
}

/** The gaps while a picture was to be seen; the first from the command that asked for one. */
function gapsWithin(frames, from, to) {
  const inside = frames.filter(([atMs]) => atMs >= from && atMs <= to);
  return gapsOf([[from, 0, inside[0]?.[2] - 1 || 0], ...inside], from, to);
}

/** Notes when the page goes over to the avatar: [`{atMs, avatar}`]. */
async function watchAvatar(viewer, kind) {
  const { page } = viewer;
  if (kind !== 'embedded') {
    return async () => (await page.evaluate(() => receiver.cameraStates)).map(({ atMs, hasVideo }) => ({ atMs, avatar: !hasVideo }));
  }
  await page.evaluate(() => {
    window.states = [];
    new MutationObserver(() => {
      const state = document.querySelector('[data-user="agent"]')?.dataset.state;
      if (state !== window.states.at(-1)?.state) window.states.push({ atMs: performance.timeOrigin + performance.now(), state });
    }).observe(document.querySelector('#grid'), { subtree: true, childList: true, attributes: true, attributeFilter: ['data-state'] });
  });
  return async () => (await page.evaluate(() => window.states)).map(({ atMs, state }) => ({ atMs, avatar: state === 'avatar' }));
}

/** The same numbers in [0, 1) on each run (mulberry32). */
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Camera and microphone, turned on and off a hundred times: the lamps never lie, and nobody sees a frozen picture.

import assert from 'node:assert/strict';
import { describeGaps, gapsOf, quantile } from './lib/measures.mjs';
import { randomNumbers } from './lib/random.mjs';
import { decodeRecording } from './lib/recording.mjs';
import { scenario } from './lib/scene.mjs';
import { attempts, nowMs, observeFor, until } from './lib/waiting.mjs';

const TOGGLES = 100;
/** A picture that is to be seen never stands still for longer. */
const FROZEN_MS = 500;
/** From the command to the avatar. */
const AVATAR_MS = 150;
/** What counts as sound, in dBFS, and as a picture, in mean luma (black is 16). */
const AUDIBLE_DB = -60;
const VISIBLE_LUMA = 20;
/** How exactly two clocks of this machine are compared. */
const CLOCK_MS = 20;

const STAGES = [
  { kind: 'nestjs-new', mute: 'close' },
  { kind: 'embedded', mute: 'silence' },
];

scenario('a hundred toggles: no lamp lies, no picture freezes', STAGES, { timeout: 300_000, atOnce: 2 }, async (scene, { kind, mute }, t) => {
  const relay = await scene.relay(kind);
  const browser = await scene.browser();
  const lamps = scene.lamps();
  const recorder = await scene.participant(relay, 'recorder', { record: true });
  const viewer = await browser.viewer(kind === 'embedded' ? 'viewer page' : 'later', { relay, room: scene.room, user: 'viewer' });
  await viewer.join();
  const watched = await watchAvatar(viewer, kind);
  const agent = scene.agent(relay, 'agent', { lamps, capture: { mute }, env: { STATE_DIRECTORY: scene.directory } });
  await viewer.frames('agent', 30);

  const random = randomNumbers(20_261_121);
  await attempts(t, 3, () => scene.turns.measure(() => toggleAndWatch({ agent, viewer, watched, random, t })));

  // With both off nothing is sent any more; then all that was sent has been recorded.
  await agent.control.camera(false);
  await agent.control.mic(true);
  const sent = () => recorder.chunks.filter(({ userId }) => userId === 'agent');
  await until('everything sent to be recorded', 5_000, () => sent().length === agent.trace().length);
  const { length } = agent.trace();
  await observeFor(1_000);
  assert.equal(agent.trace().length, length, 'with both off, nothing is sent at all');

  const opened = agent.lines.filter((line) => line.includes('audio opened')).length;
  assert.ok(mute === 'close' ? opened > 10 : opened === 1, `with mute = "${mute}" the microphone was opened ${opened} times`);

  // Nothing captured while a lamp denied it, over all attempts.
  const recording = await decodeRecording(sent(), agent.trace(), scene.directory);
  const tracks = [
    { lamp: 'mic-muted', device: 'mic', levels: 'sounds', shows: (level) => level > AUDIBLE_DB },
    { lamp: 'camera-off', device: 'camera', levels: 'pictures', shows: (level) => level > VISIBLE_LUMA },
  ];
  for (const { lamp, device, levels, shows } of tracks) {
    const intervals = lamps.intervals(lamp);
    const denied = (atMs) => intervals.some(([from, to]) => atMs > from + CLOCK_MS && atMs < to - CLOCK_MS);
    const showing = recording.filter((chunk) => chunk[levels].some(shows));
    t.diagnostic(`${lamp} was lit ${intervals.length} times; ${showing.length} of ${recording.length} chunks have something of the ${device}`);
    assert.ok(intervals.length > 10 && showing.length > 100, `the ${device} was on and off, and recorded`);

    const lies = recording.filter((chunk) => chunk[device] && (denied(chunk[device].fromMs) || denied(chunk[device].toMs)));
    assert.deepEqual(lies.slice(0, 3), [], `what the ${device} captured while ${lamp} was lit was sent, ${lies.length} times`);
    // What nobody captured is silent and black, but for the last moment of a sound that a decoder lets ring out.
    const ghosts = showing.filter((chunk) => !chunk[device] && chunk[levels].slice(1).some(shows));
    assert.deepEqual(ghosts.slice(0, 3), [], `filler of the ${device} shows something, ${ghosts.length} times`);
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
    return async () => (await page.evaluate(() => client.cameraStates)).map(({ atMs, hasVideo }) => ({ atMs, avatar: !hasVideo }));
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

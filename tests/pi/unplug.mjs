// Devices that go away while everybody watches, and come back.

import assert from 'node:assert/strict';
import { observeFor, until } from '../e2e/lib/waiting.mjs';
import { bench, step, USER } from './lib/bench.mjs';
import { epochsOf } from './lib/decode.mjs';
import { CAMERA, PATTERN, playTone, plugIn, showPattern, SOUND_CARD, TONE_HZ, unplug } from './lib/devices.mjs';

/** How soon after its device a picture or a sound must be back. */
const BACK_MS = 5_000;
/** For how long a device stays away. */
const AWAY_MS = 4_000;
/** The longest that the other one may pause. Much of that is the emulation's: it stops at times to translate code. */
const PAUSE_SECONDS = 1.5;

step('the camera is unplugged and plugged in again: the voice goes on, the picture comes back', async (t, pi) => {
  const witness = await bench.live(t);
  await playTone(pi);
  await showPattern(pi, PATTERN.red);
  await observeFor(2_000);

  const awayMs = Date.now();
  await unplug(pi, CAMERA);
  await observeFor(AWAY_MS);
  const thereMs = Date.now();
  // vivid begins with its bars again: whoever sees them sees the camera that came back, and no repeated picture.
  await plugIn(pi, CAMERA);
  const pluggedMs = Date.now();
  const back = await until('the bars', 3 * BACK_MS, () => firstPicture(witness, pluggedMs - 1_000, isBars), 500);
  await observeFor(1_000);

  t.diagnostic(`the picture is back ${(back.atMs - pluggedMs).toFixed(0)} ms after the device (${pluggedMs - thereMs} ms for the driver)`);
  assert.ok(back.atMs - pluggedMs <= BACK_MS, `the picture came ${back.atMs - pluggedMs} ms after the device`);
  const pause = longestPause(witness, awayMs, back.atMs);
  t.diagnostic(`the longest pause of the voice: ${(pause * 1000).toFixed(0)} ms`);
  assert.ok(pause <= PAUSE_SECONDS, `the voice paused for ${pause} s`);
});

step('the sound card is unplugged and plugged in again: the picture goes on, the voice comes back', async (t, pi) => {
  const witness = await bench.live(t);
  await observeFor(2_000);

  const awayMs = Date.now();
  await unplug(pi, SOUND_CARD);
  await observeFor(AWAY_MS);
  await plugIn(pi, SOUND_CARD);
  const pluggedMs = Date.now();
  const back = await until('the tone', 3 * BACK_MS, () => firstTone(witness, pluggedMs), 500);
  await observeFor(1_000);

  t.diagnostic(`the voice is back ${(back.atMs - pluggedMs).toFixed(0)} ms after the device`);
  assert.ok(back.atMs - pluggedMs <= BACK_MS, `the voice came ${back.atMs - pluggedMs} ms after the device`);
  const frozen = longestFreeze(witness, awayMs, back.atMs);
  t.diagnostic(`the longest time between two pictures: ${frozen.toFixed(0)} ms`);
  assert.ok(frozen <= PAUSE_SECONDS * 1000, `the picture stood still for ${frozen} ms`);
});

function isBars(picture) {
  const [left, right] = [picture.at(0.05, 0.92), picture.at(0.95, 0.92)];
  return left.every((channel) => channel > 140) && right.every((channel) => channel < 60);
}

/** The first picture that arrived after `sinceMs` and passes. */
function firstPicture(witness, sinceMs, passes) {
  for (const epoch of epochsSince(witness, sinceMs)) {
    const picture = epoch.pictures.find((each) => epoch.arrivedMs(each.time) >= sinceMs && passes(each));
    if (picture) return { atMs: epoch.arrivedMs(picture.time) };
  }
  return undefined;
}

function firstTone(witness, sinceMs) {
  for (const epoch of epochsSince(witness, sinceMs)) {
    const heard = epoch.tone(TONE_HZ).find(({ time, db }) => db > -20 && epoch.arrivedMs(time) >= sinceMs);
    if (heard) return { atMs: epoch.arrivedMs(heard.time) };
  }
  return undefined;
}

/** The longest stretch (seconds) without the tone in what arrived in a span of time. */
function longestPause(witness, fromMs, toMs) {
  let longest = 0;
  for (const epoch of epochsSince(witness, fromMs)) {
    let since = epoch.timeAt(fromMs);
    for (const { time, db } of epoch.tone(TONE_HZ)) {
      if (time < since || epoch.arrivedMs(time) > toMs) continue;
      if (db > -20) since = time;
      longest = Math.max(longest, time - since);
    }
  }
  return longest;
}

/** The longest time (ms) between the arrivals of two pictures that differ. vivid's pictures always do: they show
 *  the time. */
function longestFreeze(witness, fromMs, toMs) {
  const changes = epochsSince(witness, fromMs).flatMap((epoch) =>
    epoch.pictures
      .filter((picture, index) => index === 0 || !picture.same(epoch.pictures[index - 1]))
      .map((picture) => epoch.arrivedMs(picture.time)),
  );
  const during = [fromMs, ...changes.filter((atMs) => atMs > fromMs && atMs < toMs), toMs];
  return Math.max(...during.slice(1).map((atMs, index) => atMs - during[index]));
}

function epochsSince(witness, sinceMs) {
  return epochsOf(witness.chunks).filter((epoch) => epoch.chunks.at(-1).atMs >= sinceMs);
}

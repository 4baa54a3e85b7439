// What arrives at the relay is what the camera sees and the microphone hears, at the same time.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { attempts, observeFor } from '../e2e/lib/waiting.mjs';
import { TESTS } from '../e2e/lib/paths.mjs';
import { assertColour } from '../e2e/lib/measures.mjs';
import { bench, step } from './lib/bench.mjs';
import { epochsOf } from './lib/decode.mjs';
import { BARS, PATTERN, playTone, showPattern, SPEAKER, stopTone, TONE_HZ } from './lib/devices.mjs';

/** How much of the stream is looked at. */
const SECONDS = 4;
const PICTURE_MS = 1_000 / 15;
/** Where vivid's pictures show nothing but the pattern. */
const BELOW_THE_TEXT = 0.92;
const CLAPS = 10;
/** What people do not notice: sound up to 45 ms early or 125 ms late (ITU-R BT.1359). */
const EARLY_MS = 45;
const LATE_MS = 125;

step("the chunks decode to vivid's colour bars and the loopback's tone", async (t, pi) => {
  const witness = await bench.live(t);
  await playTone(pi);
  await showPattern(pi, PATTERN.bars);
  await attempts(t, 3, async () => {
    await observeFor(5_000);
    const epoch = epochsOf(witness.chunks).at(-1);
    const since = epoch.toTime - SECONDS;

    const { pictures } = epoch;
    const colours = BARS.map((_, bar) => pictures.at(-1).at((bar + 0.5) / BARS.length, BELOW_THE_TEXT));
    BARS.forEach(([name, expected], bar) => assertColour(colours[bar], expected, `bar ${bar + 1} (${name})`));
    // vivid writes the time into its pictures, so that two of them are never the same; repeats of ours are.
    const fresh = pictures.filter((picture, index) => picture.time > since && !(index > 0 && picture.same(pictures[index - 1]))).length;
    // How many of them get through is the emulator's affair: 6 to 15 a second, by the machine that it runs on.
    assert.ok(fresh >= 4 * SECONDS, `${fresh} pictures in ${SECONDS} s, of 15 a second`);

    const levels = epoch.tone(TONE_HZ).filter(({ time }) => time > since).map(({ db }) => db).sort((a, b) => a - b);
    const tenth = levels[Math.floor(levels.length / 10)];
    assert.ok(tenth > -20, `a tenth of the time the tone is below ${tenth} dBFS`);
    return { colours, fresh, seconds: SECONDS, toneDb: [levels[0], tenth, levels.at(-1)].map(Math.round) };
  });
});

step('picture and sound are in sync', async (t, pi) => {
  const witness = await bench.live(t);
  await stopTone(pi);
  t.after(() => playTone(pi));
  await pi.copy(join(TESTS, 'pi/clapper.pl'), '/root/clapper.pl');
  await attempts(t, 3, async () => {
    const sinceMs = Date.now();
    await pi.run(
      `perl /root/clapper.pl /dev/video0 ${PATTERN.control} ${PATTERN.white} ${PATTERN.black} ` +
        `/proc/asound/Loopback/pcm1p/sub0 ${SPEAKER} ${CLAPS}`,
    );
    await observeFor(1_500);

    const epoch = epochsOf(witness.chunks).at(-1);
    const from = epoch.timeAt(sinceMs);
    const light = epoch.pictures.map((picture) => ({ time: picture.time, on: picture.at(0.5, BELOW_THE_TEXT)[1] > 128 }));
    const sound = epoch.tone(TONE_HZ).map(({ time, db }) => ({ time, on: db > -30 }));
    const claps = risings(sound, from);
    const offsets = risings(light, from).flatMap((flash) => {
      const clap = claps.find((time) => Math.abs(time - flash) < 0.4);
      return clap === undefined ? [] : [Math.round((clap - flash) * 1000)];
    });
    assert.ok(offsets.length >= CLAPS * 0.7, `${offsets.length} of ${CLAPS} claps were seen and heard`);
    // A camera shows a change with its next picture: between none and one whole picture late, half of one on average.
    const middle = offsets.sort((a, b) => a - b)[Math.floor(offsets.length / 2)] + PICTURE_MS / 2;
    assert.ok(middle > -EARLY_MS && middle < LATE_MS, `the sound is ${middle.toFixed(0)} ms after the picture`);
    return { soundAfterPictureMs: Math.round(middle), offsets };
  });
});

/** The times after `from` at which something goes on that was off. */
function risings(series, from) {
  return series.flatMap(({ time, on }, index) => (time >= from && on && series[index - 1]?.on === false ? [time] : []));
}

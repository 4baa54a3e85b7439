// What arrives at the relay is what the camera sees and the microphone hears, at the same time.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { observeFor } from '../e2e/lib/waiting.mjs';
import { TESTS } from '../e2e/lib/paths.mjs';
import { assertColour } from '../e2e/lib/measures.mjs';
import { bench, step, USER } from './lib/bench.mjs';
import { epochsOf } from './lib/decode.mjs';
import { BARS, PATTERN, playTone, showPattern, SPEAKER, stopTone, TONE_HZ } from './lib/devices.mjs';

step("the chunks decode to vivid's colour bars and the loopback's tone", async (t, pi) => {
  const witness = await bench.live(t);
  await playTone(pi);
  await showPattern(pi, PATTERN.bars);
  await observeFor(5_000);

  const epoch = epochsOf(witness.chunks).at(-1);
  const pictures = epoch.pictures.slice(1);
  const seconds = epoch.toTime - epoch.fromTime;
  const rate = pictures.length / seconds;
  const colours = BARS.map((_, bar) => pictures.at(-1).at((bar + 0.5) / BARS.length, 0.92));
  t.diagnostic(`${pictures.length} pictures in ${seconds.toFixed(1)} s, bars ${JSON.stringify(colours)}`);
  BARS.forEach(([name, expected], bar) => assertColour(colours[bar], expected, `bar ${bar + 1} (${name})`));
  assert.ok(rate > 10, `${rate} of 15 pictures a second`);

  const levels = epoch.tone(TONE_HZ).slice(-200).map(({ db }) => db).sort((a, b) => a - b);
  t.diagnostic(`${TONE_HZ} Hz over the last 2 s: ${levels[0].toFixed(0)} to ${levels.at(-1).toFixed(0)} dBFS`);
  assert.ok(levels[20] > -20, `a tenth of the time the tone is below ${levels[20]} dBFS`);
});

/** What people do not notice: sound up to 45 ms early or 125 ms late (ITU-R BT.1359). */
const EARLY_MS = 45;
const LATE_MS = 125;

step('picture and sound are in sync', async (t, pi) => {
  const witness = await bench.live(t);
  await stopTone(pi);
  await pi.copy(join(TESTS, 'pi/clapper.pl'), '/root/clapper.pl');
  const sinceMs = Date.now();
  await pi.run(
    `perl /root/clapper.pl /dev/video0 ${PATTERN.control} ${PATTERN.white} ${PATTERN.black} ` +
      `/proc/asound/Loopback/pcm1p/sub0 ${SPEAKER} 12`,
  );
  await observeFor(1_500);

  const epoch = epochsOf(witness.chunks).at(-1);
  const from = epoch.timeAt(sinceMs);
  const flashes = risings(epoch.pictures.map((picture) => ({ time: picture.time, on: picture.at(0.5, 0.92)[1] > 128 })), from);
  const claps = risings(epoch.tone(TONE_HZ).map(({ time, db }) => ({ time, on: db > -30 })), from);
  const offsets = flashes.flatMap((flash) => {
    const clap = claps.find((time) => Math.abs(time - flash) < 0.4);
    return clap === undefined ? [] : [(clap - flash) * 1000];
  });
  // The camera shows a change with its next picture: between none and one whole picture late, half of one on average.
  const median = offsets.sort((a, b) => a - b)[Math.floor(offsets.length / 2)] + 1000 / 15 / 2;
  t.diagnostic(`sound after picture, ms: ${offsets.map((each) => each.toFixed(0)).join(' ')}; corrected by half a picture, the median is ${median.toFixed(0)}`);
  assert.ok(offsets.length >= 8, `${offsets.length} of 12 claps were found`);
  assert.ok(median > -EARLY_MS && median < LATE_MS, `the sound is ${median} ms after the picture`);
  await playTone(pi);
});

/** The times after `from` at which something goes on that was off. */
function risings(series, from) {
  return series.flatMap(({ time, on }, index) => (time >= from && on && series[index - 1]?.on === false ? [time] : []));
}

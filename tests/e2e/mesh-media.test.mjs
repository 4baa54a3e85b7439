// Camera and microphone off and on in a WebRTC mesh: what a page and a receiver of another make get of it, and when.

import assert from 'node:assert/strict';
import { quantile } from './lib/measures.mjs';
import { hears, meeting, pageIn, shows } from './lib/mesh-pages.mjs';
import { startWatcher } from './lib/mesh-watcher.mjs';
import { randomNumbers } from './lib/random.mjs';
import { scenario } from './lib/scene.mjs';
import { startMeshServer } from './lib/signalling-servers.mjs';
import { nowMs, observeFor, until } from './lib/waiting.mjs';

scenario('camera off is black, muted is silence, and both come back at once', ['mesh'], async (scene, _, t) => {
  const { server, browser, agent } = await meeting(scene);
  const page = await pageIn(scene, browser, server);
  await page.join();
  const { control } = agent();
  const { width, height } = await page.frames(30);
  assert.deepEqual([width, height], [640, 480]);
  await hears(page, 'a tone');
  const { tracks } = await page.state();

  await control.camera(false);
  await shows(page, 'black');
  await control.mic(true);
  await hears(page, 'silence');
  const said = await server.said();
  assert.deepEqual(said.filter(([event]) => event.startsWith('toggle')).map(([event, { enabled }]) => [event, enabled]), [['toggle_video', false], ['toggle_audio', false]]);

  // What goes on while nothing is seen or heard.
  const before = await page.state();
  await observeFor(3_000);
  const after = await page.state();
  const rate = (kind) => ((after.inbound[kind].bytesReceived - before.inbound[kind].bytesReceived) * 8) / 3;
  t.diagnostic(`black ${Math.round(rate('video'))} bit/s, silence ${Math.round(rate('audio'))} bit/s of payload`);
  assert.ok(rate('video') < 30_000, `${rate('video')} bit/s`);
  assert.ok(rate('audio') < 10_000, `${rate('audio')} bit/s`);
  assert.ok(after.inbound.video.framesDecoded > before.inbound.video.framesDecoded, 'black goes on');
  const concealed = (after.inbound.audio.concealedSamples - before.inbound.audio.concealedSamples) / 48_000;
  assert.ok(concealed < 0.3, `${concealed} s of 3 s of silence are concealed`);
  await shows(page, 'black');

  await control.mic(false);
  await hears(page, 'a tone');
  await control.camera(true);
  await shows(page, 'a picture');
  assert.deepEqual((await page.state()).tracks, tracks, 'nothing was renegotiated');
});

const TOGGLES = 100;
/** How long camera and microphone are off and then on, in ms, at random between these. Every twentieth time they are off for so
 *  long that black has become rare. */
const OFF_MS = [50, 300];
const ON_MS = [200, 350];
const LONG_OFF_MS = 1_300;
/** What counts as a picture, in luma (black is 16), and as sound, in dBFS. */
const VISIBLE_LUMA = 40;
const AUDIBLE_DB = -60;
/** How soon both are back after they were asked for, in the median. */
const BACK_MS = 100;
/** How exactly clocks of this machine are compared, and the media clock with them; and how late a process that is not scheduled
 *  reads what has arrived. */
const CLOCK_MS = 20;
const READ_MS = 50;

scenario('a hundred times off and on: nothing captured after the answer arrives, and all is back at once', ['mesh'], { timeout: 180_000 }, async (scene, _, t) => {
  const server = await startMeshServer();
  scene.owns(server.child);
  const lamps = scene.lamps();
  const watcher = await startWatcher(scene, server);
  const options = { lamps, meeting: { protocol: 'mesh' }, env: { STATE_DIRECTORY: scene.directory } };
  const { control } = scene.agent(server, 'agent', options);
  const plays = ({ frames }, level) => frames.filter((frame) => frame.level > level).length > 50;
  const untoggled = await until('picture and sound', 15_000, async () => {
    const { video, audio } = await watcher.recording();
    return video && audio && plays(video, VISIBLE_LUMA) && plays(audio, AUDIBLE_DB) && { video, audio };
  });

  const random = randomNumbers(20_261_128);
  const between = ([least, most]) => least + random() * (most - least);
  const quiet = { camera: [], mic: [] };
  const turn = async (on) => {
    const answered = (answer) => answer.then(nowMs);
    const askedMs = nowMs();
    const [camera, mic] = await Promise.all([answered(control.camera(on)), answered(control.mic(!on))]);
    return { askedMs, camera, mic };
  };
  for (let toggle = 0; toggle < TOGGLES; toggle += 1) {
    const off = await turn(false);
    await observeFor(toggle % 20 === 10 ? LONG_OFF_MS : between(OFF_MS));
    const on = await turn(true);
    for (const device of ['camera', 'mic']) quiet[device].push({ fromMs: off[device], untilMs: on.askedMs });
    await observeFor(between(ON_MS));
  }
  const recorded = await watcher.recording();

  const tracks = [
    { kind: 'video', device: 'camera', denies: 'camera-off', shows: ({ level }) => level > VISIBLE_LUMA },
    { kind: 'audio', device: 'mic', denies: 'mic-muted', shows: ({ level }) => level > AUDIBLE_DB },
  ];
  for (const { kind, device, denies, shows } of tracks) {
    const { frames, packetsLost, undecoded } = recorded[kind];
    assert.deepEqual({ packetsLost, undecoded }, { packetsLost: 0, undecoded: 0 }, `${kind} was recorded as a whole`);
    // When it was captured at the latest: before it arrived, and as long before as what was fastest on its way. The first of a
    // device after a pause may be dated later, to come after the filler.
    const fastestMs = Math.min(...untoggled[kind].frames.map(({ arrivedMs, mediaMs }) => arrivedMs - mediaMs));
    const capturedMs = ({ arrivedMs, mediaMs }) => Math.min(arrivedMs, mediaMs + fastestMs);
    const shown = frames.filter(shows).map((frame) => ({ ...frame, capturedMs: capturedMs(frame) }));
    assert.ok(shown.length > 4 * TOGGLES && frames.length > shown.length + TOGGLES, `${shown.length} of ${frames.length} show something`);

    const intervals = lamps.intervals(denies);
    assert.ok(intervals.length >= TOGGLES, `${denies} was lit ${intervals.length} times`);
    const denied = ({ capturedMs }) => intervals.some(([from, to]) => capturedMs > from + CLOCK_MS && capturedMs < to - CLOCK_MS);
    assert.deepEqual(shown.filter(denied).slice(0, 3), [], `${kind} that was captured while ${denies} was lit`);

    const back = [];
    let latestMs = 0;
    for (const { fromMs, untilMs } of quiet[device]) {
      const captured = shown.filter(({ capturedMs }) => capturedMs > fromMs + CLOCK_MS && capturedMs < untilMs);
      assert.deepEqual(captured, [], `${kind} that was captured after the answer at ${fromMs}, before ${untilMs}`);
      const late = shown.filter(({ lastMs }) => lastMs > fromMs && lastMs < untilMs);
      latestMs = Math.max(latestMs, ...late.map(({ lastMs }) => lastMs - fromMs));
      back.push((shown.find(({ arrivedMs }) => arrivedMs > untilMs)?.arrivedMs ?? Infinity) - untilMs);
    }
    const [median, worst] = [0.5, 1].map((share) => Math.round(quantile(back, share)));
    t.diagnostic(`${kind}: ${shown.length} of ${frames.length} frames show something of the ${device}; none was captured after an answer, the last arrived ` +
      `${latestMs.toFixed(1)} ms after one; back ${median} ms (median), ${worst} ms (worst) after it was asked for`);
    assert.ok(latestMs < READ_MS, `${kind} arrived ${latestMs} ms after an answer`);
    assert.ok(median <= BACK_MS, `${kind} was back ${median} ms after it was asked for: ${back}`);
  }
});

// The agent as a publisher at media servers: aiortc, which tells what it decodes, and Janus, whose VideoRoom a page watches.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { coloursOf, framesShown } from './lib/browser.mjs';
import { assertColour } from './lib/measures.mjs';
import { missingForJanus, startAiortc, startJanus, VIDEO_ROOM } from './lib/media-servers.mjs';
import { scenario } from './lib/scene.mjs';
import { nowMs, observeFor, until } from './lib/waiting.mjs';
import { Link } from '../network/link.mjs';

const TOKEN = 'verysecret';
const KILLS = Number(process.env.WHIP_KILLS ?? 5);
/** How soon a device that was killed is seen again, from its start on. */
const BACK_MS = 3_000;
const BAR = [[0.5 / 7, 0.3], [5.5 / 7, 0.3]];

/** Starts the agent with what it keeps over a restart. */
function publisher(scene, server, options = {}) {
  const state = join(scene.directory, 'state');
  mkdirSync(state, { recursive: true });
  const meeting = { protocol: 'whip', ...options.meeting };
  return scene.agent(server, 'agent', { ...options, meeting, env: { STATE_DIRECTORY: state, ROOMCAM_TOKEN: TOKEN } });
}

scenario('a server gets picture and sound, black and silence, and is told of the end', ['aiortc'], async (scene, kind, t) => {
  const server = await startAiortc({ TOKEN });
  scene.owns(server.child);
  const agent = publisher(scene, server);
  const sees = (what, wanted) => until(what, 10_000, async () => {
    const state = await server.state();
    return state.colours && wanted(state) ? state : undefined;
  });
  const state = await sees('a picture', ({ pictures, sounds, level }) => pictures > 30 && sounds > 50 && level > 1_000);
  assert.deepEqual(state.size, [640, 480]);
  assertColour(state.colours[0], [255, 255, 255], 'the first bar');
  assertColour(state.colours[1], [255, 0, 0], 'the sixth bar');

  await agent.control.camera(false);
  await agent.control.mic(true);
  await sees('black and silence', ({ colours, level }) => level === 0 && colours.flat().every((value) => value < 24));
  await agent.control.mic(false);
  await agent.control.camera(true);
  await sees('a picture again', ({ colours, level }) => level > 1_000 && colours[0][0] > 200);

  const status = await agent.control.status();
  assert.deepEqual([status.meeting, status.protocol], ['joined', 'whip']);
  const asked = async () => (await server.state()).asked.map(([method]) => method);
  assert.deepEqual(await asked(), ['POST'], 'nothing was renegotiated');
  await agent.stop();
  assert.deepEqual(await asked(), ['POST', 'DELETE']);
  assert.deepEqual((await server.state()).sessions, []);
  t.diagnostic(`${state.pictures} pictures, ${state.sounds} sounds`);
});

/** Janus, a page that watches its room, and the link over which the agent publishes. */
async function videoRoom(scene) {
  const link = new Link();
  scene.owns({ stop: () => link.close(), lines: [], name: 'link' });
  const directory = join(scene.directory, 'janus');
  mkdirSync(directory);
  const server = await startJanus(directory, link.address, TOKEN);
  for (const child of server.children) scene.owns(child);
  const browser = await scene.browser();
  const page = await browser.newPage();
  await page.goto(`${browser.pages}/janus.html`);
  await page.evaluate(([socket, room]) => window.viewer.watch(socket, room), [server.socket, VIDEO_ROOM]);
  return { server, page, link, publish: (options) => publisher(scene, server, { link, ...options }) };
}

const pageNow = (page) => page.evaluate(() => performance.now());
const frames = (page, count, options) => framesShown(page, 'video', count, options);
const missing = missingForJanus();

if (missing) {
  console.log(`SKIPPED: ${missing}; nothing is known of Janus.`);
} else {
  scenario('a viewer of a VideoRoom sees the agent, and sees it again after it was killed', ['janus'], { timeout: 240_000 }, async (scene, kind, t) => {
    const { page, publish } = await videoRoom(scene);
    let agent = publish();
    const report = await frames(page, 30);
    // A busy machine makes it smaller.
    assert.equal(report.width / report.height, 640 / 480);
    const [white, red] = await coloursOf(page, 'video', BAR);
    assertColour(white, [255, 255, 255], 'the first bar');
    assertColour(red, [255, 0, 0], 'the sixth bar');
    const { audio } = await page.evaluate(() => window.viewer.inbound());
    assert.ok(audio.packetsReceived > 20 && audio.totalAudioEnergy > 0, 'it is heard');

    const back = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      agent.signal('SIGKILL');
      await agent.exited;
      await observeFor(500 + kill * 300);
      const [startedMs, sinceMs] = [nowMs(), await pageNow(page)];
      agent = publish();
      // A picture of the new session: that of the old one stands still.
      await frames(page, 1, { sinceMs, deadlineMs: 60_000 });
      back.push(Math.round(nowMs() - startedMs));
      await frames(page, 30, { sinceMs });
    }
    t.diagnostic(`seen again after ${back.join(', ')} ms`);
    assert.ok(Math.max(...back) < BACK_MS, `seen again after ${back} ms`);
  });

  scenario('a link that is cut and narrow costs a while, not the meeting', ['janus'], { timeout: 240_000 }, async (scene, kind, t) => {
    const { page, publish, link } = await videoRoom(scene);
    const agent = publish();
    await frames(page, 30);

    link.limit(400_000);
    await observeFor(8_000);
    const before = await page.evaluate(() => window.viewer.inbound());
    await observeFor(5_000);
    const after = await page.evaluate(() => window.viewer.inbound());
    const fps = (after.video.framesDecoded - before.video.framesDecoded) / 5;
    const { uplink } = await agent.control.status();
    t.diagnostic(`half the rate: ${fps} fps, ${uplink.video_bitrate} bit/s`);
    assert.ok(fps > 5 && uplink.video_bitrate < 400_000, `${fps} fps, ${JSON.stringify(uplink)}`);
    link.limit();

    for (const [ms, what] of [[3_000, 'goes on'], [6_500, 'ICE restarts'], [15_000, 'a new session']]) {
      link.plug(false);
      await observeFor(ms);
      link.plug(true);
      const sinceMs = await pageNow(page);
      const { frames: shown } = await frames(page, 30, { sinceMs, deadlineMs: 30_000 });
      t.diagnostic(`after ${ms} ms without a link (${what}): a picture ${Math.round(shown.find(([at]) => at > sinceMs)[0] - sinceMs)} ms later`);
    }
    for (const line of agent.lines.filter((text) => /WHIP|joined|restart|way to/.test(text))) t.diagnostic(line);
  });

  scenario('a server that is restarted is found again', ['janus'], { timeout: 240_000 }, async (scene, kind, t) => {
    const { server, publish } = await videoRoom(scene);
    const agent = publish();
    const becomes = (meeting, deadlineMs) => until(meeting, deadlineMs, async () => {
      const status = await agent.control.status().catch(() => ({}));
      return status.meeting === meeting && (meeting === 'joined' || status.absence) ? status : undefined;
    });
    await becomes('joined', 10_000);
    const [janus] = server.children;
    janus.signal('SIGKILL');
    const { absence } = await becomes('connecting', 30_000);
    t.diagnostic(absence.message);
    assert.ok(absence.message.startsWith(`WHIP endpoint ${server.origin}: `), absence.message);
    scene.owns(await server.start());
    await becomes('joined', 60_000);
  });
}

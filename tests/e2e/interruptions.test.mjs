// What interrupts the stream on the agent's side, media given up among it: whoever watches has a moving picture again in
// time, whatever client and browser it is.

import { Proxy } from '../network/proxy.mjs';
import { PICTURE_AGAIN_MS, Room } from './lib/room.mjs';
import { scenario } from './lib/scene.mjs';
import { until } from './lib/waiting.mjs';

const STAGES = [
  { generation: 'later', browser: 'chromium' },
  { generation: 'later', browser: 'firefox' },
  { generation: 'first', browser: 'firefox' },
];
const TIMES = 3;
/** A viewer that lost some of a burst stands still until its jump rule ends that, which takes 3 s (docs/receivers.md §4.2). */
const HEALED_MS = 5_000;
/** So much is given up in each stall: half a second of picture and voice. */
const GIVEN_UP_FRAMES = 40;

scenario('after skips, epochs and lost connections the picture moves', STAGES, { atOnce: 2 }, async (scene, stage, t) => {
  let proxy;
  const prepare = async (relay) => (proxy = await Proxy.start('127.0.0.1', relay.port));
  const room = await new Room(scene, stage, t).open({ prepare });
  t.after(() => proxy.close());
  const { agent, viewer } = room;
  const givenUp = () => agent.control.metric('roomcam_skipped_frames_total');

  const stall = async () => {
    const before = await givenUp();
    proxy.hold();
    await until('the agent to give media up', 15_000, async () => (await givenUp()) >= before + GIVEN_UP_FRAMES);
    proxy.release();
    return viewer.now();
  };

  for (let time = 1; time <= TIMES; time += 1) {
    // What the kernel kept comes in a burst, of which a first-generation client may lose some for good (docs/receivers.md
    // §5.2).
    if (stage.generation !== 'first') await room.recovers(`the uplink has stalled, ${time}`, viewer, stall, { watchedMs: HEALED_MS });

    // After a burst the kernel keeps more: each stall has a new connection.
    const lostMs = await viewer.now();
    proxy.cut();
    await room.recovers(`the connection was lost, ${time}`, viewer, () => room.agentJoined(viewer, lostMs));
  }

  await room.step('the picture gets another size', () => agent.recapture({ width: 320, height: 240 }), PICTURE_AGAIN_MS);
  await room.step('and its old size', () => agent.recapture(), PICTURE_AGAIN_MS);
  room.verdict();
});

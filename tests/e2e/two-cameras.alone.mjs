// Browsers that send as well: three encoders and their players, which need the whole machine.

import { existsSync, writeFileSync } from 'node:fs';
import { PICTURE_AGAIN_MS, Room } from './lib/room.mjs';
import { scenario } from './lib/scene.mjs';

/** The oldest and the newest client. */
const STAGES = ['first', 'later'].map((generation) => ({ generation, browser: 'chromium' }));

/** Options of the browser that has the cameras: 10 pictures a second, as in a dim room. */
const FLAGS = ['--use-fake-device-for-media-stream=fps=10'];
/** Its niceness. */
const NICE = '10';

// Three encoders and ten players share two cores that in a meeting are four computers': those with the cameras come after the
// others. What is asserted is that the agent's picture comes and goes on.
scenario('two browsers with cameras in the room disturb nothing', STAGES, { timeout: 120_000 }, async (scene, stage, t) => {
  const room = await new Room(scene, stage, t).open();
  const { generation } = room;
  const cameras = await scene.browser({ flags: FLAGS });
  // Of the whole session that a browser begins, where the kernel shares between sessions.
  const niceness = `/proc/${cameras.pid}/autogroup`;
  if (existsSync(niceness)) writeFileSync(niceness, NICE);
  const place = (user) => ({ relay: room.relay, room: scene.room, user });
  for (const user of ['camera-1', 'camera-2']) {
    const sender = await cameras.client(generation, place(user));
    await room.step(`${user} joins and sends`, () => sender.join({ camera: true }), PICTURE_AGAIN_MS);
  }
  await room.step('a viewer joins', () => room.newcomer.join({ user: 'newcomer', settleMs: room.settleMs }), PICTURE_AGAIN_MS, [room.newcomer]);
  await room.step('and leaves', () => room.newcomer.leave(), PICTURE_AGAIN_MS);
  room.verdict();
});

// Browsers that send as well: three encoders and their players, which need the whole machine.

import { PICTURE_AGAIN_MS, Room } from './lib/room.mjs';
import { scenario } from './lib/scene.mjs';

/** The oldest and the newest client. */
const STAGES = ['first', 'later'].map((generation) => ({ generation, browser: 'chromium' }));

// All of it shares two cores: what is asserted is that the picture comes and goes on.
scenario('two browsers with cameras in the room disturb nothing', STAGES, { timeout: 120_000 }, async (scene, stage, t) => {
  const room = await new Room(scene, stage, t).open();
  const { browser, generation } = room;
  const place = (user) => ({ relay: room.relay, room: scene.room, user });
  for (const user of ['camera-1', 'camera-2']) {
    const sender = await browser.client(generation, place(user));
    await room.step(`${user} joins and sends`, () => sender.join({ camera: true }), PICTURE_AGAIN_MS);
  }
  await room.step('a viewer joins', () => room.newcomer.join({ user: 'newcomer', settleMs: room.settleMs }), PICTURE_AGAIN_MS, [room.newcomer]);
  await room.step('and leaves', () => room.newcomer.leave(), PICTURE_AGAIN_MS);
  room.verdict();
});

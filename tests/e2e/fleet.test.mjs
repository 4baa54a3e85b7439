// Relays behind a load balancer with the configurations that operators are given: a room stays together, whichever way its
// participants come, and whatever relay ends.

import assert from 'node:assert/strict';
import { startRedis } from './lib/redis.mjs';
import { scenario } from './lib/scene.mjs';
import { startRelay } from './lib/relays.mjs';
import { until } from './lib/waiting.mjs';

const TRANSPORTS = ['websocket', 'polling'];
const STAGES = ['haproxy', 'nginx'].flatMap((balancer) => TRANSPORTS.map((transport) => ({ balancer, transport })));
/** Enough that each of two relays has some, but for once in a thousand. */
const ROOMS = 12;
/** Every character that somebody encodes in another way. */
const ODD_ROOM = "회의 1/&?#+!~*'()-_.%";

const health = async ({ origin }) => (await fetch(`${origin}/healthz`).catch(() => undefined))?.json();
const roomsAt = async (relay) => (await health(relay))?.rooms ?? 0;

/** Whether each of them sees exactly the others of its room, says the newest list or what came since. */
function together(participants) {
  return participants.every((participant) => {
    const { events } = participant;
    const state = events.findLastIndex(({ event }) => event === 'room-state');
    const present = new Set(events[state].payload.participants.map(({ userId }) => userId));
    for (const { event, payload } of events.slice(state + 1)) {
      if (event === 'user-joined') present.add(payload.userId);
      if (event === 'user-left') present.delete(payload.userId);
    }
    return participants.every(({ userId }) => present.has(userId));
  });
}

async function fill(scene, balancer, transport) {
  const rooms = [];
  for (let number = 0; number < ROOMS; number += 1) {
    const room = `${scene.room}/${number} &`;
    const options = { room, transport, query: { room } };
    rooms.push(await Promise.all(['a', 'b'].map((user) => scene.participant(balancer, `${user}-${number}`, options))));
  }
  return rooms;
}

const allTogether = (rooms) => until('all rooms together', 30_000, () => rooms.every(together));

scenario('rooms stay together, also when a relay is restarted', STAGES, async (scene, { balancer: kind, transport }) => {
  const relays = [await scene.relay('embedded'), await scene.relay('embedded')];
  const balancer = await scene.balancer(kind, relays);
  const rooms = await fill(scene, balancer, transport);
  await allTogether(rooms);
  const spread = await Promise.all(relays.map(roomsAt));
  assert.equal(spread[0] + spread[1], ROOMS, `no room is on both: ${spread}`);
  assert.ok(Math.min(...spread) > 0, `both have some: ${spread}`);

  await relays[0].stop();
  const again = await startRelay('embedded', { port: relays[0].port });
  scene.owns(again.child);
  await until('everybody', 30_000, async () => {
    const all = await Promise.all([again, relays[1]].map(health));
    return all[0].sessions + all[1].sessions === 2 * ROOMS && all[0].rooms + all[1].rooms === ROOMS;
  });
  await allTogether(rooms);
});

scenario('rooms leave a relay that drains, and stay where they are when it is back', ['haproxy'], async (scene, kind) => {
  const flags = ['--drain-seconds', '5'];
  const relays = [await scene.relay('embedded', { flags }), await scene.relay('embedded', { flags })];
  const balancer = await scene.balancer(kind, relays);
  const rooms = await fill(scene, balancer, 'websocket');
  const spread = await Promise.all(relays.map(roomsAt));
  assert.ok(Math.min(...spread) > 0, `both have some: ${spread}`);

  relays[0].child.signal('SIGTERM');
  await relays[0].child.exited;
  assert.equal(relays[0].child.exit.code, 0);
  await until('all rooms at the other relay', 10_000, async () => (await roomsAt(relays[1])) === ROOMS);
  await allTogether(rooms);
  const again = await startRelay('embedded', { port: relays[0].port });
  scene.owns(again.child);
  // When the balancer sends what it does not know to both, it has seen that the relay is back.
  await until('the balancer to see it', 10_000, async () => {
    const answers = await Promise.all([1, 2, 3, 4].map(() => fetch(`${balancer.origin}/healthz`).then((answer) => answer.json())));
    return answers.some(({ rooms: count }) => count === 0);
  });

  for (const [number, room] of rooms.entries()) {
    const name = `${scene.room}/${number} &`;
    room.push(await scene.participant(balancer, `late-${number}`, { room: name, query: { room: name } }));
  }
  await allTogether(rooms);
  assert.equal(await roomsAt(again), 0);
});

// Without the room in their addresses, the balancer sends participants to the relays in turn.
scenario('with Redis a room is one on three relays', ['haproxy'], async (scene, kind) => {
  const redis = await startRedis(scene.directory);
  scene.owns(redis);
  const relays = [];
  for (let count = 0; count < 3; count += 1) relays.push(await scene.relay('embedded', { flags: ['--redis', redis.url] }));
  await until('relays that have each other', 20_000, async () => (await Promise.all(relays.map(health))).every((each) => each.redis.relays === 2));
  const balancer = await scene.balancer(kind, relays);
  const participants = [];
  for (const user of ['a', 'b', 'c']) participants.push(await scene.participant(balancer, user));
  const busy = (await Promise.all(relays.map(health))).filter(({ sessions }) => sessions > 0);
  assert.ok(busy.length > 1, 'the room is at several relays');
  scene.agent({ origin: relays[0].origin }, 'agent', { room: scene.room });
  for (const participant of participants) await participant.chunkOf('agent', { deadlineMs: 30_000 });

  const seen = (where) => (participant) => participant.next('camera-state-changed', { where });
  for (const [index, participant] of participants.entries()) {
    participant.socket.emit('camera-state-changed', { hasVideo: true });
    const others = participants.filter((other) => other !== participant);
    await Promise.all(others.map(seen(({ userId, hasVideo }) => userId === 'abc'[index] && hasVideo)));
  }
  // The first who came is the host.
  participants[0].socket.emit('set-presenter', { userId: 'agent' });
  for (const participant of participants) {
    await participant.next('broadcast-presenter-changed', { where: ({ presenterUserId }) => presenterUserId === 'agent' });
  }

  const late = [];
  for (const [index, user] of ['d', 'e', 'f'].entries()) late.push(await scene.participant(relays[index], user));
  for (const participant of late) await participant.chunkOf('agent');
  await until('all together', 10_000, () => together([...participants, ...late]));
  const state = late[2].events.find(({ event }) => event === 'room-state').payload;
  assert.deepEqual(state.participants.map(({ userId, hasVideo, canBroadcast }) => [userId, hasVideo, canBroadcast]), [
    ['a', false, false],
    ['b', false, false],
    ['c', false, false],
    ['agent', true, true],
    ['d', false, false],
    ['e', false, false],
    ['f', false, false],
  ]);
  assert.equal(state.hostId, 'a');
});

scenario('agent and page name a room alike', ['haproxy', 'nginx'], async (scene, kind) => {
  const relays = [];
  for (let count = 0; count < 4; count += 1) relays.push(await scene.relay('embedded'));
  const balancer = await scene.balancer(kind, relays);
  scene.agent(balancer, 'agent', { room: ODD_ROOM });
  const browser = await scene.browser();
  const page = await browser.viewerPage({ relay: balancer, room: ODD_ROOM, user: 'viewer' });
  await page.join();
  await page.frames('agent', 10, { deadlineMs: 30_000 });
  const participant = await scene.participant(balancer, 'participant', { room: ODD_ROOM, query: { room: ODD_ROOM }, transport: 'polling' });
  await participant.chunkOf('agent');
});

scenario('a deployed relay is not disturbed by the name of the room', ['nestjs-new', 'nestjs-middle', 'nestjs-old'], async (scene, kind) => {
  const relay = await scene.relay(kind);
  const participant = await scene.participant(relay, 'participant', { room: ODD_ROOM, query: { room: ODD_ROOM } });
  scene.agent(relay, 'agent', { room: ODD_ROOM });
  await participant.chunkOf('agent', { deadlineMs: 30_000 });
});

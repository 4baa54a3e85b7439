// What happens in a room, one thing after another: whoever watches the agent has a moving picture again in time,
// whatever client and browser it is. All steps count; what a viewer went through in a failed one is kept.

import assert from 'node:assert/strict';
import { GENERATIONS } from './lib/browser.mjs';
import { isMoving, keepLog, longestGapMs } from './lib/pictures.mjs';
import { joinRoom } from './lib/participant.mjs';
import { startRelay } from './lib/relays.mjs';
import { scenario } from './lib/scene.mjs';
import { observeFor, until } from './lib/waiting.mjs';

/** From an event that takes the picture away to a picture that moves. */
const PICTURE_AGAIN_MS = 1_500;
/** The longest gap around an event that need not be seen; in the first generation every event takes the picture. */
const GAP_MS = { first: PICTURE_AGAIN_MS, middle: PICTURE_AGAIN_MS, later: 250, 'later-5s': 250 };
/** From the command to the avatar. */
const AVATAR_MS = 500;
/** A picture that moves has had a frame this recently. */
const MOVING_MS = 500;
/** How long viewers are watched after an event. */
const WATCHED_MS = 2_500;

const STAGES = [
  ...['first', 'middle', 'later'].map((generation) => ({ generation, browser: 'chromium' })),
  { generation: 'later', browser: 'firefox' },
  { generation: 'first', browser: 'firefox' },
];
const CAMERA_STAGES = STAGES.filter(({ browser, generation }) => browser === 'chromium' && generation !== 'middle');

scenario('after each event in the room the picture moves', STAGES, { timeout: 240_000 }, async (scene, stage, t) => {
  const room = await new Room(scene, stage, t).open();
  const { agent, viewer, newcomer, generation } = room;
  const passive = GAP_MS[generation];

  await room.step('the agent mutes', () => agent.control.mic(true), passive);
  await room.step('the agent unmutes', () => agent.control.mic(false), passive);
  let other;
  await room.step('another participant joins', async () => (other = await joinRoom(room.relay.origin, scene.room, 'other')), passive);
  const say = (event, what) => other.socket.emit(event, { roomId: scene.room, userId: 'other', ...what });
  await room.step('the other unmutes', () => say('mic-state-changed', { isMuted: false }), passive);
  await room.step('the other mutes', () => say('mic-state-changed', { isMuted: true }), passive);
  await room.step('the other turns a camera on', () => say('camera-state-changed', { hasVideo: true }), passive);
  await room.step('somebody sends a reaction', () => viewer.react(), passive);
  await room.step('the other leaves', () => other.close(), passive);

  await room.cameraOff('the camera goes off');
  await room.newcomerSeesAvatar('a viewer joins while it is off');
  await room.step('the camera goes on', () => agent.control.camera(true), PICTURE_AGAIN_MS, [viewer, newcomer]);
  await newcomer.leave();
  if (generation !== 'first') {
    await room.step('a viewer switches the layout', () => viewer.switchLayout(), PICTURE_AGAIN_MS);
    await room.step('and back', () => viewer.switchLayout(), PICTURE_AGAIN_MS);
  }
  if (GENERATIONS[generation] === 'nestjs-new') {
    await room.relay.post('presenter', { roomId: scene.room, userId: 'resident' });
    await until('the agent to fall silent', 5_000, async () => {
      const before = await chunksSent(room.relay);
      await observeFor(400);
      return (await chunksSent(room.relay)) === before;
    });
    await room.step('the agent gets the presenter’s seat', () => room.relay.post('presenter', { roomId: scene.room, userId: 'agent' }), PICTURE_AGAIN_MS);
  }
  room.verdict();
});

scenario('a relay and an agent that come back bring the picture back', STAGES, { timeout: 120_000 }, async (scene, stage, t) => {
  const room = await new Room(scene, stage, t).open();
  const { viewer } = room;

  const { port, kind } = room.relay;
  await room.relay.kill();
  const again = await startRelay(kind, { port });
  scene.owns(again.child);
  await room.recovers('the relay was restarted', viewer, async () => {
    const lines = await viewer.page.evaluate(() => client.log.lines);
    const seen = (what) => lines.findLast(([, event, details]) => event === what && (event !== 'user-joined' || details.userId === 'agent'))?.[0];
    const disconnected = seen('disconnect');
    const [joined, met] = [seen('room-state'), seen('user-joined')];
    // Whoever of the two joined last has been told of the other.
    return joined > disconnected && viewer.shows('agent').then((shows) => shows && Math.max(joined, met ?? 0));
  });

  await room.agent.stop();
  await until('the agent to be gone', 3_000, async () => (await viewer.shows('agent')) === undefined);
  scene.agent(again, 'agent');
  await room.recovers('the agent was restarted', viewer, async () => {
    const lines = await viewer.page.evaluate(() => client.log.lines);
    return lines.findLast(([, event, details]) => event === 'user-joined' && details.userId === 'agent')?.[0];
  });
  room.verdict();
});

// All of it shares two cores with three encoders and their players: what is asserted is that the picture comes and goes on.
scenario('two browsers with cameras in the room disturb nothing', CAMERA_STAGES, { timeout: 120_000 }, async (scene, stage, t) => {
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

scenario('an agent with an e-mail address as user id publishes', ['nestjs-new'], async (scene, kind, t) => {
  const email = 'camera@meeting.example';
  // The agent creates the room: only it may broadcast, under the id that belongs to the address.
  const relay = await scene.relay(kind, { env: { BROADCAST_MODE: 'single' } });
  const agent = scene.agent(relay, 'agent', { meeting: { user_id: email } });
  await until('the agent to join', 10_000, async () => (await relay.get('stats')).happenings.some(({ what }) => what === 'join'));
  const witness = await scene.participant(relay, 'witness');
  const { payload: list } = await witness.next('participant-list-changed');
  const { userId } = list.participants.find(({ username }) => username === 'agent');
  assert.notEqual(userId, email, 'the relay lists it under another id');
  // Deployed relays forward chunks under the token, which is the address.
  await witness.chunkOf(email);

  await agent.control.camera(false);
  const off = await witness.next('camera-state-changed', { where: ({ hasVideo }) => !hasVideo });
  assert.equal(off.payload.userId, userId, 'it speaks of itself by the id that is listed');
  t.diagnostic(`${email} is listed as ${userId}`);
});

async function chunksSent(relay) {
  const { chunks, dropped } = await relay.sender('agent');
  return chunks + dropped;
}

/** A room with an agent, and viewers whose pictures are timed around each step. */
class Room {
  #steps = [];
  #times = [];

  constructor(scene, { generation, browser }, t) {
    Object.assign(this, { scene, generation, kind: browser, t });
    this.settleMs = ['first', 'middle'].includes(generation) ? 200 : undefined;
  }

  async open() {
    const { scene, generation } = this;
    this.relay = await scene.relay(GENERATIONS[generation]);
    this.browser = await scene.browser({ kind: this.kind });
    const place = { relay: this.relay, room: scene.room };
    this.viewer = await this.browser.client(generation, { ...place, user: 'resident' });
    this.newcomer = await this.browser.client(generation, { ...place, user: 'newcomer' });
    await this.viewer.join({ settleMs: this.settleMs });
    await observeFor(500);
    const fromMs = await this.viewer.now();
    this.agent = scene.agent(this.relay, 'agent');
    const moves = await isMoving(this.viewer, 'agent', fromMs, 6_000);
    await this.#note('the agent joins', this.viewer, moves, moves ? '' : 'no picture');
    return this;
  }

  /** Does something, and times the pictures around it: none may stand still for more than `boundMs`. */
  async step(name, act, boundMs, viewers = [this.viewer]) {
    const from = await Promise.all(viewers.map((viewer) => viewer.now()));
    await act();
    await observeFor(WATCHED_MS);
    for (const [index, viewer] of viewers.entries()) {
      const report = await viewer.report('agent');
      await this.#time(name, viewer, report, from[index], boundMs);
    }
  }

  async cameraOff(name) {
    const { viewer } = this;
    const fromMs = performance.now();
    await this.agent.control.camera(false);
    const shown = await until('the avatar', 2_000, async () => (await viewer.shows('agent')) === 'avatar').catch(() => false);
    const tookMs = performance.now() - fromMs;
    await this.#note(name, viewer, shown && tookMs <= AVATAR_MS, shown ? `avatar after ${tookMs.toFixed(0)} ms` : 'no avatar');
    await observeFor(1_000);
  }

  async newcomerSeesAvatar(name) {
    const { newcomer } = this;
    await newcomer.join({ settleMs: this.settleMs });
    const fromMs = performance.now();
    const shown = await until('the avatar', PICTURE_AGAIN_MS, async () => (await newcomer.shows('agent')) === 'avatar').catch(() => false);
    await this.#note(name, newcomer, shown, shown ? `avatar after ${(performance.now() - fromMs).toFixed(0)} ms` : 'no avatar');
    await observeFor(WATCHED_MS);
  }

  /** Waits for a moment, ms on the viewer's page, that `happened` tells, and for pictures from then on. */
  async recovers(name, viewer, happened) {
    const fromMs = await until(name, 20_000, happened, 50);
    await observeFor(WATCHED_MS);
    await this.#time(name, viewer, await viewer.report('agent'), fromMs, PICTURE_AGAIN_MS);
  }

  async #note(step, viewer, good, what) {
    this.#steps.push({ step, good });
    this.t.diagnostic(`${good ? 'good' : 'BAD '} ${this.generation} in ${this.kind}, ${viewer.user}: ${step}: ${what}`);
    if (good) return;
    const log = await keepLog(viewer, `events-${this.generation}-${this.kind}-${this.#steps.length}`);
    this.t.diagnostic(`  ${log[0]}`);
  }

  /** A picture that does not come back breaks a law; how long it was away is a time, which a busy machine stretches. */
  async #time(name, viewer, report, fromMs, boundMs) {
    const now = await viewer.now();
    const gapMs = longestGapMs(report, fromMs, now);
    const last = report?.frames.at(-1);
    const moves = last !== undefined && report.now - last[0] <= MOVING_MS;
    this.#times.push({ name, gapMs, late: gapMs > boundMs });
    await this.#note(name, viewer, moves, `${gapMs.toFixed(0)} ms without a new picture${gapMs > boundMs ? `, above ${boundMs}` : ''}`);
  }

  /** Laws hold at each step; of the times the median decides, and the worst is told. */
  verdict() {
    const bad = this.#steps.filter(({ good }) => !good).map(({ step }) => step);
    const late = this.#times.filter((time) => time.late);
    const worst = this.#times.toSorted((a, b) => b.gapMs - a.gapMs)[0];
    this.t.diagnostic(
      `SUMMARY ${this.generation} in ${this.kind}: ${this.#steps.length - bad.length}/${this.#steps.length} good, ` +
        `${late.length}/${this.#times.length} above the bound; worst ${worst?.gapMs.toFixed(0)} ms (${worst?.name})`,
    );
    assert.deepEqual(bad, [], 'steps after which there was no picture');
    assert.ok(2 * late.length <= this.#times.length, `too long without a picture: ${JSON.stringify(late)}`);
  }
}

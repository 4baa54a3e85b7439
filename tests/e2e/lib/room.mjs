// A room with an agent, and what viewers see of it around each thing that happens there. All steps count; what a viewer
// went through in a failed one is kept.

import assert from 'node:assert/strict';
import { GENERATIONS } from './browser.mjs';
import { isMoving, keepLog, longestGapMs } from './pictures.mjs';
import { observeFor, until } from './waiting.mjs';

/** From an event that takes the picture away to a picture that moves. */
export const PICTURE_AGAIN_MS = 1_500;
/** From the command to the avatar. */
const AVATAR_MS = 500;
/** A picture that moves has had a frame this recently. */
const MOVING_MS = 500;
/** How long viewers are watched after an event: longer than they may be without a picture. */
const WATCHED_MS = 2_500;

/** A room with an agent, and viewers whose pictures are timed around each step. */
export class Room {
  #steps = [];
  #times = [];

  constructor(scene, { generation, browser }, t) {
    Object.assign(this, { scene, generation, kind: browser, t });
    this.settleMs = ['first', 'middle'].includes(generation) ? 200 : undefined;
  }

  /** `prepare`: is called with the relay before the agent comes, and may return what that connects to instead. `env`:
   *  options of the relay. */
  open({ prepare = () => undefined, env } = {}) {
    return this.scene.turns.start(() => this.#open(prepare, env));
  }

  async #open(prepare, env) {
    const { scene, generation } = this;
    this.relay = await scene.relay(GENERATIONS[generation], { env });
    this.browser = await scene.browser({ kind: this.kind });
    const place = { relay: this.relay, room: scene.room };
    this.viewer = await this.browser.client(generation, { ...place, user: 'resident' });
    this.newcomer = await this.browser.client(generation, { ...place, user: 'newcomer' });
    await this.viewer.join({ settleMs: this.settleMs });
    await until('the viewer to be in the room', 5_000, async () => (await this.viewer.state()).roomStateAt);
    await observeFor(500);
    const origin = (await prepare(this.relay)) ?? this.relay;
    const fromMs = await this.viewer.now();
    this.agent = scene.agent(origin, 'agent');
    const moves = await isMoving(this.viewer, 'agent', fromMs, 6_000);
    await this.#note('the agent joins', this.viewer, moves, moves ? '' : 'no picture');
    return this;
  }

  /** Does something, and times the pictures around it: none may stand still for more than `boundMs`. */
  step(name, act, boundMs, viewers = [this.viewer]) {
    return this.scene.turns.measure(async () => {
      const from = await Promise.all(viewers.map((viewer) => viewer.now()));
      await act();
      await observeFor(WATCHED_MS);
      for (const [index, viewer] of viewers.entries()) {
        const report = await viewer.report('agent');
        await this.#time(name, viewer, report, from[index], boundMs);
      }
    });
  }

  cameraOff(name) {
    return this.scene.turns.measure(() => this.#cameraOff(name));
  }

  async #cameraOff(name) {
    const { viewer } = this;
    const fromMs = performance.now();
    await this.agent.control.camera(false);
    const shown = await until('the avatar', 2_000, async () => (await viewer.shows('agent')) === 'avatar').catch(() => false);
    const tookMs = performance.now() - fromMs;
    await this.#note(name, viewer, shown && tookMs <= AVATAR_MS, shown ? `avatar after ${tookMs.toFixed(0)} ms` : 'no avatar');
    await observeFor(1_000);
  }

  newcomerSeesAvatar(name) {
    return this.scene.turns.measure(() => this.#newcomerSeesAvatar(name));
  }

  async #newcomerSeesAvatar(name) {
    const { newcomer } = this;
    await newcomer.join({ settleMs: this.settleMs });
    const fromMs = performance.now();
    const shown = await until('the avatar', PICTURE_AGAIN_MS, async () => (await newcomer.shows('agent')) === 'avatar').catch(() => false);
    await this.#note(name, newcomer, shown, shown ? `avatar after ${(performance.now() - fromMs).toFixed(0)} ms` : 'no avatar');
    await observeFor(WATCHED_MS);
  }

  /** Waits for a moment, ms on the viewer's page, that `happened` tells, and for pictures from then on. Returns it. */
  recovers(name, viewer, happened, { watchedMs = WATCHED_MS } = {}) {
    return this.scene.turns.measure(async () => {
      const fromMs = await until(name, 20_000, happened, 50);
      await observeFor(watchedMs);
      await this.#time(name, viewer, await viewer.report('agent'), fromMs, PICTURE_AGAIN_MS);
      return fromMs;
    });
  }

  /** When a viewer first heard after `sinceMs` that the agent had joined, both in ms on its page; undefined before. */
  async agentJoined(viewer, sinceMs) {
    const lines = await viewer.page.evaluate(() => client.log.lines);
    return lines.find(([atMs, event, details]) => atMs > sinceMs && event === 'user-joined' && details.userId === 'agent')?.[0];
  }

  /** Starts the agent again, which has ended, and waits for the picture. Returns when the viewer heard of it. */
  async agentReturns(relay, viewer) {
    const { scene } = this;
    await until('the agent to be gone', 3_000, async () => (await viewer.shows('agent')) === undefined);
    const goneMs = await viewer.now();
    this.agent = scene.agent(relay, 'agent');
    return this.recovers('the agent was restarted', viewer, () => this.agentJoined(viewer, goneMs));
  }

  async #note(step, viewer, good, what, late = false) {
    this.#steps.push({ step, good });
    this.t.diagnostic(`${good ? 'good' : 'BAD '} ${this.generation} in ${this.kind}, ${viewer.user}: ${step}: ${what}`);
    if (good && !late) return;
    const log = await keepLog(viewer, `events-${this.generation}-${this.kind}-${this.#steps.length}`);
    this.t.diagnostic(`  ${log[0]}`);
  }

  /** A picture that does not come back breaks a law; how long it was away is a time, which a busy machine stretches. */
  async #time(name, viewer, report, fromMs, boundMs) {
    const now = await viewer.now();
    const gapMs = longestGapMs(report, fromMs, now);
    const last = report?.frames.at(-1);
    const moves = last !== undefined && report.now - last[0] <= MOVING_MS;
    const late = gapMs > boundMs;
    this.#times.push({ name, gapMs, late });
    await this.#note(name, viewer, moves, `${gapMs.toFixed(0)} ms without a new picture${late ? `, above ${boundMs}` : ''}`, late);
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

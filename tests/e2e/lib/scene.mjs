// The stage of a test: a room with a relay, agents and viewers, all ended when the test ends.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, describe, test } from 'node:test';
import { join } from 'node:path';
import { startAgent } from './agents.mjs';
import { startBalancer } from './balancers.mjs';
import { borrowBrowser, closeLent, startBrowser } from './browser.mjs';
import { RecordingLamps } from './lamps.mjs';
import { joinRoom } from './participant.mjs';
import { startRelay } from './relays.mjs';
import { Turns } from './turns.mjs';

let scenes = 0;
const turns = new Turns();

/** A fresh room for one test. Whatever it starts ends with the test, last started first; when the test fails,
 *  the ends of the processes' logs are printed. */
export class Scene {
  #endings = [];
  #browsers = [];
  #children = [];

  /** `browserOf`: where its browsers come from, [`startBrowser`] or [`borrowBrowser`]. */
  constructor(t, browserOf = startBrowser) {
    this.t = t;
    this.browserOf = browserOf;
    /** Shared with the scenarios that are played at the same time. */
    this.turns = turns;
    scenes += 1;
    this.room = `room-${process.pid}-${scenes}`;
    this.directory = mkdtempSync(join(tmpdir(), 'roomcam-e2e-'));
    this.#endings.push(() => rmSync(this.directory, { recursive: true, force: true }));
    t.after(() => this.#end());
  }

  async relay(kind, options) {
    const relay = await startRelay(kind, options);
    this.owns(relay.child);
    return relay;
  }

  /** Starts a load balancer ('haproxy' or 'nginx') in front of relays. */
  async balancer(kind, relays) {
    const balancer = await startBalancer(kind, this.directory, relays);
    this.owns(balancer.child);
    return balancer;
  }

  /** Starts an agent, in this scene's room unless another is named. */
  agent(relay, userId, { room = this.room, capture, meeting, iceServers, username, env, lamps, link } = {}) {
    const { directory } = this;
    return this.owns(startAgent({ directory, origin: relay.origin, room, userId, username, capture, meeting, iceServers, env, lamps, link }));
  }

  /** Lamps that record what they are made to show. */
  lamps() {
    const lamps = new RecordingLamps(this.directory);
    this.#endings.push(() => lamps.close());
    return lamps;
  }

  /** A browser, which other scenarios of the file have too; one of its own where it must be `fresh`. */
  async browser({ fresh = false, ...options } = {}) {
    const browser = await (fresh ? startBrowser : this.browserOf)(options);
    this.#browsers.push(browser);
    this.#endings.push(() => browser.stop());
    return browser;
  }

  async participant(relay, userId, { room = this.room, ...options } = {}) {
    const participant = await joinRoom(relay.origin, room, userId, options);
    this.#endings.push(() => participant.close());
    return participant;
  }

  /** Does this when the test ends, before what came before it is ended. */
  ends(ending) {
    this.#endings.push(ending);
  }

  /** Takes over a child process: it is stopped with the test. */
  owns(child) {
    this.#children.push(child);
    this.#endings.push(() => child.stop());
    return child;
  }

  /** Runs `body`; if it fails, prints what the viewers saw and the ends of the processes' logs before the
   *  failure. */
  async play(body) {
    try {
      return await body();
    } catch (error) {
      for (const browser of this.#browsers) {
        for (const line of await browser.describe()) this.t.diagnostic(line);
      }
      for (const child of this.#children) {
        const end = child.exit ? `ended: ${JSON.stringify(child.exit)}` : 'runs';
        this.t.diagnostic(`--- ${child.name} (pid ${child.pid}, ${end})`);
        for (const line of child.lines.slice(-25)) this.t.diagnostic(`    ${line}`);
      }
      throw error;
    }
  }

  async #end() {
    for (const ending of this.#endings.reverse()) await ending();
  }
}

let lends = false;

/** Registers one test per kind of relay (or other variant of the stage), each with its own [`Scene`]. `atOnce`: how many of them
 *  are played at a time; those that measure times take turns then. */
export function scenario(name, kinds, ...rest) {
  const [body, { timeout = 120_000, atOnce = 1 } = {}] = rest.reverse();
  if (!lends) after(closeLent);
  lends = true;
  describe(name, { concurrency: atOnce }, () => {
    for (const kind of kinds) {
      test(`${name} (${typeof kind === 'string' ? kind : Object.values(kind).join(', ')})`, { timeout }, async (t) => {
        const scene = new Scene(t, borrowBrowser);
        await scene.play(() => body(scene, kind, t));
      });
    }
  });
}

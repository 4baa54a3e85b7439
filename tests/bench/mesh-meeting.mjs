// A meeting over WebRTC to measure in: a signalling server, a sender (the agent, Chromium or GStreamer's webrtcbin), and pages
// that only watch.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAgent } from '../e2e/lib/agents.mjs';
import { framesShown, reportOf, startBrowser } from '../e2e/lib/browser.mjs';
import { firstFrameAfter } from '../e2e/lib/measures.mjs';
import { ROOMCAM_RELEASE, TESTS } from '../e2e/lib/paths.mjs';
import { Child } from '../e2e/lib/processes.mjs';
import { startMeshServer } from '../e2e/lib/signalling-servers.mjs';
import { until } from '../e2e/lib/waiting.mjs';
import { FORMAT, testPattern, writeBenchProfile } from './profile.mjs';

const ROOM = 'bench';
export const SENDER = 'sender';
/** Connections within this machine, which Chromium does not look for unless it is told to. */
const FLAGS = ['--allow-loopback-in-peer-connection'];
const PYTHON = join(TESTS, 'signalling/.venv/bin/python');
const WEBRTCBIN = join(TESTS, 'bench/webrtcbin.py');

/** What is missing for webrtcbin on this machine, if anything. */
export function missingForWebrtcbin() {
  const { status, stderr } = spawnSync(PYTHON, [WEBRTCBIN], { encoding: 'utf8' });
  return status === 0 ? undefined : stderr.trim().split('\n').at(-1);
}

export class MeshMeeting {
  #endings = [];
  /** To whom the viewers offer. */
  #offers = 'newcomer';

  static async open() {
    const meeting = new MeshMeeting();
    meeting.server = await startMeshServer();
    meeting.#endings.push(() => meeting.server.stop());
    return meeting;
  }

  /** Starts the agent, and waits until it is in the room. */
  async agent() {
    const directory = mkdtempSync(join(tmpdir(), 'roomcam-bench-'));
    this.#endings.push(() => rmSync(directory, { recursive: true, force: true }));
    writeBenchProfile(directory);
    const agent = startAgent({
      directory,
      origin: this.server.origin,
      room: ROOM,
      userId: SENDER,
      meeting: { protocol: 'mesh' },
      capture: { profile: 'bench', ...FORMAT },
      env: { ROOMCAM_PIPELINES: directory },
      program: ROOMCAM_RELEASE,
    });
    this.#endings.push(() => agent.stop());
    await this.#present(1);
    return agent;
  }

  /** Starts a Chromium that sends as a page of a mesh does, with `flags` that give it devices. */
  async chromium(flags) {
    const browser = await this.#browser(flags);
    const page = await browser.newPage();
    await page.goto(`${browser.pages}/mesh.html?offers=newcomer&sends=${FORMAT.width}x${FORMAT.height}`);
    await page.evaluate(([origin, room, name]) => window.participant.join(origin, room, name), [this.server.origin, ROOM, SENDER]);
    return browser;
  }

  /** Starts a webrtcbin for each viewer, behind one encoder with the agent's source and settings. */
  async webrtcbin() {
    const { video, audio } = testPattern();
    const lines = [video, audio].map(({ source, encoder }) => `${source} ! ${encoder}`);
    const sender = new Child('webrtcbin', PYTHON, [WEBRTCBIN, this.server.origin, ROOM, SENDER, ...lines]);
    this.#endings.push(() => sender.stop());
    await sender.line(/^joined$/);
    // It offers to whoever comes.
    this.#offers = 'existing';
    return sender;
  }

  /** A page that only watches the sender, to be joined; all of them are in one browser. `link`: through which it does. */
  async viewer(name, link) {
    this.watching ??= await this.#browser([]);
    const page = await this.watching.newPage();
    await link?.leads(this.watching, page);
    await page.goto(`${this.watching.pages}/mesh.html?offers=${this.#offers}&sends=no&only=${SENDER}`);
    return new MeshViewer(page, name, this.server.origin);
  }

  async #browser(flags) {
    const browser = await startBrowser({ flags: [...FLAGS, ...flags] });
    this.#endings.push(() => browser.stop());
    return browser;
  }

  #present(many) {
    return until(`${many} in the room`, 10_000, async () => Object.keys(await this.server.users(ROOM)).length === many);
  }

  async close() {
    for (const ending of this.#endings.reverse()) await ending();
  }
}

class MeshViewer {
  constructor(page, name, origin) {
    Object.assign(this, { page, name, origin });
  }

  /** Joins, whether or not a picture comes. */
  async enter() {
    await this.page.evaluate(([origin, room, name]) => window.participant.join(origin, room, name), [this.origin, ROOM, this.name]);
  }

  /** Joins; resolves to the ms that passed until the first picture. */
  async join() {
    const fromMs = await this.now();
    await this.enter();
    const { frames } = await framesShown(this.page, 'video', 1, { sinceMs: fromMs, deadlineMs: 20_000 });
    return firstFrameAfter(frames, fromMs);
  }

  now() {
    return this.page.evaluate(() => performance.now());
  }

  report() {
    return reportOf(this.page, 'video');
  }

  /** What came until now, as the browser counts it: {video, audio}, without what nothing came of. */
  async inbound() {
    return (await this.page.evaluate(() => window.participant.state())).inbound;
  }
}

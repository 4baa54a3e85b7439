// A headless browser and the viewers in it, with a server for the pages of the tests.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from './engines.mjs';
import { PAGES, servePages } from './pages.mjs';
import { Client, ViewerPage } from './viewers.mjs';

export { coloursOf, framesShown, reportOf, soundHeard, soundOf } from './viewers.mjs';

/** Generations of deployed clients (docs/receivers.md), and the relay that goes with each. */
export const GENERATIONS = { first: 'nestjs-old', middle: 'nestjs-middle', later: 'nestjs-new', 'later-5s': 'nestjs-new' };

/** Launches a browser (`kind`: 'chromium' or 'firefox') and a server for the test pages. `files` adds paths to files
 *  that it serves, `flags` options of Chromium, `program` another program than the installed one. */
export async function startBrowser(options = {}) {
  const [engine, pages] = await Promise.all([start(options), servePages(options.files)]);
  return new Browser(engine, pages, () => engine.close());
}

/** As [`startBrowser`], in a browser that this process has launched before with the same options, if there is one: that takes
 *  half a second of both processor cores. Nothing but its pages ends with `stop()`; it ends with `closeLent()`. */
export async function borrowBrowser(options = {}) {
  const [engine, pages] = await Promise.all([lend(options), servePages(options.files)]);
  return new Browser(engine, pages, (browser) => browser.closePages());
}

const lent = new Map();

async function lend({ files, ...options }) {
  const key = JSON.stringify(options);
  const before = lent.get(key);
  if (!before || !(await before).isConnected()) lent.set(key, start(options));
  return lent.get(key);
}

/** Ends the browsers that were lent. */
export async function closeLent() {
  await Promise.all([...lent.values()].map(async (engine) => (await engine).close()));
  lent.clear();
}

function start({ kind = 'chromium', flags, program }) {
  return launch(kind, { flags, program });
}

class Browser {
  #open = [];
  #stop;

  constructor(engine, pages, stop) {
    this.viewers = [];
    this.engine = engine;
    /** Of the browser's first process; all others descend from it. */
    this.pid = engine.pid;
    this.pages = pages;
    this.#stop = stop;
  }

  /** What each viewer that is still open sees, a line each, for the report of a failure. */
  async describe() {
    if (!this.engine.isConnected()) return [];
    return Promise.all(this.viewers.map((viewer) => viewer.describe()));
  }

  async stop() {
    await this.#stop(this);
  }

  async closePages() {
    if (!this.engine.isConnected()) return;
    await Promise.all(this.#open.map((page) => this.engine.closePage(page)));
  }

  /** A deployed client of a generation, loaded and ready for `join()`. */
  async client(generation, { relay, room, user }) {
    const page = await this.newPage();
    await page.goto(`${this.pages}/client.html?generation=${generation}`);
    await page.waitForFunction(() => window.client);
    return this.#watches(new Client(page, generation, { relay: relay.origin, room, user }));
  }

  /** The viewer page of an embedded relay, which opens when it is told to `join()`. */
  async viewerPage({ relay, room, user }) {
    const url = new URL(relay.viewerUrl);
    url.searchParams.set('room', room);
    url.searchParams.set('user', user);
    return this.#watches(new ViewerPage(await this.probedPage(), user, url.href));
  }

  #watches(viewer) {
    this.viewers.push(viewer);
    return viewer;
  }

  /** A viewer of the named kind: 'viewer page', or a generation of deployed clients. */
  viewer(kind, place) {
    return kind === 'viewer page' ? this.viewerPage(place) : this.client(kind, place);
  }

  /** A blank page into which whatever it opens gets the probe, attached to every video element. */
  async probedPage() {
    const page = await this.newPage();
    await this.engine.addScript(page, readFileSync(join(PAGES, 'probe.js'), 'utf8'));
    await this.engine.addScript(page, 'roomcamProbe.attachToAll();');
    return page;
  }

  async newPage() {
    const page = await this.engine.newPage();
    this.#open.push(page);
    return page;
  }
}

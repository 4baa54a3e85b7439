// A headless browser and the viewers in it, with a server for the pages of the tests.

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { launch } from './engines.mjs';
import { TESTS } from './paths.mjs';
import { Client, ViewerPage } from './viewers.mjs';

export { coloursOf, framesShown, reportOf, soundOf } from './viewers.mjs';

const PAGES = join(TESTS, 'e2e/pages');
const FILES = { '/socket.io.js': join(TESTS, 'node_modules/socket.io-client/dist/socket.io.min.js') };
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.webm': 'video/webm' };

/** Generations of deployed clients (docs/receivers.md), and the relay that goes with each. */
export const GENERATIONS = { first: 'nestjs-old', middle: 'nestjs-middle', later: 'nestjs-new', 'later-5s': 'nestjs-new' };

/** Launches a browser (`kind`: 'chromium' or 'firefox') and a server for the test pages. `files` adds paths to files
 *  that it serves, `flags` options of Chromium. */
export async function startBrowser({ kind = 'chromium', files = {}, flags = [] } = {}) {
  const server = await servePages({ ...FILES, ...files });
  return new Browser(await launch(kind, { flags }), server);
}

async function servePages(files) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const path = files[pathname] ?? join(PAGES, pathname.replaceAll('..', ''));
    try {
      const body = await readFile(path);
      response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

class Browser {
  constructor(engine, server) {
    this.viewers = [];
    this.engine = engine;
    this.server = server;
    /** Of the browser's first process; all others descend from it. */
    this.pid = engine.pid;
    this.pages = `http://127.0.0.1:${server.address().port}`;
  }

  /** What each viewer that is still open sees, a line each, for the report of a failure. */
  async describe() {
    if (!this.engine.isConnected()) return [];
    return Promise.all(this.viewers.map((viewer) => viewer.describe()));
  }

  async stop() {
    await this.engine.close();
    this.server.closeAllConnections();
    this.server.close();
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

  newPage() {
    return this.engine.newPage();
  }
}

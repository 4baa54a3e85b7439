// Headless Chromium and the pages in it: our plain receiver, and any page with the probe injected.

import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { PAGES, servePages } from './pages.mjs';
import { until } from './waiting.mjs';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
];
/** Launches Chromium and a server for the test pages. `files` adds paths to files that it serves. */
export async function startBrowser({ files = {}, flags = [] } = {}) {
  const pages = await servePages(files);
  // A browser server rather than a plain launch, because only it tells its process id.
  const browserServer = await chromium.launchServer({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: [...FLAGS, ...flags],
  });
  const browser = await chromium.connect(browserServer.wsEndpoint());
  return new Browser(browser, browserServer, pages);
}

class Browser {
  constructor(browser, browserServer, pages) {
    this.viewers = [];
    this.browser = browser;
    this.browserServer = browserServer;
    /** Of the browser's first process; all others descend from it. */
    this.pid = browserServer.process().pid;
    this.pages = pages;
  }

  /** What each viewer that is still open sees, a line each, for the report of a failure. */
  async describe() {
    if (!this.browser.isConnected()) return [];
    return Promise.all(this.viewers.map((viewer) => viewer.describe()));
  }

  async stop() {
    await this.browserServer.close();
  }

  /** Loads the plain receiver, which waits for `join()`. `steered`: the newer clients' live-edge rule. */
  async receiver({ relay, room, user, steered = true }) {
    const query = new URLSearchParams({ relay: relay.origin, room, user, jump: steered ? '1' : '0' });
    const page = await this.newPage();
    await page.goto(`${this.pages}/receiver.html?${query}`);
    return this.#watches(new Receiver(page, user));
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

  /** A viewer of the named kind: `viewer page`, `receiver` or `receiver without jumps`. */
  async viewer(kind, { relay, room, user }) {
    if (kind === 'viewer page') return this.viewerPage({ relay, room, user });
    return this.receiver({ relay, room, user, steered: kind === 'receiver' });
  }

  /** A blank page into which whatever it opens gets the probe, attached to every video element. */
  async probedPage() {
    const page = await this.newPage();
    await page.addInitScript({ path: join(PAGES, 'probe.js') });
    await page.addInitScript(() => roomcamProbe.attachToAll());
    return page;
  }

  async newPage() {
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 800 } });
    return context.newPage();
  }
}

/** Somebody who watches, whatever page it is that shows the senders. */
class Viewer {
  constructor(page, user) {
    this.page = page;
    this.user = user;
  }

  async describe() {
    const elements = await this.page
      .evaluate(() => roomcamProbe.of('video').map((probe) => ({ ...probe.report(), frames: probe.frames.length })))
      .catch((error) => error.message);
    const state = await this.state().catch((error) => error.message);
    // A client that fails at every chunk has as many elements and errors as it got chunks.
    const seen = { elements: elements.length, newest: elements.slice(-2), ...state };
    return `--- ${this.user} sees ${JSON.stringify({ ...seen, chunkTimes: state.chunkTimes?.length, errors: state.errors?.slice(-3) })}`;
  }

  /** What was seen of one sender, on every element that has shown it. */
  report(userId) {
    return reportOf(this.page, this.selector(userId));
  }

  /** Resolves with the report once `count` frames of a sender were shown after `sinceMs` on the page's clock. */
  frames(userId, count, { sinceMs = 0, deadlineMs = 10_000 } = {}) {
    return framesShown(this.page, this.selector(userId), count, { sinceMs, deadlineMs });
  }

  now() {
    return this.page.evaluate(() => performance.now());
  }
}

/** The product's viewer page. `join()` opens it, in a browser tab that is there already. */
class ViewerPage extends Viewer {
  constructor(page, user, url) {
    super(page, user);
    this.url = url;
  }

  async join() {
    await this.page.goto(this.url);
  }

  selector(userId) {
    return `[data-user="${userId}"] video`;
  }

  async state() {
    const users = await this.page.evaluate(() => window.roomcam.users);
    const errors = Object.values(users).flatMap(({ lastError }) => (lastError ? [lastError] : []));
    const [joinCalledAt, chunkTimes] = await this.page.evaluate(() => [roomcamProbe.webSocketOpenedAt, roomcamProbe.chunkTimes]);
    return { joinCalledAt, chunkTimes, errors, users };
  }
}

/** The plain receiver in its page. */
class Receiver extends Viewer {
  join() {
    return this.page.evaluate(() => receiver.join());
  }

  selector(userId) {
    return `video[data-user-id="${userId}"]`;
  }

  state() {
    return this.page.evaluate(() => ({
      now: performance.now(),
      joinCalledAt: receiver.joinCalledAt,
      roomStateAt: receiver.roomStateAt,
      errors: receiver.errors,
      participants: [...receiver.participants.values()],
      players: [...receiver.players.values()].map(({ userId, thrownAway, jumps }) => ({ userId, thrownAway, jumps })),
      chunkTimes: receiver.chunks.map(([atMs]) => atMs),
    }));
  }
}

/** Everything the probe saw of the elements that match, as one: frames of all of them in order of time, the
 *  rest from the newest. */
export async function reportOf(page, selector) {
  const reports = await page.evaluate((css) => roomcamProbe.of(css).map((probe) => probe.report()), selector);
  if (reports.length === 0) return undefined;
  const frames = reports.flatMap((report) => report.frames).sort(([a], [b]) => a - b);
  return { ...reports.at(-1), frames, elements: reports.length };
}

/** Resolves with the report once `count` frames were shown after `sinceMs` on the page's clock. */
export function framesShown(page, selector, count, { sinceMs = 0, deadlineMs = 10_000 } = {}) {
  return until(
    `${count} frames of ${selector}`,
    deadlineMs,
    async () => {
      const report = await reportOf(page, selector);
      const shown = report?.frames.filter(([atMs]) => atMs >= sinceMs).length ?? 0;
      return shown >= count ? report : undefined;
    },
    50,
  );
}

/** Colours now shown at points (fractions of the picture) by the newest element that matches. */
export function coloursOf(page, selector, points) {
  return page.evaluate(([css, at]) => roomcamProbe.of(css).at(-1)?.colours(at), [selector, points]);
}

/** Level and strongest frequency now played by the newest element that matches. */
export function soundOf(page, selector) {
  return page.evaluate((css) => roomcamProbe.of(css).at(-1)?.sound(), selector);
}

// Somebody who watches: a deployed client, imitated, or the product's viewer page. Both are watched by the probe.

import { until } from './waiting.mjs';

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

  /** When frames of a sender were shown from `sinceMs` on, both on the page's clock in ms. */
  shownSince(userId, sinceMs) {
    return shownSince(this.page, this.selector(userId), sinceMs);
  }

  now() {
    return this.page.evaluate(() => performance.now());
  }
}

/** The product's viewer page. `join()` opens it, in a browser tab that is there already. */
export class ViewerPage extends Viewer {
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

/** A deployed client of some generation, in its page. */
export class Client extends Viewer {
  constructor(page, generation, place) {
    super(page, place.user);
    this.generation = generation;
    this.place = place;
  }

  /** Enters the room; `options` are those of the page's `client.join`. */
  join(options = {}) {
    const place = { ...this.place, ...options };
    this.user = place.user;
    return this.page.evaluate((all) => client.join(all), place);
  }

  /** Leaves the room, and forgets what was seen: the page can join again. */
  leave() {
    return this.page.evaluate(async () => {
      await client.leave();
      roomcamProbe.forget();
    });
  }

  mute(muted) {
    return this.page.evaluate((isMuted) => client.mute(isMuted), muted);
  }

  react() {
    return this.page.evaluate(() => client.react('👍'));
  }

  switchLayout() {
    return this.page.evaluate(() => client.switchLayout());
  }

  selector(userId) {
    return `video[data-user-id="${userId}"]`;
  }

  /** 'video' or 'avatar': what the card of a user shows; undefined without a card. */
  shows(userId) {
    return this.page.evaluate((css) => document.querySelector(css)?.dataset.shows, `div[data-user-id="${userId}"]`);
  }

  state() {
    return this.page.evaluate(() => ({
      now: performance.now(),
      joinCalledAt: client.joinCalledAt,
      roomStateAt: client.roomStateAt,
      errors: client.errors,
      participants: client.participants,
      chunkTimes: client.chunkTimes,
      cameraStates: client.cameraStates,
    }));
  }

  /** What happened in the client, a line each, in ms since it joined. */
  async log() {
    const [joinedAt, lines] = await this.page.evaluate(() => [client.joinCalledAt, client.log.lines]);
    return lines.map(([atMs, what, details]) => `${(atMs - joinedAt).toFixed(1).padStart(8)} ${what} ${JSON.stringify(details)}`);
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
export async function framesShown(page, selector, count, { sinceMs = 0, deadlineMs = 10_000 } = {}) {
  const shown = async () => (await shownSince(page, selector, sinceMs)).length >= count;
  await until(`${count} frames of ${selector}`, deadlineMs, shown, 50);
  return reportOf(page, selector);
}

// A report has every frame ever shown: it takes whoever asks for one again and again the time of the picture.
function shownSince(page, selector, sinceMs) {
  return page.evaluate(([css, fromMs]) => roomcamProbe.shownSince(css, fromMs), [selector, sinceMs]);
}

/** Colours now shown at points (fractions of the picture) by the newest element that matches. */
export function coloursOf(page, selector, points) {
  return page.evaluate(([css, at]) => roomcamProbe.of(css).at(-1)?.colours(at), [selector, points]);
}

/** Level and strongest frequency now played by the newest element that matches. */
export function soundOf(page, selector) {
  return page.evaluate((css) => roomcamProbe.of(css).at(-1)?.sound(), selector);
}

/** Resolves with level and strongest frequency once the newest element that matches plays sound. */
export function soundHeard(page, selector, deadlineMs = 5_000) {
  return until(`sound of ${selector}`, deadlineMs, async () => {
    const sound = await soundOf(page, selector);
    return sound?.levelDb > -40 ? sound : undefined;
  });
}

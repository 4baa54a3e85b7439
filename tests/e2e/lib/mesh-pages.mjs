// Pages of a mesh that behave as deployed ones do (pages/mesh.js), in a meeting with the agent.

import { coloursOf, framesShown } from './browser.mjs';
import { startMeshServer } from './signalling-servers.mjs';
import { until } from './waiting.mjs';

const FLAGS = ['--allow-loopback-in-peer-connection'];

/** A page in the meeting, joined before the agent or to be joined after. */
export async function pageIn(scene, browser, server, { offers = 'both', sends = 'yes', name = 'viewer' } = {}) {
  const page = await browser.newPage();
  await page.goto(`${browser.pages}/mesh.html?offers=${offers}&sends=${sends}`);
  return {
    page,
    join: () => page.evaluate(([origin, room, user]) => window.participant.join(origin, room, user), [server.origin, scene.room, name]),
    state: () => page.evaluate(() => window.participant.state()),
    sound: () => page.evaluate(() => window.participant.sound()),
    colours: (points) => coloursOf(page, 'video', points),
    frames: (count, options) => framesShown(page, 'video', count, options),
    now: () => page.evaluate(() => performance.now()),
  };
}

/** A signalling server and a browser, and how to start the agent among them. */
export async function meeting(scene, { kind } = {}) {
  const server = await startMeshServer();
  scene.owns(server.child);
  const browser = await scene.browser({ kind, flags: FLAGS });
  const agent = (options = {}) => scene.agent(server, 'agent', { ...options, meeting: { protocol: 'mesh', ...options.meeting } });
  return { server, browser, agent };
}

/** Resolves when so many are in the room. */
export const present = (scene, server, many) =>
  until(`${many} in the room`, 10_000, async () => Object.keys(await server.users(scene.room)).length === many);

/** Resolves when the page plays the tone of the test pattern, or silence. */
export const hears = (page, what) => until(what, 8_000, async () => {
  const { levelDb, peakHz } = await page.sound();
  const tone = levelDb > -40 && Math.abs(peakHz - 440) < 15;
  return (what === 'a tone' ? tone : levelDb < -70) ? { levelDb, peakHz } : undefined;
}).catch(async (error) => {
  throw new Error(`${error.message}; heard: ${JSON.stringify(await page.sound())}`);
});

/** Where the first and the sixth bar of the test pattern are. */
export const BAR = [[0.5 / 7, 0.3], [5.5 / 7, 0.3]];
/** Resolves when the page shows black, or anything else. */
export const shows = (page, what) => until(what, 8_000, async () => {
  const colours = await page.colours(BAR);
  if (!colours) return undefined;
  const black = colours.flat().every((value) => value < 24);
  return (what === 'black') === black ? colours : undefined;
});

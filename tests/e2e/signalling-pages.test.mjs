// The pages that the agent is tested with, against each other: they fail where deployed ones fail. Otherwise it would say
// nothing that the agent gets on with them.

import assert from 'node:assert/strict';
import { scenario } from './lib/scene.mjs';
import { startMeshServer, startNoomServer } from './lib/signalling-servers.mjs';
import { until } from './lib/waiting.mjs';

const FLAGS = ['--allow-loopback-in-peer-connection'];
/** What a server adds somewhere on the internet. On one machine the offers of two pages do not always cross. */
const DELAY_MS = '60';
/** Pairs of pages that are tried; a page that both offer has failed with each. */
const PAIRS = 5;
/** Longer than any pair took that connected at all, ms. */
const CONNECTED_MS = 5_000;

const stateOf = (page) => page.evaluate(() => window.participant.state());
const join = (page, server, room) => page.evaluate(([origin, name]) => window.participant.join(origin, name, 'viewer'), [server.origin, room]);

/** Whether both get the other's picture within the time. */
async function connect(pages) {
  const gets = async (page) => ((await stateOf(page)).inbound?.video?.framesDecoded ?? 0) > 5;
  try {
    await until('both to see each other', CONNECTED_MS, async () => (await Promise.all(pages.map(gets))).every(Boolean), 50);
    return true;
  } catch {
    return false;
  }
}

/** How many of the pairs connect, each of two pages that have just been opened. */
async function pairs(browser, server, path, room) {
  const pages = [await browser.newPage(), await browser.newPage()];
  let connected = 0;
  for (let pair = 1; pair <= PAIRS; pair += 1) {
    for (const page of pages) {
      await page.goto(`${browser.pages}/${path}`);
      await join(page, server, `${room}-${pair}`);
    }
    if (await connect(pages)) connected += 1;
  }
  return connected;
}

const STYLES = [
  { offers: 'newcomer', expected: PAIRS },
  { offers: 'existing', expected: PAIRS },
  // Each takes its own offer back and answers with another ICE ufrag than the other still has.
  { offers: 'both', expected: 0 },
];

scenario('two pages of a mesh connect, unless both offer', STYLES, { atOnce: 3 }, async (scene, { offers, expected }, t) => {
  const server = await startMeshServer({ DELAY_MS });
  scene.owns(server.child);
  const browser = await scene.browser({ flags: FLAGS });
  const page = `mesh.html?offers=${offers}`;
  const connected = await pairs(browser, server, page, scene.room);
  t.diagnostic(`${connected} of ${PAIRS} pairs connected`);
  assert.equal(connected, expected);
});

scenario('two pages of a one-to-one room connect', ['object', 'document', 'args'], { atOnce: 3 }, async (scene, form, t) => {
  const server = await startNoomServer({ FORM: form });
  scene.owns(server.child);
  const browser = await scene.browser({ flags: FLAGS });
  const page = `noom.html?form=${form}`;
  const connected = await pairs(browser, server, page, scene.room);
  t.diagnostic(`${connected} of ${PAIRS} pairs connected`);
  assert.equal(connected, PAIRS);
});

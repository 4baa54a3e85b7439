// What the viewer page says in each of its states, in two languages and on two screens: seen, read by axe-core, and
// kept as pictures in target/e2e/page.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { speaking } from '../../src/relay/viewer/words.js';
import { ARTIFACTS } from './lib/paths.mjs';
import { PageRelay } from './lib/page-relay.mjs';
import { STATES } from './lib/page-states.mjs';
import { scenario } from './lib/scene.mjs';
import { until } from './lib/waiting.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** A page opens on the small one, where it is harder to click. */
const SCREENS = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };
const PICTURES = join(ARTIFACTS, 'page');

scenario('every state of the page says what is wrong and is accessible', ['en', 'ko'], { timeout: 300_000, atOnce: 2 }, async (scene, language, t) => {
  mkdirSync(PICTURES, { recursive: true });
  const say = speaking(language);
  const { viewerUrl } = await scene.relay('embedded');
  const browser = await scene.browser();
  const found = [];
  for (const state of STATES) {
    const relay = await PageRelay.start(new URL(viewerUrl).origin);
    const page = await browser.newPage();
    try {
      await page.setViewportSize(SCREENS.phone);
      const languages = `Object.defineProperty(Navigator.prototype, 'languages', { get: () => ['${language}-XX'] });`;
      await browser.engine.addScript(page, languages + (state.script ?? ''));
      state.relay?.(relay);
      await page.goto(`${relay.origin}/room/${encodeURIComponent('Weekly · 주간 회의')}${state.query ?? ''}`);
      await state.act?.(page, relay);
      for (const [screen, size] of Object.entries(SCREENS)) {
        await page.setViewportSize(size);
        if (state.words) await seen(page, say(state.words, { room: 'Weekly · 주간 회의', ...state.values }));
        await settled(page);
        const where = `${state.name}, ${screen}`;
        await page.screenshot({ path: join(PICTURES, `${state.name}-${screen}-${language}.png`) });
        found.push(...(await violations(page)).map((violation) => `${where}: ${violation}`));
        if (!(await fits(page))) found.push(`${where}: the page is wider than the screen`);
      }
    } finally {
      await page.close();
      await relay.stop();
    }
  }
  assert.deepEqual(found, []);
  t.diagnostic(`${STATES.length} states`);
});

function seen(page, text) {
  const visible = (wanted) =>
    [...document.querySelectorAll('h2, strong, [data-part]')].some((each) => each.textContent === wanted && each.checkVisibility());
  return until(`"${text}"`, 15_000, () => page.evaluate(visible, text));
}

/** Resolves when nothing moves any more but what moves for ever. */
function settled(page) {
  return until('the end of animations', 5_000, () =>
    page.evaluate(() =>
      document.getAnimations().every(({ effect, playState }) => playState !== 'running' || effect.getTiming().iterations === Infinity),
    ),
  );
}

function fits(page) {
  return page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
}

async function violations(page) {
  await page.evaluate(AXE);
  const { violations: found } = await page.evaluate((values) => axe.run(document, { runOnly: { type: 'tag', values } }), RULES);
  return found.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
}

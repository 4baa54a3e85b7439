// Run with `node --test tests/viewer/`.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

import { KEYS, languageOf, speaking } from '../../src/relay/viewer/words.js';

const VIEWER = new URL('../../src/relay/viewer/', import.meta.url);

test('the language is the first that the page speaks', () => {
  assert.equal(languageOf(['de-DE', 'ko-KR', 'en']), 'ko');
  assert.equal(languageOf(['en-GB', 'ko']), 'en');
  assert.equal(languageOf(['fr']), 'en');
  assert.equal(languageOf([]), 'en');
});

test('both languages say everything, with the same values in it', () => {
  const values = (text) => text.match(/\{\w+\}/g)?.sort() ?? [];
  const same = new Proxy({}, { get: (_, name) => `{${name}}` });
  for (const key of KEYS) {
    const [english, korean] = ['en', 'ko'].map((language) => speaking(language)(key, same));
    assert.ok(english && korean, key);
    assert.deepEqual(values(english), values(korean), key);
  }
  assert.equal(speaking('ko')('retry.in', { seconds: 3 }), '3초 뒤에 다시 시도합니다');
});

test('no word of the page is missing, and none is idle', () => {
  const sources = readdirSync(VIEWER).filter((name) => /\.(js|html)$/.test(name) && name !== 'words.js');
  const text = sources.map((name) => readFileSync(new URL(name, VIEWER), 'utf8')).join('\n');
  const used = [...text.matchAll(/data-say(?:-label)?="([\w.-]+)"/g)].map(([, key]) => key);
  for (const key of used) assert.ok(KEYS.includes(key), key);
  // A title and a text are named by the kind of condition.
  const idle = KEYS.filter((key) => !/^(?!tile|stats|news).*\.(title|text)$/.test(key) && !text.includes(`'${key}'`) && !used.includes(key));
  assert.deepEqual(idle, []);
});

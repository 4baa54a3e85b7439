// Run with `node --test tests/viewer/`.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bestGrid } from '../../src/relay/viewer/grid.js';

test('tiles are as large as the window allows', () => {
  assert.deepEqual(bestGrid(1, 1600, 900, 16 / 9, 12), { columns: 1, tileWidth: 1600 });
  assert.deepEqual(bestGrid(2, 1600, 500, 16 / 9, 12), { columns: 2, tileWidth: 794 });
  assert.deepEqual(bestGrid(2, 500, 1600, 16 / 9, 12), { columns: 1, tileWidth: 500 });
  assert.equal(bestGrid(5, 1240, 720, 4 / 3, 12).columns, 3);
});

test('where tiles would be tiny, the page scrolls', () => {
  assert.deepEqual(bestGrid(30, 412, 400, 4 / 3, 12), { columns: 2, tileWidth: 200 });
});

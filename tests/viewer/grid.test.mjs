// Run with `node --test tests/viewer/`.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bestGrid, places } from '../../src/relay/viewer/grid.js';

test('tiles are as large as the window allows', () => {
  assert.deepEqual(bestGrid(1, 1600, 900, 16 / 9, 12), { columns: 1, tileWidth: 1600 });
  assert.deepEqual(bestGrid(2, 1600, 500, 16 / 9, 12), { columns: 2, tileWidth: 794 });
  assert.deepEqual(bestGrid(2, 500, 1600, 16 / 9, 12), { columns: 1, tileWidth: 500 });
  assert.equal(bestGrid(5, 1240, 720, 4 / 3, 12).columns, 3);
});

test('where tiles would be tiny, the page scrolls', () => {
  assert.deepEqual(bestGrid(30, 412, 400, 4 / 3, 12), { columns: 2, tileWidth: 200 });
});

const WINDOW = { width: 1240, height: 700, aspect: 16 / 9, gap: 12 };

test('tiles stand in rows, the last row in the middle', () => {
  const three = places({ ...WINDOW, count: 3 });
  assert.deepEqual(three.map(({ x }) => x), [3, 626, 315]);
  assert.equal(three[0].y, three[1].y);
  assert.equal(new Set(three.map(({ width }) => width)).size, 1);
});

test('who is pinned has most of the window, and no tile lies on another or outside', () => {
  for (const [width, height] of [[1240, 700], [366, 760], [800, 800]]) {
    for (let count = 2; count <= 6; count += 1) {
      for (let pinned = 0; pinned < count; pinned += 1) {
        const all = places({ ...WINDOW, width, height, count, pinned });
        assert.equal(all.length, count);
        const areas = all.map((tile) => tile.width * tile.height);
        assert.equal(areas[pinned], Math.max(...areas), `${count} tiles, ${width} × ${height}`);
        for (const tile of all) {
          assert.ok(tile.x >= 0 && tile.y >= 0 && tile.x + tile.width <= width + 1);
          for (const other of all) assert.ok(tile === other || apart(tile, other));
        }
      }
    }
  }
});

test('where nobody is pinned, or nobody else is there, nobody is put aside', () => {
  assert.deepEqual(places({ ...WINDOW, count: 1, pinned: 0 }), places({ ...WINDOW, count: 1 }));
  assert.deepEqual(places({ ...WINDOW, count: 0 }), []);
});

function apart(one, other) {
  return one.x + one.width <= other.x || other.x + other.width <= one.x || one.y + one.height <= other.y || other.y + other.height <= one.y;
}

// Run with `node --test tests/viewer/`.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { roomOf, tokenIn } from '../../src/relay/viewer/address.js';

const at = (address) => roomOf(new URL(address, 'http://relay.local'));

test('an address names its room, however it is written', () => {
  assert.deepEqual(['/', '/room/', '/room/lobby', '/room/a%20b', '/?room=x', '/room/y?room='].map(at), ['demo', 'demo', 'lobby', 'a b', 'x', 'demo']);
  assert.equal(at('/room/100%'), '100%');
  assert.equal(at('/room/%E0%A4%A'), '%E0%A4%A');
});

test('the token comes out of the fragment, and nothing else does', () => {
  assert.deepEqual(tokenIn({ hash: '#token=s3cret' }), { token: 's3cret', rest: '' });
  assert.deepEqual(tokenIn({ hash: '#a=1&token=s3%2Bc' }), { token: 's3+c', rest: '#a=1' });
  assert.deepEqual(tokenIn({ hash: '#section' }), { token: null, rest: '#section' });
  assert.deepEqual(tokenIn({ hash: '' }), { token: null, rest: '' });
});

// Run with `node --test tests/viewer/`.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { avatarAddress, initials } from '../../src/relay/viewer/avatar.js';

test('initials are the first letters of the first and the last name, in Korean the given name', () => {
  const names = ['Ada Lovelace', 'front-door', 'ada', '  ', '김민지', '김 민지', 'José Ángel de la Cruz', '🎥 cam'];
  assert.deepEqual(names.map(initials), ['AL', 'FD', 'A', '?', '민지', '김민', 'JC', '🎥C']);
});

test('an avatar is an image over HTTPS, of the relay, or in the address', () => {
  const of = (address) => avatarAddress(address, 'http://relay.local:8080/room/lobby');
  assert.equal(of('https://example.org/a.png'), 'https://example.org/a.png');
  assert.equal(of('/avatars/a.png'), 'http://relay.local:8080/avatars/a.png');
  assert.equal(of('data:image/png;base64,AA=='), 'data:image/png;base64,AA==');
  for (const bad of ['http://example.org/a.png', 'data:image/svg+xml,<svg/>', 'data:text/html,x', 'javascript:alert(1)', 'http://[', '', null, 7]) {
    assert.equal(of(bad), null, String(bad));
  }
});

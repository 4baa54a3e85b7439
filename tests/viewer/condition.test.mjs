// Run with `node --test tests/viewer/`.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { conditionOf, refusalIn, waitBefore } from '../../src/relay/viewer/condition.js';

const kind = (refusal) => conditionOf(refusal).kind;

test('a refusal is known by its code, or more closely by its words, else repeated', () => {
  assert.equal(kind({ code: 'room_full', message: 'The room holds its limit of 256 participants; try again when somebody has left' }), 'full');
  assert.equal(kind({ code: 'room_full', message: 'This relay carries its limit of 64 rooms; try again when one has emptied' }), 'busy');
  assert.equal(kind({ code: 'room_full', message: 'in other words' }), 'full');
  assert.equal(kind({ code: 'too_many' }), 'busy');
  assert.equal(kind({ code: 'relay_full' }), 'relay-full');
  assert.equal(kind({ code: 'draining' }), 'away');
  assert.equal(kind({ code: 'bad_request', message: 'The room needs a name of 1 to 128 bytes' }), 'room');
  assert.equal(kind({ code: 'token_required' }), 'token-needed');
  assert.equal(kind({ code: 'token_wrong' }), 'token-wrong');
  assert.equal(kind({ code: 'user_taken' }), 'kicked');
  assert.deepEqual(conditionOf({ message: 'Not on Tuesdays', code: 'not_allowed' }), { kind: 'refused', message: 'Not on Tuesdays' });
  assert.equal(kind(), 'refused');
});

test('a refusal before the connection is what the relay answered, and nothing else is', () => {
  const answered = (responseText) => refusalIn({ context: { responseText } });
  assert.deepEqual(answered('{"error":"this relay has as many sessions as it takes","code":"relay_full"}'), {
    message: 'this relay has as many sessions as it takes',
    code: 'relay_full',
  });
  for (const other of ['', '<html>503</html>', 'null', '{}', '{"code":4,"message":"Forbidden"}']) assert.equal(answered(other), null, other);
  assert.equal(refusalIn(new Error('timeout')), null);
});

test('it waits ever longer where trying again helps, and not at all where only the user can help', () => {
  assert.deepEqual([0, 1, 2, 3, 9].map((tries) => waitBefore('away', tries, 0.5)), [1000, 2000, 4000, 8000, 8000]);
  assert.deepEqual([waitBefore('full', 0, 0), waitBefore('full', 0, 1)], [4500, 5500], 'not all at the same moment');
  for (const only of ['token-needed', 'token-wrong', 'kicked', 'ended', 'room']) assert.equal(waitBefore(only, 0), null, only);
});

// Run with `node --test tests/viewer/`.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { protocolOf } from '../../src/relay/viewer/address.js';
import { meshDialect } from '../../src/relay/viewer/mesh-dialect.js';
import { OTHER, noomDialect } from '../../src/relay/viewer/noom-dialect.js';
import { relayDialect } from '../../src/relay/viewer/relay-dialect.js';

const noom = noomDialect('Somebody');
/** What an event of the server means to the page. */
const hears = (dialect, event, ...payload) => dialect.heard[event]('me', ...payload);

test('the address says how media come, and through the relay if it says nothing that is known', () => {
  const of = (search) => protocolOf({ search });
  assert.deepEqual(['?protocol=mesh', '?room=x&protocol=noom', '', '?protocol=whip', '?protocol='].map(of), ['mesh', 'noom', 'relay', 'relay', 'relay']);
});

test('the relay is taken at its word, and chunks of nobody are dropped', () => {
  assert.deepEqual(hears(relayDialect, 'user-left', { userId: 'ann' }), [['user-left', { userId: 'ann' }]]);
  assert.deepEqual(hears(relayDialect, 'stream-reset', undefined), [['stream-reset', {}]]);
  const chunk = { userId: 'ann', chunk: new ArrayBuffer(1) };
  assert.deepEqual(hears(relayDialect, 'media-chunk', chunk), [['media', chunk]]);
  for (const none of [undefined, {}, { userId: 'ann' }, { chunk: 1 }]) assert.deepEqual(hears(relayDialect, 'media-chunk', none), []);
});

test('in a mesh everybody sends, but for those who say that they only watch', () => {
  const [[event, { participants }]] = hears(meshDialect, 'existing-users', { users: [{ sid: '1', username: 'Ann' }, { sid: '2', username: 'Bob', watch: true }] });
  assert.equal(event, 'room-state');
  assert.deepEqual(participants, [
    { userId: '1', socketId: '1', username: 'Ann', hasVideo: true, isMuted: false },
    { userId: '2', socketId: '2', username: 'Bob', hasVideo: false, isMuted: true },
  ]);
  assert.deepEqual(hears(meshDialect, 'video-toggled', { sid: '1', enabled: false }), [['camera-state-changed', { userId: '1', hasVideo: false }]]);
  assert.deepEqual(hears(meshDialect, 'audio-toggled', { sid: '1', enabled: true }), [['mic-state-changed', { userId: '1', isMuted: false }]]);
});

test('in a mesh signals have a target, and what one has written is not heard again', () => {
  const candidate = { candidate: 'candidate:1' };
  assert.deepEqual(meshDialect.signal('1', { candidate }), ['ice_candidate', { target: '1', candidate }]);
  assert.deepEqual(hears(meshDialect, 'ice-candidate', { from: '1', candidate }), [['signal', { from: '1', candidate }]]);
  assert.deepEqual(hears(meshDialect, 'message', { sid: 'me', message: 'hi' }), []);
  assert.equal(hears(meshDialect, 'message', { sid: '1', message: 'hi' }).length, 1);
});

test('between two, whoever was there is known by its offer, and whoever comes is offered to', () => {
  assert.deepEqual(hears(noom, 'welcome').map(([event, { userId }]) => [event, userId]), [['user-joined', OTHER]]);
  const offered = hears(noom, 'offer', { offer: { sdp: 'x' } });
  assert.deepEqual(offered.map(([event]) => event), ['introduced', 'signal']);
  assert.deepEqual(offered[1][1], { from: OTHER, offer: { sdp: 'x' } });
  const candidate = { candidate: 'candidate:1' };
  for (const name of ['ice', 'candidate']) assert.deepEqual(hears(noom, 'ice', { [name]: candidate }), [['signal', { from: OTHER, candidate }]]);
  assert.deepEqual(noom.signal(OTHER, { candidate }), ['ice', { ice: candidate }]);
});

test('STUN and TURN servers are a word of this relay, in both dialects', () => {
  const iceServers = [{ urls: ['stun:192.0.2.1:3478'] }];
  for (const dialect of [meshDialect, noom]) assert.deepEqual(hears(dialect, 'ice-servers', iceServers), [['ice-servers', { iceServers }]]);
});

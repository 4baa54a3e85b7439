// Run with `node --test tests/viewer/`.
import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';

/** A connection of a browser, as far as the page uses it. Remembers what was done with it. */
class FakeConnection extends EventTarget {
  static all = [];
  remoteDescription = null;
  localDescription = null;
  connectionState = 'new';
  closed = false;
  candidates = [];

  constructor(configuration) {
    super();
    this.configuration = configuration;
    FakeConnection.all.push(this);
  }

  addTransceiver(kind, { direction }) {
    (this.transceivers ??= []).push([kind, direction]);
  }

  async setLocalDescription() {
    const type = this.remoteDescription?.type === 'offer' ? 'answer' : 'offer';
    this.localDescription = { type, sdp: type, toJSON: () => ({ type, sdp: type }) };
  }

  async setRemoteDescription(description) {
    this.remoteDescription = description;
  }

  async addIceCandidate(candidate) {
    this.candidates.push(candidate.candidate);
  }

  becomes(state) {
    this.connectionState = state;
    this.onconnectionstatechange();
  }

  close() {
    this.closed = true;
  }
}

globalThis.RTCPeerConnection = FakeConnection;
const { Peers } = await import('../../src/relay/viewer/peers.js');
const { figuresOf } = await import('../../src/relay/viewer/peer.js');

const SENDER = { userId: 'cam', hasVideo: true, isMuted: false };
const WATCHER = { userId: 'eve', hasVideo: false, isMuted: true };
const offer = (fingerprint) => ({ type: 'offer', sdp: `v=0\r\na=fingerprint:sha-256 ${fingerprint}\r\n` });
const answer = { type: 'answer', sdp: 'v=0\r\na=fingerprint:sha-256 AA\r\n' };
/** All that was begun has been done. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

let sent;
let problems;

beforeEach(() => {
  FakeConnection.all = [];
  sent = [];
  problems = [];
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout'] });
});

function peers(offersTo = 'found') {
  return new Peers({ offersTo, chat: () => {} }, {
    send: (to, signal) => sent.push([to, ...Object.keys(signal)]),
    media: () => {},
    problem: (_, problem) => problems.push(problem),
    chat: () => {},
  });
}

test('a newcomer asks those whom it finds and who send, and waits for those who come', async () => {
  const all = peers();
  all.begin([SENDER, WATCHER]);
  all.came({ ...SENDER, userId: 'later' });
  await settled();
  assert.deepEqual(sent, [['cam', 'offer']]);
  assert.deepEqual(FakeConnection.all[0].transceivers, [['audio', 'recvonly'], ['video', 'recvonly']]);
  all.take({ from: 'later', offer: offer('BB') });
  await settled();
  assert.deepEqual(sent.at(-1), ['later', 'answer']);
});

test('connections are made with the STUN and TURN servers that the relay told of last', async () => {
  const all = peers();
  const told = [{ urls: ['turn:192.0.2.1:3478'], username: 'u', credential: 'c' }];
  all.begin([SENDER]);
  all.setIceServers(told);
  all.take({ from: 'later', offer: offer('BB') });
  await settled();
  assert.deepEqual(FakeConnection.all.map(({ configuration }) => configuration.iceServers), [[], told]);
});

test('candidates wait for the description that they overtook', async () => {
  const all = peers();
  all.begin([SENDER]);
  all.take({ from: 'cam', candidate: { candidate: 'early' } });
  all.take({ from: 'cam', candidate: { candidate: '' } });
  await settled();
  const [connection] = FakeConnection.all;
  assert.deepEqual(connection.candidates, []);
  all.take({ from: 'cam', answer });
  all.take({ from: 'cam', candidate: { candidate: 'late' } });
  await settled();
  assert.deepEqual(connection.candidates, ['early', 'late']);
});

test('when both have offered, the page insists once', async () => {
  const all = peers();
  all.begin([SENDER]);
  all.take({ from: 'cam', offer: offer('AA') });
  await settled();
  assert.deepEqual(sent, [['cam', 'offer']]);
  all.take({ from: 'cam', offer: offer('AA') });
  await settled();
  assert.deepEqual(sent, [['cam', 'offer'], ['cam', 'answer']]);
  assert.equal(FakeConnection.all.length, 1);
});

test('an offer with another certificate replaces the connection, one with the same continues it', async () => {
  const all = peers('came');
  all.begin([SENDER]);
  for (const [fingerprint, connections] of [['AA', 1], ['aa', 1], ['BB', 2]]) {
    all.take({ from: 'cam', offer: offer(fingerprint) });
    await settled();
    assert.equal(FakeConnection.all.length, connections, fingerprint);
  }
  assert.deepEqual(FakeConnection.all.map(({ closed }) => closed), [true, false]);
});

test('who does not answer is asked again, ever more slowly, and the page says so until it is connected', async () => {
  const all = peers();
  all.begin([SENDER]);
  await settled();
  for (const [index, wait] of [2500, 5000, 10_000, 20_000, 30_000, 30_000].entries()) {
    mock.timers.tick(7000);
    assert.equal(problems.at(-1), 'unanswered');
    mock.timers.tick(wait - 1);
    await settled();
    assert.equal(sent.length, index + 1);
    mock.timers.tick(1);
    await settled();
    assert.equal(sent.length, index + 2);
  }
  all.take({ from: 'cam', answer });
  await settled();
  FakeConnection.all.at(-1).becomes('connected');
  assert.equal(problems.at(-1), null);
  mock.timers.tick(60_000);
  await settled();
  assert.equal(sent.length, 7);

  // A connection that is lost later begins with patience anew.
  FakeConnection.all.at(-1).becomes('failed');
  assert.equal(problems.at(-1), 'unreachable');
  mock.timers.tick(2500);
  await settled();
  assert.equal(sent.length, 8);
});

test('nothing is asked of who has left, or when the page joins anew', async () => {
  const all = peers();
  all.begin([SENDER]);
  await settled();
  all.left('cam');
  mock.timers.tick(60_000);
  await settled();
  assert.deepEqual([sent.length, FakeConnection.all[0].closed], [1, true]);
  all.begin([SENDER]);
  all.begin([SENDER]);
  await settled();
  assert.deepEqual(FakeConnection.all.map(({ closed }) => closed), [true, true, false]);
});

test('of the statistics of a browser, those count that people care for', () => {
  const reports = [
    { type: 'inbound-rtp', kind: 'audio', bytesReceived: 100, packetsLost: 1 },
    { type: 'inbound-rtp', kind: 'video', timestamp: 5000, bytesReceived: 900, packetsLost: 2, jitterBufferDelay: 0.5, jitterBufferEmittedCount: 50 },
    { type: 'candidate-pair', nominated: true, state: 'failed', currentRoundTripTime: 9 },
    { type: 'candidate-pair', nominated: true, state: 'succeeded', currentRoundTripTime: 0.025 },
  ];
  assert.deepEqual(figuresOf(reports), { at: 5000, bytes: 1000, lost: 3, roundTripMs: 25, bufferMs: 10 });
  assert.deepEqual(figuresOf([]), { at: 0, bytes: 0, lost: 0, roundTripMs: null, bufferMs: null });
});

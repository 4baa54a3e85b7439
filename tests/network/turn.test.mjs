// STUN and TURN: participants between which there is no way but through a server, and addresses that change.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOMCAM } from '../e2e/lib/paths.mjs';
import { Child } from '../e2e/lib/processes.mjs';
import { scenario } from '../e2e/lib/scene.mjs';
import { framesShown, reportOf } from '../e2e/lib/browser.mjs';
import { firstFrameAfter } from '../e2e/lib/measures.mjs';
import { longestGapMs } from '../e2e/lib/pictures.mjs';
import { startMeshServer } from '../e2e/lib/signalling-servers.mjs';
import { observeFor, until } from '../e2e/lib/waiting.mjs';
import { Move } from './move.mjs';
import { TurnNetwork } from './turn-network.mjs';
import { startTurnServer } from './turn-server.mjs';

const USER = 'lobby';
const PASSWORD = 'a password of a test';
/** Over UDP it is silent for 5 s before it is asked whether it knows the agent, which then begins anew with it. */
const USED_AGAIN_MS = 25_000;

/** The stage: an agent that nobody reaches but through the middle, where signalling and TURN are. */
async function stage(scene, { secret } = {}) {
  const network = new TurnNetwork();
  scene.ends(() => network.close());
  const middle = (program, args) => network.inTheMiddle(program, args);
  const startTurn = async () => {
    const turn = await startTurnServer({
      directory: scene.directory,
      addresses: [network.seenByMachine, network.seenByAgent],
      ...(secret ? { secret } : { users: [`${USER}:${PASSWORD}`] }),
      within: middle,
    });
    scene.owns(turn.child);
    return turn;
  };
  const turn = await startTurn();
  const signalling = await startMeshServer({ HOST: '0.0.0.0' }, middle);
  scene.owns(signalling.child);
  const { port } = new URL(signalling.origin);
  const file = (name, text) => {
    const path = join(scene.directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  return {
    network,
    turn,
    startTurn,
    file,
    /** The agent, with these STUN and TURN servers. */
    agent: (iceServers) => scene.agent({ origin: `http://${network.seenByAgent}:${port}` }, 'agent', {
      link: network,
      meeting: { protocol: 'mesh', ca_file: turn.certificate },
      iceServers,
    }),
    /** A page that has joined. */
    page: async (browser, configuration = {}) => {
      const page = await browser.newPage();
      await page.goto(`${browser.pages}/mesh.html?sends=no&ice=${encodeURIComponent(JSON.stringify(configuration))}`);
      await page.evaluate(([origin, room]) => window.participant.join(origin, room, 'viewer'), [`http://${network.seenByMachine}:${port}`, scene.room]);
      return {
        frames: (count, options) => framesShown(page, 'video', count, options),
        state: () => page.evaluate(() => window.participant.state()),
        candidates: () => page.evaluate(() => window.participant.candidates),
        now: () => page.evaluate(() => performance.now()),
      };
    },
  };
}

/** What a browser is told of the same TURN server, which alone it is to use. */
const relayOnly = (network, username, credential) => ({
  iceTransportPolicy: 'relay',
  iceServers: [{ urls: `turn:${network.seenByMachine}:3478?transport=udp`, username, credential }],
});

/** What is wrong with STUN and TURN servers, as the status tells it. */
const troubles = async ({ control }) =>
  (await control.status()).faults.filter(({ part, ongoing }) => part === 'ice-server' && ongoing).map(({ message }) => message);

const TRANSPORTS = {
  UDP: (host) => `turn:${host}:3478`,
  TCP: (host) => `turn:${host}:3478?transport=tcp`,
  TLS: (host) => `turns:${host}:5349`,
};

scenario('media go through a TURN server', Object.keys(TRANSPORTS), async (scene, transport, t) => {
  const { network, file, agent, page } = await stage(scene);
  const browser = await scene.browser();
  const viewer = await page(browser);
  const running = agent([{ urls: TRANSPORTS[transport](network.seenByAgent), username: USER, credential_file: file('password', PASSWORD) }]);

  const report = await viewer.frames(60, { deadlineMs: 20_000 });
  // A busy machine makes it smaller.
  assert.equal(report.width / report.height, 640 / 480);
  const { path, inbound } = await viewer.state();
  t.diagnostic(`the path: ${JSON.stringify(path)}`);
  assert.equal(path.remote.address, network.seenByMachine, 'the agent is where the TURN server is');
  assert.ok(inbound.audio.packetsReceived > 20);
  assert.deepEqual(await troubles(running), []);
});

scenario('a TURN server that was started again is used again', ['UDP', 'TCP'], async (scene, transport, t) => {
  const { network, turn, startTurn, file, agent, page } = await stage(scene);
  const browser = await scene.browser();
  const viewer = await page(browser);
  const running = agent([{ urls: TRANSPORTS[transport](network.seenByAgent), username: USER, credential_file: file('password', PASSWORD) }]);
  await viewer.frames(30, { deadlineMs: 20_000 });

  await turn.child.stop();
  await startTurn();
  const againMs = await viewer.now();
  const { frames } = await viewer.frames(30, { sinceMs: againMs, deadlineMs: USED_AGAIN_MS });
  t.diagnostic(`a picture ${firstFrameAfter(frames, againMs).toFixed(0)} ms after the server was back`);
  await until('nothing to be wrong any more', 5_000, async () => (await troubles(running)).length === 0);
});

scenario('a browser that may use nothing but its relay sees the agent', ['a password', 'a shared secret'], async (scene, credentials) => {
  const secret = credentials === 'a shared secret' ? 'a secret of a test' : undefined;
  const { network, file, agent, page } = await stage(scene, { secret });
  const browser = await scene.browser();
  const username = secret ? `${Math.ceil(Date.now() / 1000) + 3600}:viewer` : USER;
  const password = secret ? createHmac('sha1', secret).update(username).digest('base64') : PASSWORD;
  const viewer = await page(browser, relayOnly(network, username, password));
  const urls = [`stun:${network.seenByAgent}`, `turn:${network.seenByAgent}`];
  agent([
    { urls: urls.slice(0, 1) },
    { urls: urls.slice(1), ...(secret ? { secret_file: file('secret', secret) } : { username: USER, credential_file: file('password', PASSWORD) }) },
  ]);
  await viewer.frames(60, { deadlineMs: 20_000 });
  const { path } = await viewer.state();
  assert.equal(path.local.candidateType, 'relay');
});

scenario('the embedded page is told of TURN servers by the relay', ['mesh', 'noom'], async (scene, protocol) => {
  const network = new TurnNetwork();
  scene.ends(() => network.close());
  const middle = (program, args) => network.inTheMiddle(program, args);
  const secret = 'a secret of a test';
  const turn = await startTurnServer({
    directory: scene.directory,
    addresses: [network.seenByMachine, network.seenByAgent],
    secret,
    within: middle,
  });
  scene.owns(turn.child);
  const secretFile = join(scene.directory, 'secret');
  writeFileSync(secretFile, secret, { mode: 0o600 });
  const port = 8080;
  const flags = ['--listen', `0.0.0.0:${port}`, '--ice-server', `turn:${network.seenByMachine}`, '--turn-secret-file', secretFile];
  const relay = scene.owns(new Child('roomcam relay', ...middle(ROOMCAM, ['relay', ...flags])));
  await relay.line(/http:\/\/\S+/);
  const iceServers = [{ urls: [`turn:${network.seenByAgent}`], secret_file: secretFile }];
  scene.agent({ origin: `http://${network.seenByAgent}:${port}` }, 'agent', { link: network, meeting: { protocol }, iceServers });

  const browser = await scene.browser();
  const page = await browser.probedPage();
  await browser.engine.addScript(page, `{
    const Connection = RTCPeerConnection;
    window.RTCPeerConnection = function (configuration) {
      return new Connection({ ...configuration, iceTransportPolicy: 'relay' });
    };
  }`);
  await page.goto(`http://${network.seenByMachine}:${port}/room/${scene.room}?protocol=${protocol}`);
  await framesShown(page, '.tile video', 30, { deadlineMs: 20_000 });
  const said = [...relay.lines, ...turn.child.lines].join('\n');
  assert.ok(!said.includes(secret));
});

scenario('servers that do not serve are told of once, and hurt no other', ['mesh'], async (scene) => {
  const { network, file, agent, page } = await stage(scene);
  const browser = await scene.browser();
  const viewer = await page(browser);
  const password = file('password', PASSWORD);
  const running = agent([
    { urls: [`turn:${network.seenByAgent}`], username: USER, credential_file: file('wrong', 'not the password') },
    { urls: [`turn:${network.seenByAgent}:9`, 'turns:turn.invalid'], username: USER, credential_file: password },
    { urls: [`turn:${network.seenByAgent}?transport=tcp`], username: USER, credential_file: password },
    { urls: [`stun:${network.seenByAgent}:9`] },
  ]);
  await viewer.frames(30, { deadlineMs: 20_000 });
  const told = await until('four troubles', 20_000, async () => {
    const all = await troubles(running);
    return all.length === 4 ? all.sort() : undefined;
  });
  const [away, refused, nobody, nameless] = [/:9\?/, /:3478\?transport=udp/, /^stun:/, /turn\.invalid/].map((pattern) => told.find((message) => pattern.test(message)));
  assert.match(refused, /refuses the credentials; check username and credential_file/);
  assert.match(away, /cannot be reached: Connection refused|did not answer/);
  assert.match(nameless, /cannot be looked up/);
  assert.match(nobody, /does not answer/);
  for (const message of told) {
    assert.equal(running.lines.filter((line) => line.includes(message.split(';')[0])).length, 1, `told once: ${message}`);
  }
  assert.ok(!running.lines.some((line) => line.includes('not the password') || line.includes(PASSWORD)));
  await viewer.frames(30, { sinceMs: await viewer.now() });
});

scenario('the address is given back when the agent ends', ['UDP', 'TCP'], async (scene, transport) => {
  const { network, turn, file, agent, page } = await stage(scene);
  const browser = await scene.browser();
  const viewer = await page(browser);
  const running = agent([{ urls: TRANSPORTS[transport](network.seenByAgent), username: USER, credential_file: file('password', PASSWORD) }]);
  await viewer.frames(10, { deadlineMs: 20_000 });
  const { length } = turn.child.lines;
  await running.stop();
  await until('the end of the allocation', 3_000, () => turn.child.lines.slice(length).some((line) => /usage:|closed|delete/.test(line) && /realm=<example.org>/.test(line)));
});

scenario('a router between them is crossed with what a STUN server says', ['mesh'], async (scene, _, t) => {
  const { network, agent, page } = await stage(scene);
  network.translate();
  const outside = await startTurnServer({
    directory: scene.directory,
    addresses: [network.machine],
    users: [`${USER}:${PASSWORD}`],
    within: (program, args) => [program, args],
  });
  scene.owns(outside.child);
  const viewer = await page(await scene.browser());
  agent([{ urls: `stun:${network.machine}` }]);
  await viewer.frames(30, { deadlineMs: 20_000 });
  t.diagnostic(`the path: ${JSON.stringify((await viewer.state()).path)}`);
  const told = (await viewer.candidates()).filter((candidate) => / typ srflx /.test(candidate));
  assert.ok(told.length > 0 && told.every((candidate) => candidate.includes(` ${network.seenByMachine} `)), told.join('\n'));
});

scenario('the check tries every server, and connects to itself through those that forward', ['mesh'], async (scene) => {
  const { network, file, agent } = await stage(scene);
  const [host, credential_file] = [network.seenByAgent, file('password', PASSWORD)];
  agent([
    { urls: [`stun:${host}`, `stun:${host}:9`] },
    { urls: [`turn:${host}`, `turns:${host}`], username: USER, credential_file },
    { urls: [`turn:${host}?transport=tcp`], username: USER, credential_file: file('wrong', 'not the password') },
  ]);
  const args = ['check', '--json', '--config', join(scene.directory, 'agent.toml')];
  const check = scene.owns(new Child('roomcam check', ...network.within(ROOMCAM, args)));
  const { code } = await check.exited;
  const text = check.lines.join('\n');
  const findings = JSON.parse(text.slice(text.indexOf('[\n'))).slice(4).map(({ check: what, status, detail }) => `${what}: ${status}: ${detail}`);
  const expected = [
    /^signalling: ok: .*joined room/,
    /^addresses: ok: participants are told of 198\.18\.82\.1$/,
    /^STUN server: ok: stun:198\.18\.82\.2:3478: sees this device at its own address$/,
    /^STUN server: failed: stun:198\.18\.82\.2:9: it does not answer/,
    /^TURN server: ok: turn:.*transport=udp: forwards what comes to 198\.18\.81\.2:/,
    /^TURN server: ok: turns:.*: forwards what comes to 198\.18\.81\.2:/,
    /^TURN server: failed: turn:.*transport=tcp: it refuses the credentials; check username/,
    /^connection: ok: to itself: after \d+ ms$/,
    /^connection: ok: through turn:.*transport=udp: after \d+ ms$/,
    /^connection: ok: through turns:.*: after \d+ ms$/,
    /^panel: skipped/,
  ];
  assert.equal(findings.length, expected.length, findings.join('\n'));
  for (const [index, pattern] of expected.entries()) assert.match(findings[index], pattern);
  assert.equal(code, 1);
});

/** The longest that the picture may stand still once there is an address from which it can be sent, in ms. */
const MOVE_MS = 2_000;
/** Who offers decides over the path: the page, which does to whoever comes, or the agent. */
const MOVES = ['the new address comes first', 'the old address goes first'].flatMap((order) => [
  { order, offerer: 'the page offers' },
  { order, offerer: 'the agent offers' },
]);

scenario('the picture goes on when the device moves to another network', MOVES, async (scene, { order, offerer }, t) => {
  const move = new Move();
  scene.ends(() => move.close());
  const signalling = await startMeshServer({ HOST: '0.0.0.0' });
  scene.owns(signalling.child);
  const { port } = new URL(signalling.origin);
  const browser = await scene.browser();
  const page = await browser.newPage();
  await page.goto(`${browser.pages}/mesh.html?sends=no&offers=${offerer === 'the page offers' ? 'both' : 'newcomer'}`);
  await page.evaluate(([origin, room]) => window.participant.join(origin, room, 'viewer'), [`http://127.0.0.1:${port}`, scene.room]);
  scene.agent({ origin: `http://${move.before}:${port}` }, 'agent', { link: move, meeting: { protocol: 'mesh' } });
  await framesShown(page, 'video', 30);
  const { sid } = await page.evaluate(() => window.participant.state());

  const now = () => page.evaluate(() => performance.now());
  if (order === 'the new address comes first') {
    move.arrive();
    await observeFor(1_000);
  } else {
    move.leave();
    await observeFor(2_000);
  }
  const fromMs = await now();
  if (order === 'the new address comes first') move.leave();
  else move.arrive();
  const report = await until('a second of pictures', 15_000, async () => {
    const seen = await reportOf(page, 'video');
    // For as long the connection is the first one: the agent notices after 10 s that the one to the server is lost.
    return seen.frames.filter(([atMs]) => atMs > seen.now - 1_000).length > 15 && seen.now > fromMs + 5_000 ? seen : undefined;
  });
  const stoodStillMs = Math.round(longestGapMs(report, fromMs, report.now));
  t.diagnostic(`the picture stood still for ${stoodStillMs} ms`);
  const after = await page.evaluate(() => window.participant.state());
  t.diagnostic(`the path: ${JSON.stringify(after.path)}`);
  assert.equal(after.sid, sid, 'it is the same connection');
  assert.ok(stoodStillMs <= MOVE_MS, `the picture stood still for ${stoodStillMs} ms`);
});

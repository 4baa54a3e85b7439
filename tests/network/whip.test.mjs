// Media servers by WHIP: one that is reached through the TURN server alone that it names, and addresses that change.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { framesShown, reportOf } from '../e2e/lib/browser.mjs';
import { missingForJanus, startAiortc, startJanus, VIDEO_ROOM } from '../e2e/lib/media-servers.mjs';
import { longestGapMs } from '../e2e/lib/pictures.mjs';
import { scenario } from '../e2e/lib/scene.mjs';
import { observeFor, until } from '../e2e/lib/waiting.mjs';
import { Move } from './move.mjs';
import { TurnNetwork } from './turn-network.mjs';
import { startTurnServer } from './turn-server.mjs';

const USER = 'lobby';
const PASSWORD = 'a password of a test';
const TOKEN = 'verysecret';
const publisher = (scene, server, link, meeting = {}) =>
  scene.agent(server, 'agent', { link, meeting: { protocol: 'whip', ...meeting }, env: { ROOMCAM_TOKEN: TOKEN } });

/** An agent behind a firewall that lets no datagrams through, a TURN server there, and aiortc on the machine. `links`: the
 *  headers that it sends, of the address at which the agent finds the TURN server. */
async function behindFirewall(scene, links) {
  const network = new TurnNetwork();
  scene.ends(() => network.close());
  network.translateConnectionsOnly();
  const turn = await startTurnServer({
    directory: scene.directory,
    addresses: [network.seenByMachine, network.seenByAgent],
    users: [`${USER}:${PASSWORD}`],
    within: (program, args) => network.inTheMiddle(program, args),
  });
  scene.owns(turn.child);
  const server = await startAiortc({ TOKEN, HOST: network.machine, TRICKLES: '1', LINKS: JSON.stringify(links(network.seenByAgent)) });
  scene.owns(server.child);
  const agent = publisher(scene, server, network, { ca_file: turn.certificate });
  const pictures = () => until('pictures', 30_000, async () => {
    const state = await server.state();
    return state.pictures > 30 && state;
  });
  return { network, agent, pictures };
}

const link = (url, username, credential) =>
  `<${url}>; rel="ice-server"; username="${username}"; credential="${credential}"; credential-type="password"`;
const TRANSPORTS = {
  UDP: (host) => `turn:${host}:3478?transport=udp`,
  TLS: (host) => `turns:${host}:5349?transport=tcp`,
};

scenario('media go through the TURN server that a WHIP server names', Object.keys(TRANSPORTS), async (scene, transport, t) => {
  const { network, agent, pictures } = await behindFirewall(scene, (host) => [link(TRANSPORTS[transport](host), USER, PASSWORD)]);
  const { from, told, sounds } = await pictures();
  t.diagnostic(`media come from ${from}; told by PATCH: ${told.join(', ')}`);
  assert.equal(from[0], network.seenByMachine, 'they come from where the TURN server is');
  assert.ok(sounds > 20);
  assert.ok(told.some((candidate) => candidate.includes(` ${network.seenByMachine} `) && / typ relay/.test(candidate)), told.join('\n'));
  assert.ok(!agent.lines.some((line) => line.includes(PASSWORD)));
});

scenario('servers that a WHIP server names and that cannot be used are told of, and cost nothing else', ['whip'], async (scene) => {
  const { agent, pictures } = await behindFirewall(scene, (host) => [
    link(`turn:${host}:3478?transport=tcp`, USER, 'not the password'),
    link('turn:without.example.org', 'u'.repeat(600), 'far too long a name'),
    '<turn:nobody.example.org>; rel="ice-server"',
    link(`turn:${USER}:${PASSWORD}@odd.example.org`, USER, PASSWORD),
    link(TRANSPORTS.UDP(host), USER, PASSWORD),
  ]);
  await pictures();
  const told = await until('the refused credentials', 15_000, async () => {
    const { faults } = await agent.control.status();
    return faults.find(({ part, ongoing }) => part === 'ice-server' && ongoing)?.message;
  });
  assert.match(told, /:3478\?transport=tcp \(named by the media server\): it refuses the credentials that the media server gave/);
  for (const pattern of [/turn:without\.example\.org:\S+ comes with a username or/, /turn:nobody\.example\.org:\S+ comes without/, /odd\.example\.org is no address/]) {
    const lines = agent.lines.filter((line) => pattern.test(line));
    assert.equal(lines.length, 1, `${pattern}: ${lines}`);
    assert.ok(lines[0].includes('WHIP endpoint http://'), lines[0]);
  }
  for (const secret of [PASSWORD, 'not the password', 'far too long']) {
    assert.ok(!agent.lines.some((line) => line.includes(secret)), secret);
  }
  await pictures();
});

const missing = missingForJanus();
if (missing) {
  console.log(`SKIPPED: ${missing}; nothing is known of Janus and changing addresses.`);
} else {
  scenario('a device that moves to another network goes on publishing', ['the new address comes first', 'the old address goes first'], async (scene, order, t) => {
    const move = new Move();
    scene.ends(() => move.close());
    const directory = join(scene.directory, 'janus');
    mkdirSync(directory);
    const server = await startJanus(directory, move.before, TOKEN);
    for (const child of server.children) scene.owns(child);
    const browser = await scene.browser();
    const page = await browser.newPage();
    await page.goto(`${browser.pages}/janus.html`);
    await page.evaluate(([socket, room]) => window.viewer.watch(socket, room), [server.socket, VIDEO_ROOM]);
    const agent = publisher(scene, server, move);
    await framesShown(page, 'video', 30);

    const fromMs = await page.evaluate(() => performance.now());
    if (order === 'the new address comes first') {
      move.arrive();
      await observeFor(1_000);
      move.leave();
    } else {
      move.leave();
      await observeFor(2_000);
      move.arrive();
    }
    // Longer than a session goes on that has no way for media.
    const report = await until('a picture that goes on', 40_000, async () => {
      const seen = await reportOf(page, 'video');
      return seen.now > fromMs + 20_000 && seen.frames.filter(([atMs]) => atMs > seen.now - 1_000).length > 10 && seen;
    });
    t.diagnostic(`the picture stood still for ${Math.round(longestGapMs(report, fromMs, report.now))} ms`);
    const count = (pattern) => agent.lines.filter((line) => pattern.test(line)).length;
    for (const line of agent.lines.filter((text) => /WHIP|joined|restart|addresses/.test(text))) t.diagnostic(line);
    assert.equal(count(/joined the room/), 1, 'it is the same session');
    assert.ok(count(/restarting ICE/) >= 1);
  });
}

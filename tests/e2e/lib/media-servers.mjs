// Media servers that take publishers by WHIP, each a process or two: aiortc, which decodes what it gets, and Janus behind
// Meetecho's simple-whip-server, whose VideoRoom pages watch (docs/whip.md).

import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from './processes.mjs';
import { TESTS } from './paths.mjs';

const PYTHON = join(TESTS, 'signalling/.venv/bin/python');
const JANUS = '/usr/lib/x86_64-linux-gnu/janus';
const SIMPLE_WHIP_SERVER = join(TESTS, 'whip');
/** Every Janus of the tests has this one room. */
export const VIDEO_ROOM = 1234;

/** aiortc, at `origin`. `env`: the options of `tests/signalling/whip.py`. */
export async function startAiortc(env) {
  const child = new Child('aiortc', PYTHON, [join(TESTS, 'signalling/whip.py')], { env });
  const [server] = await child.line(/^http:\/\/\S+/);
  return { child, origin: `${server}/whip/endpoint`, state: async () => (await fetch(`${server}/test/state`)).json() };
}

/** What is missing for Janus on this machine, if anything. */
export function missingForJanus() {
  if (process.getuid() !== 0) return 'a network namespace takes root';
  if (!existsSync(JANUS)) return 'janus is not installed';
  return existsSync(join(SIMPLE_WHIP_SERVER, 'server/src/server.js')) ? undefined : 'simple-whip-server is not installed';
}

/** `child`, once it has said so. One that does not is ended, because nobody else knows of it. */
async function ready(child, pattern) {
  try {
    await child.line(pattern);
    return child;
  } catch (error) {
    await child.stop();
    throw error;
  }
}

/** Janus, which `start` starts again, with simple-whip-server, reached at `address`. That must not be a loopback address:
 *  Janus has no candidates there.
 *  `directory`: where its configuration goes. `token`: what its endpoint wants. */
export async function startJanus(directory, address, token) {
  const at = (...parts) => join(directory, ...parts);
  for (const [kind, name] of [['plugins', 'videoroom'], ['transports', 'websockets']]) {
    mkdirSync(at(kind));
    symlinkSync(join(JANUS, kind, `libjanus_${name}.so`), at(kind, `libjanus_${name}.so`));
  }
  const ports = { socket: 8188, http: 7080 };
  writeFileSync(at('janus.jcfg'), `
    general: { configs_folder = "${directory}" plugins_folder = "${at('plugins')}" transports_folder = "${at('transports')}" }
    media: { rtp_port_range = "40000-40100" }
    nat: { ice_enforce_list = "${address}" full_trickle = false ice_keepalive_conncheck = true }\n`);
  writeFileSync(at('janus.plugin.videoroom.jcfg'),
    `room-${VIDEO_ROOM}: { publishers = 6 bitrate = 1024000 fir_freq = 10 audiocodec = "opus" videocodec = "vp8" }\n`);
  writeFileSync(at('janus.transport.websockets.jcfg'), `general: { json = "compact" ws = true ws_port = ${ports.socket} }\n`);

  const start = () => ready(new Child('janus', 'janus', ['-F', directory]), /WebSockets thread started/);
  const server = `http://${address}:${ports.http}/whip`;
  const children = [await start()];
  try {
    const whip = new Child('simple-whip-server', process.execPath, [join(SIMPLE_WHIP_SERVER, 'server/src/server.js')]);
    children.push(await ready(whip, /WHIP REST API OK/));
    const created = await fetch(`${server}/create`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id: 'cam1', room: VIDEO_ROOM, label: 'cam1', token }),
    });
    if (!created.ok) throw new Error(`no endpoint: ${await created.text()}`);
  } catch (error) {
    await Promise.all(children.map((child) => child.stop()));
    throw error;
  }
  return {
    children,
    start,
    origin: `${server}/endpoint/cam1`,
    socket: `ws://${address}:${ports.socket}`,
  };
}

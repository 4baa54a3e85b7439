// The signalling servers that meetings over WebRTC run against, each a process: python-socketio for "mesh", Node's socket.io
// for "noom" (docs/signalling.md).

import { join } from 'node:path';
import { Child } from './processes.mjs';
import { TESTS } from './paths.mjs';

const SIGNALLING = join(TESTS, 'signalling');

/** `env`: the options of `tests/signalling/mesh.py`. `within`: makes of a program and its arguments a command and all of
 *  its own, which runs the program somewhere else. */
export const startMeshServer = (env, within) =>
  start('signalling mesh', join(SIGNALLING, '.venv/bin/python'), join(SIGNALLING, 'mesh.py'), env, within);

/** `env`: the options of `tests/signalling/noom.mjs`. */
export const startNoomServer = (env) => start('signalling noom', process.execPath, join(SIGNALLING, 'noom.mjs'), env);

async function start(name, program, script, env, within = (command, args) => [command, args]) {
  const [command, args] = within(program, [script]);
  const child = new Child(name, command, args, { env });
  const [origin] = await child.line(/^http:\/\/\S+/);
  const get = async (path) => (await fetch(origin + path)).json();
  return {
    child,
    origin,
    /** What participants said: [event, arguments...] in order. */
    said: () => get('/test/said'),
    /** Who is in a room: of "mesh" names by socket id, of "noom" how many. */
    users: (room) => get(`/test/users?room=${room}`),
    stop: () => child.stop(),
  };
}

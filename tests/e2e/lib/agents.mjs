// The agent under test: a configuration file of its own, and the process that runs it.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ControlSocket } from './control.mjs';
import { Child } from './processes.mjs';
import { ROOMCAM } from './paths.mjs';

const CAPTURE = { profile: 'test-pattern', width: 640, height: 480, fps: 30, video_bitrate: 800_000, cadence_ms: 100 };

/** For tests that judge whether and when a picture comes: a small one leaves the processor to more agents and viewers. */
export const SMALL_PICTURE = { width: 320, height: 240, video_bitrate: 300_000 };

/** Starts `roomcam run` in a room.
 *  `directory`: where its configuration and trace go. `userId`: also its name, unless `username` is given.
 *  `meeting`, `capture`: further keys of these tables. `program`: which build. `lamps`: the recording lamps among
 *  which it runs. `link`: at whose far end it runs. `iceServers`: its STUN and TURN servers. */
export function startAgent({ directory, origin, room, userId, username = userId, meeting = {}, iceServers = [], capture = {}, env = {}, program = ROOMCAM, lamps, link }) {
  const config = join(directory, `${userId}.toml`);
  const trace = join(directory, `${userId}.trace.jsonl`);
  const socket = join(directory, `${userId}.sock`);
  const configure = (changes = {}) =>
    writeFileSync(
      config,
      table('meeting', { url: origin, room, username, user_id: userId, ...meeting }) +
        table('capture', { ...CAPTURE, ...capture, ...changes }) +
        table('control', { socket }) +
        iceServers.map((server) => table('[meeting.ice_server]', server)).join('') +
        (lamps?.configuration ?? ''),
    );
  configure();
  const args = ['run', '--config', config, '--trace-chunks', trace];
  const [command, all] = lamps ? lamps.among(program, args) : (link?.within(program, args) ?? [program, args]);
  const child = new Child(`agent ${userId}`, command, all, { env });
  child.config = config;
  child.control = new ControlSocket(socket);
  child.userId = userId;
  /** Lets the agent capture in another way, or as at its start. */
  child.recapture = async (changes) => {
    configure(changes);
    await child.control.reload();
  };
  child.trace = () => readTrace(trace);
  return child;
}

/** The lines of a chunk trace; the last one may still be being written. */
export function readTrace(path) {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.slice(0, -1).map((line) => JSON.parse(line));
}

function table(name, keys) {
  // A JSON string, number or boolean is a TOML one too.
  const lines = Object.entries(keys).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  return `[${name}]\n${lines.join('\n')}\n`;
}

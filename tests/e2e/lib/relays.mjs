// The relays that the tests run against: the NestJS one in each generation, and the embedded one.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Child } from './processes.mjs';
import { servePages } from './pages.mjs';
import { ROOMCAM, TESTS } from './paths.mjs';

/** Every relay, for tests that must hold against each. */
export const RELAYS = ['nestjs-new', 'nestjs-old', 'embedded'];

const GENERATIONS = { 'nestjs-new': 'new', 'nestjs-middle': 'middle', 'nestjs-old': 'old' };

/** Starts a relay. `port` 0 picks one; `program`, `flags`: which build of the embedded one, and its further flags; `env`: options of
 *  the NestJS one. */
export async function startRelay(kind, { port = 0, token, program = ROOMCAM, flags = [], env = {} } = {}) {
  const child = kind === 'embedded' ? await startEmbedded(program, port, flags) : startNest(kind, port, token, env);
  const [url] = await child.line(/http:\/\/[^\s"]+/);
  return new Relay(kind, child, new URL(url));
}

async function startEmbedded(program, port, flags) {
  const args = ['relay', '--listen', `127.0.0.1:${port}`, '--allow-origin', await servePages(), ...flags];
  return new Child('roomcam relay', program, args);
}

function startNest(kind, port, token, options) {
  compileNest();
  const env = { PORT: String(port), GENERATION: GENERATIONS[kind], ...options };
  if (token !== undefined) env.TOKEN = token;
  return new Child(kind, process.execPath, [join(TESTS, 'relay/dist/main.js')], { env });
}

/** Compiles the NestJS relay if a source is newer than what was compiled. */
function compileNest() {
  const sources = join(TESTS, 'relay/src');
  const compiled = join(TESTS, 'relay/dist/main.js');
  const newest = Math.max(...readdirSync(sources).map((name) => statSync(join(sources, name)).mtimeMs));
  if (existsSync(compiled) && statSync(compiled).mtimeMs >= newest) return;
  execFileSync(process.execPath, [join(TESTS, 'node_modules/typescript/bin/tsc'), '-p', join(TESTS, 'relay')], { stdio: 'inherit' });
}

/** A running relay. */
class Relay {
  constructor(kind, child, url) {
    this.kind = kind;
    this.child = child;
    /** What participants connect to. */
    this.origin = url.origin;
    /** What the relay printed: the embedded relay's viewer page. */
    this.viewerUrl = url.href;
    this.port = Number(url.port);
  }

  stop() {
    return this.child.stop();
  }

  /** Ends the relay as a crash would: no goodbye to anyone. */
  async kill() {
    this.child.signal('SIGKILL');
    await this.child.exited;
  }

  /** Test control of the NestJS relay: `GET /test/<what>`. */
  async get(what, query = {}) {
    const response = await fetch(`${this.origin}/test/${what}?${new URLSearchParams(query)}`);
    if (!response.ok) throw new Error(`GET /test/${what}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** Test control of the NestJS relay: `POST /test/<what>`. */
  async post(what, query = {}) {
    const response = await fetch(`${this.origin}/test/${what}?${new URLSearchParams(query)}`, { method: 'POST' });
    if (!response.ok) throw new Error(`POST /test/${what}: ${response.status} ${await response.text()}`);
  }

  /** What the NestJS relay counted for one sender. */
  async sender(userId) {
    const { senders } = await this.get('stats');
    return senders.find((sender) => sender.userId === userId);
  }
}

// A Redis of the test's own, on a socket in its directory.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from './processes.mjs';
import { observeFor, until } from './waiting.mjs';

let started = 0;

export async function startRedis(directory) {
  started += 1;
  const redis = new Redis(join(directory, `redis-${started}.sock`), directory);
  await redis.start();
  return redis;
}

class Redis {
  constructor(socket, directory) {
    this.socket = socket;
    this.directory = directory;
    this.url = `redis+unix://${socket}`;
  }

  async start() {
    this.child = new Child('redis-server', 'redis-server', ['--port', '0', '--unixsocket', this.socket, '--save', '', '--dir', this.directory]);
    await this.child.line(/ready to accept connections/i);
    await until('the socket of Redis', 5_000, () => existsSync(this.socket));
  }

  get name() {
    return this.child.name;
  }

  get pid() {
    return this.child.pid;
  }

  get exit() {
    return this.child.exit;
  }

  get lines() {
    return this.child.lines;
  }

  stop() {
    return this.child.stop();
  }

  /** Is away for a while, and has forgotten everything. */
  async restarts(awayMs) {
    await this.child.stop();
    await observeFor(awayMs);
    await this.start();
  }

  /** Keeps its connections and does nothing for a while. */
  async freezes(frozenMs) {
    this.child.signal('SIGSTOP');
    await observeFor(frozenMs);
    this.child.signal('SIGCONT');
  }
}

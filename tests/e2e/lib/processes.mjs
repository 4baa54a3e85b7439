// Processes that tests start: readiness by a line of output, an end by pid, and their whole log at hand.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { until } from './waiting.mjs';

/** A child process whose output is kept line by line. */
export class Child {
  #process;

  /** `input`: whether the child reads what [`write`] sends; otherwise its standard input is empty. */
  constructor(name, command, args, { env = {}, input = false } = {}) {
    this.name = name;
    this.lines = [];
    this.startedMs = performance.timeOrigin + performance.now();
    this.#process = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    this.exited = new Promise((resolve) => {
      this.#process.on('exit', (code, signal) => {
        this.exit = { code, signal, atMs: performance.timeOrigin + performance.now() };
        resolve(this.exit);
      });
      this.#process.on('error', (error) => {
        this.lines.push(`cannot start ${command}: ${error.message}`);
        this.exit ??= { code: null, signal: null, atMs: performance.timeOrigin + performance.now() };
        resolve(this.exit);
      });
    });
    for (const [stream, to] of [['stdout', this.#process.stdout], ['stderr', this.#process.stderr]]) {
      createInterface({ input: to }).on('line', (text) => {
        this.lines.push(text);
        if (process.env.E2E_VERBOSE) console.error(`[${name} ${stream}] ${text}`);
      });
    }
  }

  get pid() {
    return this.#process.pid;
  }

  write(text) {
    this.#process.stdin.write(text);
  }

  /** Resolves with the match of the first line that matches; rejects when the process ends before. */
  async line(pattern, deadlineMs = 15_000) {
    return until(`a line like ${pattern} from ${this.name}`, deadlineMs, () => {
      for (const line of this.lines) {
        const match = pattern.exec(line);
        if (match) return match;
      }
      if (this.exit) throw new Error(`${this.name} ended (${JSON.stringify(this.exit)}) without ${pattern}:\n${this.tail()}`);
      return undefined;
    });
  }

  /** The last lines of output, for an error message. */
  tail(count = 25) {
    return this.lines.slice(-count).join('\n');
  }

  signal(name) {
    if (!this.exit) this.#process.kill(name);
  }

  /** Ends the process if it still runs: SIGTERM, and SIGKILL after `graceMs`. Returns its exit. */
  async stop(graceMs = 3_000) {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }
}

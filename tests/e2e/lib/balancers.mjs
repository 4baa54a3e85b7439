// Load balancers in front of relays, with the configurations that operators are given.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TESTS } from './paths.mjs';
import { freePort } from './ports.mjs';
import { Child } from './processes.mjs';
import { until } from './waiting.mjs';

const given = (name) => readFileSync(join(TESTS, '../systemd', name), 'utf8');

/** The text with something else in it, which must be there. */
function replaced(text, pattern, by) {
  const changed = text.replace(pattern, by);
  if (changed === text) throw new Error(`the configuration has no ${pattern}`);
  return changed;
}

/** The servers of the configuration make way for those of the test. */
function withRelays(text, pattern, relays, line) {
  const [first] = text.match(pattern) ?? [];
  return replaced(text, first, relays.map((relay, index) => line(relay, index)).join('\n') + '\n');
}

const KINDS = {
  haproxy({ directory, port, relays }) {
    const path = join(directory, 'haproxy.cfg');
    const config = withRelays(given('relays.haproxy.cfg'), /^( +server .*\n)+/m, relays, ({ port: at }, index) => `    server relay-${index + 1} 127.0.0.1:${at}`);
    writeFileSync(path, replaced(config, 'bind :80', `bind 127.0.0.1:${port}`));
    return ['haproxy', ['-db', '-f', path]];
  },
  nginx({ directory, port, relays }) {
    const path = join(directory, 'nginx.conf');
    const config = withRelays(given('relays.nginx.conf'), /^( +server .*\n)+/m, relays, ({ port: at }) => `    server 127.0.0.1:${at} max_fails=0;`);
    const temporary = join(directory, 'nginx');
    mkdirSync(temporary);
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${temporary};`).join('\n');
    writeFileSync(
      path,
      `daemon off;\npid ${directory}/nginx.pid;\nerror_log stderr;\nworker_processes 1;\nevents {}\n` +
        `http {\naccess_log off;\n${paths}\n${replaced(config, 'listen 80', `listen 127.0.0.1:${port}`)}}\n`,
    );
    return ['nginx', ['-p', directory, '-c', path, '-e', 'stderr']];
  },
};

/** Starts a load balancer in front of relays that run. */
export async function startBalancer(kind, directory, relays) {
  const port = await freePort();
  const [program, args] = KINDS[kind]({ directory, port, relays });
  // Both are in /usr/sbin, which people who are not root do not search.
  const path = execFileSync('sh', ['-c', `PATH=$PATH:/usr/sbin command -v ${program}`], { encoding: 'utf8' }).trim();
  const balancer = new Balancer(port, () => new Child(kind, path, args));
  await balancer.answers();
  return balancer;
}

class Balancer {
  #start;

  constructor(port, start) {
    this.port = port;
    this.origin = `http://127.0.0.1:${port}`;
    this.viewerUrl = `${this.origin}/`;
    this.#start = start;
    this.child = start();
  }

  /** Resolves when it reaches a relay. */
  answers() {
    const { child, origin } = this;
    return until(`${child.name} with a relay`, 10_000, async () => {
      if (child.exit) throw new Error(`${child.name} ended: ${child.tail()}`);
      return (await fetch(`${origin}/livez`).catch(() => undefined))?.ok;
    });
  }

  /** Ends it with all connections, and starts it again. */
  async restart() {
    await this.child.stop();
    this.child = this.#start();
  }
}

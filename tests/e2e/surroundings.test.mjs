// What changes around a daemon that runs for months: names lead elsewhere, the disk is full, somebody sets the clock. It goes
// on, and says once what is wrong. Names and disks are the agent's own, in a mount namespace, which takes root.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { scenario } from './lib/scene.mjs';
import { until } from './lib/waiting.mjs';

const MOUNTING = process.getuid() === 0 ? ['nestjs-new'] : [];
if (MOUNTING.length === 0) console.log('SKIPPED: it takes root to give the agent names and disks of its own');

/** Runs the agent in a mount namespace of its own, after `script`. */
const amongMounts = (script) => ({
  within: (program, args) => ['unshare', ['--mount', 'sh', '-euc', `${script}; exec "$@"`, 'sh', program, ...args]],
});

const warnings = (agent, pattern) => agent.lines.filter((line) => /WARN|ERROR/.test(line) && pattern.test(line));

scenario('a relay whose name leads elsewhere is found there', MOUNTING, async (scene, kind) => {
  const hosts = join(scene.directory, 'hosts');
  const lead = (address) => writeFileSync(hosts, `127.0.0.1 localhost\n${address} relay.test\n`);
  lead('127.0.0.1');
  const here = await scene.relay(kind, { env: { ADDRESS: '127.0.0.1' } });
  const there = await scene.relay(kind, { port: here.port, env: { ADDRESS: '127.0.0.2' } });
  const agent = scene.agent({ origin: `http://relay.test:${here.port}` }, 'agent', { link: amongMounts(`mount --bind ${hosts} /etc/hosts`) });
  const first = await scene.participant(here, 'first');
  await first.chunkOf('agent');

  lead('127.0.0.2');
  const second = await scene.participant(there, 'second');
  await here.kill();
  await second.chunkOf('agent', { deadlineMs: 30_000 });
  assert.equal(warnings(agent, /relay\.test/).length, 1, 'that it was away is said once');
});

scenario('a disk that is full or read-only costs nothing but a line of the log', MOUNTING, async (scene, kind) => {
  const state = join(scene.directory, 'state');
  mkdirSync(state);
  const relay = await scene.relay(kind);
  const disk = `mount -t tmpfs -o size=64k tmpfs ${state}; head -c 65536 /dev/zero > ${state}/full 2>/dev/null || true`;
  const agent = scene.agent(relay, 'agent', { link: amongMounts(disk), env: { STATE_DIRECTORY: state } });
  await until('the control socket', 10_000, () => agent.control.answers());
  /** The agent's own view of its disk. */
  const onDisk = (name) => join('/proc', String(agent.pid), 'root', state, name);
  const toggle = async () => {
    for (const muted of [true, false, true, false, true]) await agent.control.mic(muted);
  };
  const told = (pattern) => warnings(agent, /cannot keep what was chosen/).filter((line) => pattern.test(line)).length;

  await toggle();
  await until('a line of the log', 3_000, () => told(/No space left/) > 0);
  await toggle();
  assert.equal(told(/No space left/), 1);
  assert.equal((await agent.control.status()).mic.wanted_muted, true);

  rmSync(onDisk('full'));
  await agent.control.mic(false);
  const choice = onDisk('choice.json');
  await until('the choice to be kept', 3_000, () => existsSync(choice) && JSON.parse(readFileSync(choice, 'utf8')).mic_live);
  assert.equal(told(/./), 1, 'a disk that works again is no fault');

  execFileSync('nsenter', ['--mount', `--target=${agent.pid}`, 'mount', '-o', 'remount,ro', state]);
  await toggle();
  await until('a line of the log', 3_000, () => told(/Read-only file system/) > 0);
  await toggle();
  assert.equal(told(/Read-only file system/), 1);
  assert.equal(told(/./), 2);
});

const HOUR_S = 3_600;

scenario('a wall clock that is set by hours moves nothing', ['nestjs-new'], async (scene, kind, t) => {
  const offset = join(scene.directory, 'offset');
  const set = (seconds) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(seconds));
    writeFileSync(offset, bytes, { flag: 'r+' });
  };
  writeFileSync(offset, Buffer.alloc(8));
  const library = join(scene.directory, 'wall-clock.so');
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, fileURLToPath(new URL('lib/wall-clock.c', import.meta.url))]);
  const relay = await scene.relay(kind);
  const witness = await scene.participant(relay, 'witness');
  const agent = scene.agent(relay, 'agent', { env: { LD_PRELOAD: library, WALL_CLOCK_OFFSET: offset } });
  await witness.chunkOf('agent');

  const seen = [];
  for (const hours of [0, 5, -7, 0]) {
    set(hours * HOUR_S);
    const { length } = witness.chunks;
    await until('20 chunks', 10_000, () => witness.chunks.length >= length + 20);
    const { timestamp, atMs } = witness.chunks.at(-1);
    // Added to zero, a negative zero is none.
    seen.push(Math.round((timestamp - atMs) / (HOUR_S * 1_000)) + 0);
  }
  assert.deepEqual(seen, [0, 5, -7, 0], 'the clock that chunks tell is the one that was set');

  const trace = agent.trace();
  const steps = trace.slice(1).map(({ end_ms: end }, index) => end - trace[index].end_ms);
  const times = trace.slice(1).map(({ t_ms: at }, index) => at - trace[index].t_ms);
  t.diagnostic(`${trace.length} chunks; ${Math.min(...steps)} to ${Math.max(...steps)} ms of media each; at most ${Math.max(...times).toFixed(0)} ms between two`);
  assert.ok(trace.every(({ epoch }) => epoch === trace[0].epoch), 'one epoch');
  assert.ok(Math.max(...times) < 3_000, 'no pause');
  assert.equal(warnings(agent, /./).length, 0);
  const { happenings } = await relay.get('stats');
  assert.equal(happenings.filter(({ userId, what }) => userId === 'agent' && what === 'join').length, 1, 'one join');
});

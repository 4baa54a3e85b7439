// Runs test files in two lanes, each with a network of its own. One runs those that judge time, one after the other, with all
// processor cores: with a core each, two at a time made pictures stand still for seconds on a slow day. A test file leaves most of
// two cores unused, and that is for the other lane: what only asks whether something happens. Those called `alone` need all of
// both cores, and come last.
// Usage: node lanes.mjs {FILE.mjs | COMMAND}...    Commands judge no time, and run in the network of the machine.

import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import { IdleGroup } from './idle-group.mjs';
import { run, VethPair } from './network/veth.mjs';

/** Test files that judge no time, and wait long enough when they get little of it. */
const UNTIMED = ['page-states', 'fleet', 'check'];

const isFile = (what) => what.endsWith('.mjs');
const isAlone = (what) => what.endsWith('.alone.mjs');
const isTimed = (what) => isFile(what) && !isAlone(what) && !UNTIMED.includes(nameOf(what));
const nameOf = (file) => basename(file).split('.')[0];

/** What runs one thing after another: with the processor time that others leave, if it has an idle group, and for root with a
 *  network namespace in which tests may make links as they like. */
class Lane {
  constructor(name, idleGroup) {
    this.idleGroup = idleGroup;
    if (process.getuid() !== 0) return;
    this.namespace = `roomcam-${name}-${process.pid}`;
    const { namespace } = this;
    // Browsers and agents have no candidates on loopback for WebRTC. The addresses are for examples (RFC 5737).
    this.link = new VethPair([
      { namespace, device: 'eth0', address: '198.51.100.2' },
      { namespace, exists: true, device: 'router' },
    ]);
    run('ip', '-n', namespace, 'route', 'add', 'default', 'via', '198.51.100.1');
    // Whoever stops reading is noticed after 2 s. By itself the kernel takes in up to a minute of media for it.
    run('ip', 'netns', 'exec', namespace, 'sysctl', '-q', 'net.ipv4.tcp_rmem=4096 131072 262144');
  }

  /** Runs a test file or a command to its end. Resolves with what it printed and whether it passed. */
  async run(what) {
    const nsenter = this.namespace ? ['nsenter', `--net=/run/netns/${this.namespace}`] : [];
    const command = isFile(what) ? [...nsenter, process.execPath, '--test', what] : ['bash', '-c', what];
    const [program, ...args] = [...(this.idleGroup?.command ?? []), ...command];
    this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const output = [];
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on('data', (data) => output.push(data));
    const passed = await new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code) => resolve(code === 0));
    });
    return { passed, output: Buffer.concat(output) };
  }

  close() {
    this.child?.kill();
    this.link?.close();
    this.idleGroup?.close();
  }

  /** Runs what is in the queues, the first of them first, until they are empty. */
  async drain(...queues) {
    for (let what; (what = queues.find((queue) => queue.length > 0)?.shift()); ) {
      const beganMs = performance.now();
      const { passed, output } = await this.run(what);
      process.stdout.write(output);
      const seconds = ((performance.now() - beganMs) / 1_000).toFixed(0);
      console.log(`=== ${what}: ${passed ? 'passed' : 'FAILED'} after ${seconds} s`);
      if (!passed) failed.push(what);
    }
  }
}

const failed = [];
const given = process.argv.slice(2);
const timed = given.filter(isTimed);
const untimed = given.filter((what) => !isTimed(what) && !isAlone(what));
const timedLane = new Lane('timed');
// Without an idle group one lane runs everything.
const idleGroup = IdleGroup.make(`roomcam-${process.pid}`);
const untimedLane = idleGroup && new Lane('untimed', idleGroup);
process.on('exit', () => [timedLane, untimedLane].forEach((lane) => lane?.close()));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

await Promise.all([timedLane.drain(timed, untimed), untimedLane?.drain(untimed)]);
await timedLane.drain(given.filter(isAlone));
if (failed.length > 0) {
  console.log(`FAILED: ${failed.join(', ')}`);
  process.exitCode = 1;
}

// Runs test files side by side without one disturbing the other: each lane has processor cores and a network of its own.
// A test file takes half a core on average and all there are while it starts a browser: beside another that judges time,
// pictures stood still for seconds when both had the same cores. Those called `alone` need all cores, and come last.
// Usage: node lanes.mjs {FILE.mjs | COMMAND}...    A command runs in the network of the machine.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { run, VethPair } from './network/veth.mjs';

/** A browser with half a core is too slow. A third lane that got only what two leave of their cores (cpu.idle) saved 5 min of
 *  27, and made pictures of the others stand still for 2 s. */
const LANES = 2;
/** Commands and then those that take minutes come first, or one lane would go on for long after the other. */
const LONG = ['joins', 'signalling', 'events', 'fleet-freezes', 'page-states', 'page-browsers', 'page-webrtc', 'redis', 'network', 'toggles'];

const isFile = (what) => what.endsWith('.mjs');
const needsAll = (what) => what.endsWith('.alone.mjs');
function rank(what) {
  if (!isFile(what)) return -1;
  const place = LONG.indexOf(basename(what).split('.')[0]);
  return place < 0 ? LONG.length : place;
}

/** The numbers of the cores that this process may use. */
function cores() {
  const [, list] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** A share of the machine: cores and, for root, a network namespace in which tests may make links as they like. */
class Lane {
  constructor(number, cores) {
    this.cores = cores;
    if (process.getuid() !== 0) return;
    this.namespace = `roomcam-lane-${process.pid}-${number}`;
    const { namespace } = this;
    // Browsers and agents have no candidates on loopback for WebRTC. The addresses are for examples (RFC 5737).
    this.link = new VethPair([
      { namespace, device: 'eth0', address: '198.51.100.2' },
      { namespace, exists: true, device: 'router' },
    ]);
    run('ip', '-n', namespace, 'route', 'add', 'default', 'via', '198.51.100.1');
  }

  /** Runs a test file or a command to its end. Resolves with what it printed and whether it passed. */
  async run(what) {
    const taskset = ['taskset', '--cpu-list', this.cores.join(',')];
    const nsenter = this.namespace ? ['nsenter', `--net=/run/netns/${this.namespace}`] : [];
    const command = isFile(what) ? [...nsenter, ...taskset, process.execPath, '--test', what] : [...taskset, 'bash', '-c', what];
    this.child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
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
  }
}

const given = process.argv.slice(2);
const all = cores();
const count = Math.min(LANES, all.length);
const lanes = Array.from({ length: count }, (_, lane) => new Lane(lane, all.filter((_, index) => index % count === lane)));
process.on('exit', () => lanes.forEach((lane) => lane.close()));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

const failed = [];
async function drain(queue, lane) {
  for (let what; (what = queue.shift()); ) {
    const beganMs = performance.now();
    const { passed, output } = await lane.run(what);
    process.stdout.write(output);
    const seconds = ((performance.now() - beganMs) / 1_000).toFixed(0);
    console.log(`=== ${what}: ${passed ? 'passed' : 'FAILED'} after ${seconds} s`);
    if (!passed) failed.push(what);
  }
}
const queue = given.filter((what) => !needsAll(what)).sort((a, b) => rank(a) - rank(b));
await Promise.all(lanes.map((lane) => drain(queue, lane)));
lanes[0].cores = all;
await drain(given.filter(needsAll), lanes[0]);
if (failed.length > 0) {
  console.log(`FAILED: ${failed.join(', ')}`);
  process.exitCode = 1;
}

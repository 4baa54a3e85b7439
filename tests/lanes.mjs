// Runs test files and commands in lanes, each with a network of its own. First those files that judge time, one after the
// other; then those that judge none, several at a time; then those called `alone`, which need all of both cores. Commands go on
// beside the first two with the processor time that they leave.
// Usage: node lanes.mjs {FILE.mjs | COMMAND}...    Commands judge no time, and run in the network of the machine.

import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { IdleGroup } from './idle-group.mjs';
import { run, VethPair } from './network/veth.mjs';

/** Test files that judge no time, but wait for seconds for what has to happen. The longest come first. */
const PATIENT = [
  'page-states', 'page-webrtc', 'turn', 'whip', 'mesh', 'page-entry', 'signalling-pages', 'fleet', 'bad-relay', 'bad-camera',
  'check', 'killed',
];
/** So many of them at a time leave no core unused. */
const PATIENT_LANES = availableParallelism() + 1;

const isFile = (what) => what.endsWith('.mjs');
const isAlone = (what) => what.endsWith('.alone.mjs');
const isPatient = (what) => isFile(what) && PATIENT.includes(nameOf(what));
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

  /** Runs what is in the queue until it is empty. */
  async drain(queue) {
    for (let what; (what = queue.shift()); ) {
      const beganMs = performance.now();
      const { passed, output } = await this.run(what);
      process.stdout.write(output);
      const seconds = Math.round((performance.now() - beganMs) / 1_000);
      const outcome = `${what}: ${passed ? 'passed' : 'FAILED'}`;
      console.log(`=== ${outcome} after ${seconds} s`);
      outcomes.push({ outcome, seconds, passed });
    }
  }
}

const outcomes = [];
const given = process.argv.slice(2);
const commands = given.filter((what) => !isFile(what));
const patient = given.filter(isPatient).sort((a, b) => PATIENT.indexOf(nameOf(a)) - PATIENT.indexOf(nameOf(b)));
const timed = given.filter((what) => isFile(what) && !isPatient(what) && !isAlone(what));
const lanes = Array.from({ length: PATIENT_LANES }, (_, index) => new Lane(index));
const idleGroup = IdleGroup.make(`roomcam-${process.pid}`);
const idleLane = idleGroup && new Lane('idle', idleGroup);
process.on('exit', () => [...lanes, idleLane].forEach((lane) => lane?.close()));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

// Without an idle group nothing may go on beside what judges time.
if (!idleLane) await lanes[0].drain(commands);
const beside = idleLane?.drain(commands);
await lanes[0].drain(timed);
await Promise.all(lanes.map((lane) => lane.drain(patient)));
await beside;
await lanes[0].drain(given.filter(isAlone));

console.log('\n  min:s  in lanes');
for (const { outcome, seconds } of outcomes) {
  console.log(`${String(Math.floor(seconds / 60)).padStart(4)}:${String(seconds % 60).padStart(2, '0')}  ${outcome}`);
}
if (outcomes.some(({ passed }) => !passed)) process.exitCode = 1;

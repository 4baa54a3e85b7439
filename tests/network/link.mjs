// A link of a given rate between a network namespace, where the agent runs, and the machine, where relay and viewers are:
// a veth pair with a token bucket at the agent's end, whose queue holds 300 ms.

import { run, VethPair } from './veth.mjs';

/** How long the link's queue is, in time. Home routers hold some hundred milliseconds. */
const QUEUE_MS = 300;
/** What the bucket lets through at once, in bytes: two full packets. */
const BURST_BYTES = 3_100;
/** So fast is a link that is not limited. */
const UNLIMITED_BPS = 100_000_000;
/** A link that is held: the two packets that get through at once are hardly followed by a third. */
const HELD_BPS = 1_000;
/** What waits on it at most. */
const HELD_BYTES = 1_000_000;
/** 198.18.0.0/15 is for measurements like this one (RFC 2544). Each process has networks of its own, one for each link. */
const NETWORK = `198.18.${20 + (process.pid % 200)}`;
let links = 0;

export class Link {
  constructor() {
    const first = (4 * links) % 256;
    /** Where the agent finds the machine. */
    this.address = `${NETWORK}.${first + 1}`;
    this.namespace = `roomcam-${process.pid}-${links}`;
    this.near = `rcn${process.pid}-${links}`;
    this.far = 'eth0';
    links += 1;
    this.pair = new VethPair([
      { device: this.near, address: this.address },
      { namespace: this.namespace, device: this.far, address: `${NETWORK}.${first + 2}` },
    ]);
    // What a Pi has. This machine may have another one.
    run('ip', '-n', this.namespace, 'route', 'replace', `${NETWORK}.${first}/30`, 'dev', this.far, 'congctl', 'cubic');
    this.limit();
  }

  /** What the agent can send from now on, in bits per second; without an argument there is no limit. */
  limit(bitsPerSecond = UNLIMITED_BPS) {
    this.#shape(bitsPerSecond, ['latency', `${QUEUE_MS}ms`]);
  }

  /** Nothing gets through until [`release`], and nothing is lost: as Wi-Fi does while others talk. */
  hold() {
    this.#shape(HELD_BPS, ['limit', `${HELD_BYTES}`]);
  }

  release() {
    this.#shape(UNLIMITED_BPS, ['limit', `${HELD_BYTES}`]);
    // The queue looks at its new rate when a packet comes.
    run('ip', 'netns', 'exec', this.namespace, 'bash', '-c', `echo > /dev/udp/${this.address}/9`);
  }

  #shape(bitsPerSecond, queue) {
    run('tc', '-n', this.namespace, 'qdisc', 'replace', 'dev', this.far, 'root', 'tbf',
      'rate', `${Math.round(bitsPerSecond)}bit`, 'burst', `${BURST_BYTES}`, ...queue);
  }

  /** Pulls the plug, or puts it back. */
  plug(isIn) {
    run('ip', 'link', 'set', this.near, isIn ? 'up' : 'down');
  }

  /** The command that runs a program at the agent's end. */
  within(program, args) {
    return ['ip', ['netns', 'exec', this.namespace, program, ...args]];
  }

  close() {
    this.pair.close();
  }
}

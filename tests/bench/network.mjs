// Two network namespaces with a veth pair between them, each for one processor core: as near to a relay and its clients
// on two machines as one machine gets. Over loopback the kernel does the receivers' part of TCP within the relay's calls.

import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** Addresses for benchmarks (RFC 2544). */
const ADDRESSES = { relay: '198.18.0.1', clients: '198.18.0.2' };
const CORES = { relay: 0, clients: 1 };

/** The network to measure over, and what to say of it. Loopback without the right to make namespaces, or with one core. */
export function openNetwork() {
  if (process.getuid() !== 0) return loopback('it takes root to make network namespaces');
  if (availableParallelism() < 2) return loopback('there is one processor core');
  try {
    return new VethPair();
  } catch (error) {
    return loopback(error.message.split('\n').slice(0, 2).join(' '));
  }
}

function loopback(why) {
  return {
    name: `loopback (${why}): the relay's CPU has the kernel's work for the receivers in it`,
    relayAddress: '127.0.0.1',
    inside: (_side, command) => command,
    close: () => {},
  };
}

class VethPair {
  name = 'a veth pair, relay and clients on a core each';
  relayAddress = ADDRESSES.relay;

  constructor() {
    try {
      for (const side of Object.keys(ADDRESSES)) {
        ip('netns', 'add', namespace(side));
        ip('-n', namespace(side), 'link', 'set', 'lo', 'up');
      }
      ip('-n', namespace('relay'), 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace('clients'));
      for (const [side, address] of Object.entries(ADDRESSES)) {
        ip('-n', namespace(side), 'address', 'add', `${address}/30`, 'dev', 'eth0');
        ip('-n', namespace(side), 'link', 'set', 'eth0', 'up');
        // What arrives is worked on by the core of those for whom it is.
        const mask = (1 << CORES[side]).toString(16);
        ip('netns', 'exec', namespace(side), 'sh', '-c', `echo ${mask} > /sys/class/net/eth0/queues/rx-0/rps_cpus`);
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** A command line that runs `command` on one side. */
  inside(side, command) {
    return ['ip', 'netns', 'exec', namespace(side), 'taskset', '-c', String(CORES[side]), ...command];
  }

  /** Takes the namespaces away, and the pair with them. */
  close() {
    for (const side of Object.keys(ADDRESSES)) {
      try {
        ip('netns', 'delete', namespace(side));
      } catch {
        // It was not made.
      }
    }
  }
}

function namespace(side) {
  return `roomcam-bench-${process.pid}-${side}`;
}

function ip(...args) {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

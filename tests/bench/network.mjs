// Two network namespaces with a veth pair between them, each for one processor core: as near to a relay and its clients
// on two machines as one machine gets. Over loopback the kernel does the receivers' part of TCP within the relay's calls.

import { availableParallelism } from 'node:os';
import { run, VethPair } from '../network/veth.mjs';

/** Addresses for benchmarks (RFC 2544). */
const ADDRESSES = { relay: '198.18.0.1', clients: '198.18.0.2' };
const CORES = { relay: 0, clients: 1 };

/** The network to measure over, and what to say of it. Loopback without the right to make namespaces, or with one core. */
export function openNetwork() {
  if (process.getuid() !== 0) return loopback('it takes root to make network namespaces');
  if (availableParallelism() < 2) return loopback('there is one processor core');
  try {
    return new TwoMachines();
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

class TwoMachines {
  name = 'a veth pair, relay and clients on a core each';
  relayAddress = ADDRESSES.relay;

  constructor() {
    this.pair = new VethPair(Object.entries(ADDRESSES).map(([side, address]) => ({ namespace: namespace(side), device: 'eth0', address })));
    for (const side of Object.keys(ADDRESSES)) {
      // What arrives is worked on by the core of those for whom it is.
      const mask = (1 << CORES[side]).toString(16);
      run('ip', 'netns', 'exec', namespace(side), 'sh', '-c', `echo ${mask} > /sys/class/net/eth0/queues/rx-0/rps_cpus`);
    }
  }

  /** A command line that runs `command` on one side. */
  inside(side, command) {
    return ['ip', 'netns', 'exec', namespace(side), 'taskset', '-c', String(CORES[side]), ...command];
  }

  close() {
    this.pair.close();
  }
}

function namespace(side) {
  return `roomcam-bench-${process.pid}-${side}`;
}

// A machine, where browsers are, and an agent between which no packet gets but through a TURN server: both have a link to the
// namespace that it runs in, and that forwards nothing by itself.

import { run, VethPair } from './veth.mjs';

/** 198.18.0.0/15 is for measurements (RFC 2544). */
const OF_THE_MACHINE = '198.18.81';
const OF_THE_AGENT = '198.18.82';

export class TurnNetwork {
  /** Where the machine and the agent find what runs in the middle. */
  seenByMachine = `${OF_THE_MACHINE}.2`;
  seenByAgent = `${OF_THE_AGENT}.2`;

  constructor() {
    this.middle = `roomcam-turn-${process.pid}`;
    this.far = `roomcam-far-${process.pid}`;
    this.near = new VethPair([
      { device: `rct${process.pid}`, address: `${OF_THE_MACHINE}.1` },
      { namespace: this.middle, device: 'machine', address: this.seenByMachine },
    ]);
    this.beyond = new VethPair([
      { namespace: this.far, device: 'eth0', address: `${OF_THE_AGENT}.1` },
      { namespace: this.middle, exists: true, device: 'agent', address: this.seenByAgent },
    ]);
    const [command, args] = this.inTheMiddle('sysctl', ['-q', 'net.ipv4.ip_forward=0']);
    run(command, ...args);
    // Where there is no route to an address that a peer has, coturn ends the allocation.
    run('ip', '-n', this.middle, 'route', 'add', 'default', 'via', `${OF_THE_MACHINE}.1`);
  }

  /** The command that runs a program in the middle. */
  inTheMiddle(program, args) {
    return ['ip', ['netns', 'exec', this.middle, program, ...args]];
  }

  /** The command that runs a program at the agent's end. */
  within(program, args) {
    return ['ip', ['netns', 'exec', this.far, program, ...args]];
  }

  close() {
    this.beyond.close();
    this.near.close();
  }
}

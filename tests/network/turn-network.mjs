// A machine, where browsers are, and an agent between which no packet gets but through a TURN server: both have a link to the
// namespace that it runs in, and that forwards nothing by itself.

import { run, VethPair } from './veth.mjs';

/** 198.18.0.0/15 is for measurements (RFC 2544). */
const OF_THE_MACHINE = '198.18.81';
const OF_THE_AGENT = '198.18.82';

export class TurnNetwork {
  /** Where the machine is, and where machine and agent find what runs in the middle. */
  machine = `${OF_THE_MACHINE}.1`;
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
    run(...this.inTheMiddle('sysctl', ['-q', 'net.ipv4.ip_forward=0']));
    // Where there is no route to an address that a peer has, coturn ends the allocation.
    run('ip', '-n', this.middle, 'route', 'add', 'default', 'via', `${OF_THE_MACHINE}.1`);
  }

  /** Makes the middle a router that translates the addresses of what comes from the agent, as those of homes do. */
  translate() {
    const inTheMiddle = (program, ...args) => run(...this.inTheMiddle(program, args));
    run('ip', '-n', this.far, 'route', 'add', 'default', 'via', this.seenByAgent);
    inTheMiddle('sysctl', '-q', 'net.ipv4.ip_forward=1');
    inTheMiddle('nft', 'add table ip nat');
    inTheMiddle('nft', 'add chain ip nat out { type nat hook postrouting priority 100 ; }');
    inTheMiddle('nft', 'add rule ip nat out oifname "machine" masquerade');
  }

  /** Makes the middle such a router with a firewall that lets no datagrams through, as those of companies do. */
  translateConnectionsOnly() {
    this.translate();
    run(...this.inTheMiddle('nft', ['add chain ip nat forward { type filter hook forward priority 0 ; }']));
    run(...this.inTheMiddle('nft', ['add rule ip nat forward meta l4proto udp drop']));
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

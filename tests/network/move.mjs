// A namespace for an agent that moves from one network to another, as from Wi-Fi to a cable.

import { run, VethPair } from './veth.mjs';

/** 198.18.0.0/15 is for measurements (RFC 2544). */
const OLD = '198.18.83';
const NEW = '198.18.84';

export class Move {
  /** Where the agent finds the machine at first. */
  before = `${OLD}.1`;

  constructor() {
    this.namespace = `roomcam-move-${process.pid}`;
    const end = (device, address, exists) => ({ namespace: this.namespace, device, address, exists });
    this.old = new VethPair([{ device: `rco${process.pid}`, address: `${OLD}.1` }, end('eth0', `${OLD}.2`, false)]);
    this.new = new VethPair([{ device: `rcw${process.pid}`, address: `${NEW}.1` }, end('eth1', `${NEW}.2`, true)]);
    this.#ip('link', 'set', 'eth1', 'down');
    this.#ip('route', 'add', 'default', 'via', `${OLD}.1`);
  }

  #ip(...args) {
    run('ip', '-n', this.namespace, ...args);
  }

  /** The new network is there. */
  arrive() {
    this.#ip('link', 'set', 'eth1', 'up');
    this.#ip('route', 'replace', 'default', 'via', `${NEW}.1`);
  }

  /** The old network is gone. */
  leave() {
    this.#ip('address', 'flush', 'dev', 'eth0');
  }

  /** The command that runs a program in the namespace. */
  within(program, args) {
    return ['ip', ['netns', 'exec', this.namespace, program, ...args]];
  }

  close() {
    this.new.close();
    this.old.close();
  }
}

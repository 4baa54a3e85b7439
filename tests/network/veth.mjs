// A veth pair, with network namespaces for its ends. Takes root.

import { execFileSync } from 'node:child_process';

/** Runs a command such as `ip` or `tc`; its error is what it printed. Arguments may be in lists. */
export const run = (command, ...args) => execFileSync(command, args.flat(), { stdio: ['ignore', 'ignore', 'pipe'] });
const ip = (...args) => run('ip', ...args);

export class VethPair {
  #ends;

  /** `ends`: two of {namespace, device, address}. The namespaces are made, and taken away with the pair, unless `exists`; an
   *  end without one is the machine's. Both addresses are of one /30; an end without one is only up. */
  constructor(ends) {
    this.#ends = ends;
    const [one, other] = ends;
    try {
      for (const { namespace, exists } of ends) {
        if (!namespace || exists) continue;
        ip('netns', 'add', namespace);
        ip('-n', namespace, 'link', 'set', 'lo', 'up');
      }
      const there = other.namespace ? ['netns', other.namespace] : [];
      ip(...at(one), 'link', 'add', one.device, 'type', 'veth', 'peer', 'name', other.device, ...there);
      for (const end of ends) {
        if (end.address) ip(...at(end), 'address', 'add', `${end.address}/30`, 'dev', end.device);
        ip(...at(end), 'link', 'set', end.device, 'up');
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Takes the namespaces away, and the pair with them. */
  close() {
    for (const { namespace, device, exists } of this.#ends) {
      try {
        // A namespace lives on while a process is in it.
        if (exists) ip('-n', namespace, 'link', 'delete', device);
        else if (namespace) ip('netns', 'delete', namespace);
        else ip('link', 'delete', device);
      } catch {
        // It was not made, or has gone with the other end.
      }
    }
  }
}

const at = ({ namespace }) => (namespace ? ['-n', namespace] : []);

// Processes that get only the processor time that no others want.

import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the kernel has groups of processes with the `cpu` controller: versions 1 and 2 of cgroups. */
const PLACES = ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup'];

/** A control group of the kernel (cgroup) with `cpu.idle`. The scheduling class SCHED_IDLE is not enough: a browser begins a
 *  session, and the kernel gives each session an equal share (sched_autogroup), idle or not. */
export class IdleGroup {
  #directory;

  /** Undefined where there can be none: only root makes groups, and not every kernel has this one. */
  static make(name) {
    for (const place of PLACES) {
      const group = new IdleGroup(join(place, name));
      try {
        mkdirSync(group.#directory);
        if (existsSync(join(group.#directory, 'cpu.idle'))) {
          writeFileSync(join(group.#directory, 'cpu.idle'), '1');
          return group;
        }
      } catch {
        // Not here.
      }
      group.close();
    }
    return undefined;
  }

  constructor(directory) {
    this.#directory = directory;
  }

  /** What goes before a command to run it in the group. */
  get command() {
    return ['sh', '-euc', 'echo $$ > "$0"; exec "$@"', join(this.#directory, 'cgroup.procs')];
  }

  /** Takes the group away, unless a process lives on in it. */
  close() {
    try {
      rmdirSync(this.#directory);
    } catch {
      // There is none, or somebody is in it.
    }
  }
}

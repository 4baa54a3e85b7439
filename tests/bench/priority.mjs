// Processor time for a sender before its viewers, who in a meeting are on other machines.

import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

const NICE = -15;

/** Puts a process, and with it all of its session, before others. Says whether it may: that takes root. */
export function givePriority(pid) {
  try {
    setPriority(pid, NICE);
    // Between sessions the kernel shares by another value (sched_autogroup, sched(7)). Browsers begin sessions of their own.
    writeFileSync(`/proc/${pid}/autogroup`, String(NICE));
    return true;
  } catch {
    return false;
  }
}

// What processes cost and hold, from /proc.

import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

/** Clock ticks per second of utime and stime (proc(5)). */
const TICKS_PER_S = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** CPU in % of one core over `ms`, and PSS in MB at its end, of the tree of processes under `pid`; and the CPU of the main
 *  thread of that one, which in the agent does all but capture and encode. */
export async function costOver(pid, ms) {
  const mainThread = `${pid}/task/${pid}`;
  const before = new Map(tree(pid).map((each) => [each, ticks(each)]));
  const mainBefore = ticks(mainThread);
  const fromMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, ms));
  const elapsedS = (performance.now() - fromMs) / 1_000;
  const after = tree(pid);
  if (after.length === 0) throw new Error(`process ${pid} ended while it was measured`);
  // A process that began within the window counts from its beginning.
  const spent = after.reduce((sum, each) => sum + ticks(each) - (before.get(each) ?? 0), 0);
  const percent = (ticksSpent) => (100 * ticksSpent) / TICKS_PER_S / elapsedS;
  const pssMb = after.reduce((sum, each) => sum + pssKb(each), 0) / 1_024;
  return { cpuPercent: percent(spent), mainPercent: percent(ticks(mainThread) - mainBefore), pssMb, processes: after.length };
}

/** What one process holds now: its resident memory, open files and threads. */
export function resourcesOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const number = (key) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)[1]);
  return { rssKb: number('VmRSS'), fds: readdirSync(`/proc/${pid}/fd`).length, threads: number('Threads') };
}

/** A process and its descendants, those that still run. */
function tree(root) {
  const children = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const fields = stat(name);
    if (!fields) continue;
    const parent = Number(fields[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found = stat(root) ? [root] : [];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

/** The fields of /proc/PID/stat from `state` on, or undefined if the process is gone. */
function stat(pid) {
  const text = read(`/proc/${pid}/stat`);
  // The name, in parentheses, may itself contain spaces and parentheses.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

function ticks(pid) {
  const fields = stat(pid);
  return fields ? Number(fields[11]) + Number(fields[12]) : 0;
}

function pssKb(pid) {
  return Number(/^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? '')?.[1] ?? 0);
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process ended between being listed and being read.
    return undefined;
  }
}

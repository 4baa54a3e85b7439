// The emulated Raspberry Pi: booted, told what to do over SSH, and looked at from outside through QEMU's monitor.

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TESTS } from '../../e2e/lib/paths.mjs';
import { until } from '../../e2e/lib/waiting.mjs';

/** How this machine is called from within the Pi. */
export const HOST = '10.0.2.2';
/** Where the BCM2837 shows the levels of its pins 0 to 31. */
const GPLEV0 = '0x3f200034';
/** How long a command may take, unless it says otherwise. */
const COMMAND_MS = 60_000;

/** Boots the Pi; makes its SD card first if there is none. Says on stderr what it does, as that takes a while. Where
 *  `ROOMCAM_PI` names a directory, `boot.sh` has booted one there. */
export function bootPi() {
  if (process.env.ROOMCAM_PI) return new Pi(process.env.ROOMCAM_PI);
  const directory = mkdtempSync(join(tmpdir(), 'roomcam-pi-'));
  const { status } = spawnSync(join(TESTS, 'pi/boot.sh'), [directory], { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) {
    rmSync(directory, { recursive: true });
    throw new Error(`the emulated Pi did not boot: tests/pi/boot.sh ended with ${status}`);
  }
  return new Pi(directory);
}

class Pi {
  #directory;

  #pid;
  #endQemu = () => process.kill(this.#pid);

  constructor(directory) {
    this.#directory = directory;
    this.#pid = Number(readFileSync(join(directory, 'pid'), 'utf8'));
    process.on('exit', this.#endQemu);
  }

  /** Runs a shell command on the Pi, and returns how it ended and what it printed. */
  async try(command, { input = '', deadlineMs = COMMAND_MS } = {}) {
    const child = spawn('ssh', ['-F', join(this.#directory, 'ssh_config'), 'pi', command]);
    const timer = setTimeout(() => child.kill(), deadlineMs);
    const [stdout, stderr, code] = await Promise.all([
      textOf(child.stdout),
      textOf(child.stderr),
      new Promise((resolve) => child.on('close', resolve)),
      child.stdin.on('error', () => {}).end(input),
    ]);
    clearTimeout(timer);
    return { code, stdout, stderr };
  }

  /** The same for a command that must succeed; returns what it printed on its standard output. */
  async run(command, options) {
    const { code, stdout, stderr } = await this.try(command, options);
    if (code !== 0) throw new Error(`on the Pi, ${JSON.stringify(command)} ended with ${code}:\n${stdout}${stderr}`);
    return stdout;
  }

  /** Writes a file on the Pi. */
  write(path, content, mode = '0644') {
    return this.run(`umask 077; cat > ${path} && chmod ${mode} ${path}`, { input: content });
  }

  /** Copies a file of this machine to the Pi. */
  copy(from, to, mode) {
    return this.write(to, readFileSync(from), mode);
  }

  /** Polls a command until it succeeds and its output matches; returns the match. */
  until(what, command, pattern, deadlineMs) {
    return until(what, deadlineMs, async () => {
      const { code, stdout, stderr } = await this.try(command);
      return code === 0 ? pattern.exec(stdout) : void (stderr || stdout);
    });
  }

  /** Whether a pin is high, read from the chip by QEMU: nothing on the Pi can have a hand in that. */
  async high(pin) {
    const answer = await this.#monitor(`xp /1xw ${GPLEV0}`);
    const [, levels] = /: (0x[0-9a-f]{8})/.exec(answer);
    return Boolean((Number(levels) >>> pin) & 1);
  }

  async #monitor(command) {
    const socket = connect(join(this.#directory, 'monitor.sock'));
    let text = '';
    let sent = false;
    for await (const data of socket.setEncoding('utf8')) {
      text += data;
      if (!text.endsWith('(qemu) ')) continue;
      if (sent) break;
      sent = true;
      text = '';
      socket.write(`${command}\n`);
    }
    return text;
  }

  /** Ends QEMU; what the Pi wrote is gone. */
  async stop() {
    process.off('exit', this.#endQemu);
    this.#endQemu();
    await until('QEMU to end', 10_000, () => !runs(this.#pid));
    rmSync(this.#directory, { recursive: true });
  }
}

function runs(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function textOf(stream) {
  let text = '';
  for await (const data of stream.setEncoding('utf8')) text += data;
  return text;
}

// Lamps that record: LEDs of the sysfs backend whose `brightness` is a pipe that the test reads. The program under
// test drives them as it drives the kernel's; only /sys/class is another one, in a mount namespace of its own.

import { execFileSync } from 'node:child_process';
import { constants, fstatSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';

/** What the four lamps are there for, and their LEDs' names. */
export const LAMPS = ['mic-muted', 'mic-live', 'camera-on', 'camera-off'];

export class RecordingLamps {
  #sockets = [];

  constructor(directory) {
    this.sysClass = join(directory, 'sys-class');
    /** Per lamp: {atMs, lit}, in order. */
    this.records = Object.fromEntries(LAMPS.map((lamp) => [lamp, []]));
    for (const lamp of LAMPS) {
      const led = join(this.sysClass, 'leds', lamp);
      mkdirSync(led, { recursive: true });
      writeFileSync(join(led, 'max_brightness'), '1\n');
      const brightness = join(led, 'brightness');
      execFileSync('mkfifo', [brightness]);
      // Opened for both, so that it stays open while nobody writes.
      const fd = openSync(brightness, constants.O_RDWR | constants.O_NONBLOCK);
      const socket = new Socket({ fd, readable: true, writable: false });
      socket.setEncoding('utf8');
      socket.on('data', (text) => {
        // When it was written, says the kernel, however late it is read here.
        const atMs = fstatSync(fd).mtimeMs;
        for (const value of text.trim().split('\n')) this.records[lamp].push({ atMs, lit: value !== '0' });
      });
      this.#sockets.push(socket);
    }
  }

  /** The lines of a configuration that have these lamps. */
  get configuration() {
    const lamps = LAMPS.map((lamp) => `[[panel.lamp]]\nled = "${lamp}"\nshows = "${lamp}"\n`);
    return `[panel]\nbackend = "sysfs-led"\n${lamps.join('')}`;
  }

  /** A command line that runs another one among these lamps. */
  among(command, args) {
    const script = 'mount --bind "$0" /sys/class && exec "$@"';
    return ['unshare', ['--mount', '--map-root-user', 'sh', '-c', script, this.sysClass, command, ...args]];
  }

  isLit(lamp) {
    return this.records[lamp].at(-1)?.lit ?? false;
  }

  /** When a lamp was lit, as [fromMs, toMs] each; the last may be open. */
  intervals(lamp) {
    const intervals = [];
    let from = null;
    for (const { atMs, lit } of this.records[lamp]) {
      if (lit) from ??= atMs;
      else if (from !== null) {
        intervals.push([from, atMs]);
        from = null;
      }
    }
    if (from !== null) intervals.push([from, Infinity]);
    return intervals;
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
  }
}

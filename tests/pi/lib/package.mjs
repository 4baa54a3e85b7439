// Debian packages, and the Pi they are installed on.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bench } from './bench.mjs';

/** How long dpkg may take on this Pi. */
export const INSTALL_MS = 240_000;

const copied = new Set();

/** Installs a package of this machine on the Pi, with whatever it depends on, as an unattended upgrade would. */
export async function install(deb, options = '') {
  const there = `/var/tmp/${createHash('sha256').update(readFileSync(deb)).digest('hex').slice(0, 12)}.deb`;
  if (!copied.has(there)) await bench.pi.copy(deb, there);
  copied.add(there);
  await bench.pi.run(
    `DEBIAN_FRONTEND=noninteractive apt-get install -q --yes --no-install-recommends ${options} ${there}`,
    { deadlineMs: INSTALL_MS },
  );
}

/** Gives root and the service the list of GStreamer's plugins that is on the SD card: made by themselves, it takes half
 *  a minute on this Pi. A real one needs two seconds. */
export function warmRegistry(pi) {
  return pi.run(
    'for cache in /root/.cache /var/cache/roomcam; do ' +
      'install -D -m 0600 /var/cache/gstreamer-registry.bin $cache/gstreamer-1.0/registry.aarch64.bin; done; ' +
      'chown -R roomcam: /var/cache/roomcam',
  );
}

/** Lets the audio encoder try less hard than the package's profile says: it calculates with floating point, which costs
 *  more under emulation than all the rest. */
export function spareEncoder(pi) {
  return pi.run(
    'mkdir -p /etc/roomcam/pipelines && sed s/complexity=5/complexity=0/ /usr/share/roomcam/pipelines/usb-webcam.toml ' +
      '> /etc/roomcam/pipelines/usb-webcam.toml && grep -q complexity=0 /etc/roomcam/pipelines/usb-webcam.toml',
  );
}

/** The same package under another version; returns its path. It goes with the test. */
export function repackaged(t, deb, version) {
  const directory = mkdtempSync(join(tmpdir(), 'roomcam-deb-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const content = join(directory, 'content');
  execFileSync('dpkg-deb', ['--raw-extract', deb, content]);
  const control = join(content, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, `Version: ${version}`));
  const repacked = join(directory, 'roomcam.deb');
  execFileSync('dpkg-deb', ['--root-owner-group', '--build', content, repacked], { stdio: 'ignore' });
  return repacked;
}

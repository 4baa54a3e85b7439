// What is in the packages, for each architecture: nothing that lintian calls an error, a program for that processor,
// and every file that the units and rules name.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ARCHITECTURES, contents, field, packageFor, run } from './lib.mjs';

/** e_machine of the ELF header. */
const MACHINES = { amd64: 62, arm64: 183, armhf: 40 };
const MANDATORY = [
  '/etc/roomcam/config.toml',
  '/usr/bin/roomcam',
  '/usr/lib/credstore/roomcam.token',
  '/usr/lib/systemd/system/roomcam.service',
  '/usr/lib/systemd/system/roomcam@.service',
  '/usr/lib/sysusers.d/roomcam.conf',
  '/usr/lib/tmpfiles.d/roomcam.conf',
  '/usr/lib/udev/rules.d/60-roomcam.rules',
  '/usr/share/bash-completion/completions/roomcam',
  '/usr/share/doc/roomcam/changelog.Debian.gz',
  '/usr/share/doc/roomcam/copyright',
  '/usr/share/fish/vendor_completions.d/roomcam.fish',
  '/usr/share/man/man1/roomcam-run.1.gz',
  '/usr/share/man/man1/roomcam.1.gz',
  '/usr/share/man/man5/roomcam-config.5.gz',
  '/usr/share/roomcam/pipelines/usb-webcam.toml',
  '/usr/share/zsh/vendor-completions/_roomcam',
];

for (const arch of ARCHITECTURES) {
  test(`the package for ${arch}`, (t) => {
    const deb = packageFor(arch);
    const installed = contents(deb);
    assert.deepEqual(MANDATORY.filter((path) => !installed.includes(path)), []);

    const unpacked = mkdtempSync(join(tmpdir(), 'roomcam-deb-'));
    t.after(() => rmSync(unpacked, { recursive: true }));
    run('dpkg-deb', '--raw-extract', deb, unpacked);
    const program = join(unpacked, 'usr/bin/roomcam');
    assert.equal(readFileSync(program).readUInt16LE(18), MACHINES[arch]);
    assert.doesNotMatch(run('readelf', '--sections', '--wide', program), /\.(symtab|debug_info)\b/, 'it is stripped');
    t.diagnostic(`${arch}: package ${kib(deb)} KiB, program ${kib(program)} KiB`);

    for (const file of ['lib/systemd/system/roomcam.service', 'lib/systemd/system/roomcam@.service', 'lib/udev/rules.d/60-roomcam.rules']) {
      const text = readFileSync(join(unpacked, 'usr', file), 'utf8');
      const named = [...text.matchAll(/\/usr\/[\w./@-]+/g)].map(([path]) => path);
      assert.deepEqual(named.filter((path) => !installed.includes(path)), [], file);
    }

    // Every library of the program is named by hand; this is what a wrong build would lack.
    const depends = field(deb, 'Depends');
    for (const name of ['libc6', 'libgstreamer1.0-0', 'libgstreamer-plugins-base1.0-0', 'gstreamer1.0-plugins-base', 'gstreamer1.0-plugins-good', 'gstreamer1.0-alsa']) {
      assert.match(depends, new RegExp(`(^|, )${name.replaceAll('.', '\\.')} `), 'Depends');
    }
    // 500 MB with what it brings along, and no profile that is installed uses it.
    assert.doesNotMatch(`${depends}, ${field(deb, 'Recommends')}`, /plugins-bad/);
    assert.match(field(deb, 'Suggests'), /gstreamer1\.0-plugins-bad/);

    const { stdout, stderr } = spawnSync('lintian', ['--allow-root', '--tag-display-limit', '0', deb], { encoding: 'utf8' });
    for (const line of stdout.trim().split('\n').filter(Boolean)) t.diagnostic(line);
    assert.equal(stderr, '');
    assert.doesNotMatch(stdout, /^E:/m);
  });
}

test('the unit for more cameras is the unit for one, but for its names', () => {
  const unit = (name) => readFileSync(new URL(`../../systemd/${name}`, import.meta.url), 'utf8').split('\n');
  const one = unit('roomcam.service');
  const more = unit('roomcam@.service').filter((line) => !/^(Environment=ROOMCAM_CONFIG|# For more than one)/.test(line));
  assert.deepEqual(more.map((line) => line.replace(/( \(%i\))|(-%i$)/, '')), one);
});

function kib(path) {
  return Math.round(statSync(path).size / 1024);
}

// The package of this machine's architecture in a Debian that had never heard of it: from apt to a moving picture in
// Chromium, and away again without a trace.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Child } from '../e2e/lib/processes.mjs';
import { framesShown, reportOf, soundHeard, startBrowser } from '../e2e/lib/browser.mjs';
import { TESTS } from '../e2e/lib/paths.mjs';
import { describeGaps, gapsOf } from '../e2e/lib/measures.mjs';
import { observeFor, until } from '../e2e/lib/waiting.mjs';
import { AS_ROOT, field, packageFor, Root } from './lib.mjs';

/** What `systemd-analyze security` calls an exposure of 2.0. */
const EXPOSURE = 20;

test('apt installs it in a clean Debian, it works, and purge leaves nothing', async (t) => {
  const deb = packageFor('amd64');
  const depends = field(deb, 'Depends');
  const root = new Root(t, 'amd64', depends);
  assert.equal(root.try('which', 'roomcam').status, 1, 'nothing of it is there yet');

  await t.test('what it depends on is installed first, to know afterwards what is its own', () => {
    root.apt('satisfy', depends);
  });
  const before = root.inventory();

  await t.test('apt installs it', () => {
    const said = root.install(deb);
    assert.doesNotMatch(said, /warning|error|not found/i);
    assert.match(root.run('roomcam', '--version'), /^roomcam \d/);
    assert.match(root.run('id', 'roomcam'), /uid=\d+\(roomcam\) gid=\d+\(roomcam\)/);
    for (const group of ['video', 'audio', 'render', 'gpio']) root.run('getent', 'group', group);
  });

  await t.test('its service is enabled, valid, and shut in', () => {
    assert.equal(root.run('systemctl', '--root=/', 'is-enabled', 'roomcam.service').trim(), 'enabled');
    assert.equal(root.run('systemd-analyze', 'verify', '--man=no', 'roomcam.service', 'roomcam@lobby.service'), '');
    for (const unit of ['roomcam.service', 'roomcam@.service']) {
      const report = root.run('systemd-analyze', 'security', '--offline=true', `--threshold=${EXPOSURE}`, `/usr/lib/systemd/system/${unit}`);
      t.diagnostic(`${unit}: ${/Overall exposure level.*: ([\d.]+)/.exec(report)[0].trim()}`);
    }
  });

  await t.test('before it is configured it says what is missing, and where', () => {
    const { status, output } = root.try('roomcam', 'run');
    assert.equal(status, 2);
    assert.match(output, /meeting\.url/);
    assert.match(output, /meeting\.room/);
    assert.match(root.run('sed', '-nE', '/^#(url|room) = /p', '/etc/roomcam/config.toml'), /#url.*\n#room/);
  });

  await t.test('its demo shows a moving picture in Chromium', () => watchDemo(t, root));
  await t.test('its log has fields in the journal', () => readJournal(t, root));

  await t.test('its service leaves things behind, and purge takes them away', () => {
    root.run('sh', '-ec', `
      mkdir -p /var/lib/roomcam /var/lib/roomcam-lobby /var/cache/roomcam
      touch /var/lib/roomcam/state.json /var/cache/roomcam/registry.bin
      echo secret > /etc/roomcam/token
      cp /etc/roomcam/config.toml /etc/roomcam/lobby.toml
      systemctl --root=/ --quiet enable roomcam@lobby.service`);
    root.apt('purge', 'roomcam');
    const after = root.inventory();
    // Groups of devices stay: others may be members by now.
    const left = after.filter((entry) => !before.includes(entry) && !/^account (gpio|render):/.test(entry));
    assert.deepEqual(left, []);
    assert.deepEqual(before.filter((entry) => !after.includes(entry)), []);
  });
});

async function watchDemo(t, root) {
  const demo = root.start('roomcam demo', 'roomcam', 'demo', '--listen', '127.0.0.1:0');
  t.after(() => demo.stop());
  const url = (await demo.line(/http:\/\/[^\s"]+/))[0];
  const browser = await startBrowser();
  t.after(() => browser.stop());
  const page = await browser.probedPage();
  await page.goto(url);
  const user = await until('the demo on the page', 15_000, async () =>
    Object.entries(await page.evaluate(() => window.roomcam.users)).find(([, { state }]) => state === 'playing')?.[0]);
  const video = `[data-user="${user}"] video`;
  const fromMs = await page.evaluate(() => performance.now());
  await framesShown(page, video, 30, { sinceMs: fromMs });
  await observeFor(2_000);
  const report = await reportOf(page, video);
  const shown = report.frames.filter(([atMs]) => atMs >= fromMs).length;
  t.diagnostic(`${shown} frames in ${((report.now - fromMs) / 1_000).toFixed(1)} s; gaps ${describeGaps(gapsOf(report.frames, fromMs, report.now), 3)}`);
  await page.click('#sound');
  const sound = await soundHeard(page, video);
  assert.ok(Math.abs(sound.peakHz - 440) < 12, `the strongest frequency is ${sound.peakHz} Hz`);
  assert.equal((await demo.stop()).code, 0);
}

/** The daemon's log as journald would get it, from a stand-in for journald at its socket. */
async function readJournal(t, root) {
  const socket = join(root.directory, 'run/systemd/journal/socket');
  const journal = new Child('a stand-in for journald', ...asRoot(
    join(TESTS, 'packages/journal.py'), socket, join(TESTS, 'packages/enter.sh'), root.directory, 'roomcam', 'demo', '--listen', '127.0.0.1:0'));
  t.after(() => journal.stop());
  const entry = async (pattern) => JSON.parse((await journal.line(pattern))[0]);
  const epoch = await entry(/^.*"an epoch began".*$/);
  t.diagnostic(JSON.stringify(epoch));
  assert.equal(epoch.EPOCH, '1');
  assert.equal(epoch.SYSLOG_IDENTIFIER, 'roomcam');
  assert.equal(epoch.PRIORITY, '6');
  const opened = await entry(/^.*opened".*$/);
  assert.ok(opened.DEVICE, 'DEVICE=');
  await journal.stop();
  const text = journal.lines.filter((line) => line.includes('"_TRANSPORT"'));
  assert.deepEqual(text, [], 'nothing of the log is on stderr too');
}

function asRoot(...command) {
  const [program, ...args] = [...AS_ROOT, ...command];
  return [program, args];
}

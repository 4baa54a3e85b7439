// The package for ARMv7 in a Debian of that architecture, run by QEMU's user-mode emulation: it installs with what it
// says it depends on and nothing else, and finds everything well.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { field, packageFor, Root } from './lib.mjs';

test('the armhf package installs in its own Debian, and its doctor finds everything well', async (t) => {
  const deb = packageFor('armhf');
  const root = new Root(t, 'armhf', field(deb, 'Depends'));
  root.install(deb);

  const relay = root.start('roomcam relay', 'roomcam', 'relay', '--listen', '127.0.0.1:0');
  t.after(() => relay.stop());
  const [address] = await relay.line(/127\.0\.0\.1:\d+/, 60_000);
  const { status, output } = root.try('roomcam', 'check', '--json', '--url', `ws://${address}`, '--room', 'lobby', '--profile', 'test-pattern',
    // A root that never booted has no machine id to make one from.
    '--set', 'meeting.user_id=armhf');
  const findings = JSON.parse(output.slice(output.indexOf('[\n')));
  for (const { check, status: found, detail } of findings) t.diagnostic(`${check}: ${found}: ${detail}`);
  assert.deepEqual(findings.filter(({ status: found }) => found === 'failed'), []);
  assert.equal(status, 0);
});

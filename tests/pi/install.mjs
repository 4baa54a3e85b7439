// The package on a Pi that has only Debian: apt takes it, `roomcam check` is content, systemd starts it.

import assert from 'node:assert/strict';
import { bench, lampsBy, ROOM, START_MS, step, USER } from './lib/bench.mjs';
import { install, spareEncoder, warmRegistry } from './lib/package.mjs';

step('apt installs the package', async (t, pi) => {
  await install(process.env.ROOMCAM_DEB);
  await warmRegistry(pi);
  await spareEncoder(pi);
  const status = await pi.run(`dpkg-query --show --showformat='\${db:Status-Abbrev} \${Version}' roomcam`);
  t.diagnostic(status);
  assert.match(status, /^ii /);
  assert.equal(await pi.run('dpkg --audit'), '');
});

step('roomcam check finds everything well', async (t, pi) => {
  await bench.configure({ panel: lampsBy('rppal') });
  await bench.giveToken();
  const text = await pi.run('ROOMCAM_MEETING_TOKEN_FILE=/etc/roomcam/token roomcam check --json', { deadlineMs: START_MS });
  const findings = JSON.parse(text.slice(text.indexOf('[\n')));
  for (const { check, status, detail } of findings) t.diagnostic(`${check}: ${status}: ${detail}`);
  assert.deepEqual(
    findings.map(({ check, status }) => `${check}: ${status}`),
    ['configuration', 'profile', 'camera', 'microphone', 'relay', 'panel'].map((check) => `${check}: ok`),
  );
});

step('systemctl start returns when the service is ready, and the meeting has it', async (t, pi) => {
  const witness = await bench.witness(t);
  const startMs = Date.now();
  await pi.run('systemctl start roomcam', { deadlineMs: START_MS });
  const readyMs = Date.now();
  assert.equal(await bench.property('ActiveState'), 'active');
  const { atMs } = await witness.next('user-joined', { where: ({ userId }) => userId === USER });
  const first = await witness.chunkOf(USER, { deadlineMs: 30_000 });
  t.diagnostic(`ready after ${readyMs - startMs} ms, in room ${ROOM} after ${(atMs - startMs).toFixed(0)} ms, first chunk after ${(first.atMs - startMs).toFixed(0)} ms`);
});

// What the service must not be able to do, tried from inside its sandbox: a drop-in runs the probe as ExecStartPre=
// of roomcam.service itself, and so with the user, the name spaces, the devices and the system calls of the daemon.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { TESTS } from '../e2e/lib/paths.mjs';
import { bench, START_MS, step } from './lib/bench.mjs';

const PROBE = '/usr/local/lib/sandbox-probe.pl';
const DROP_INS = '/run/systemd/system/roomcam.service.d';

step("the unit's sandbox holds", async (t, pi) => {
  await pi.copy(join(TESTS, 'pi/sandbox-probe.pl'), PROBE, '0755');
  await pi.run('mkdir /run/probe && cp /etc/roomcam/token /run/probe/token');
  const folders = ['STATE', 'CACHE', 'RUNTIME', 'CREDENTIALS'].map((each) => `${each}_DIRECTORY=/run/probe`);
  const outside = outcomes(await pi.run(`${folders.join(' ')} ${PROBE}; rm -r /run/probe`));
  assert.deepEqual(outside.filter(({ done }) => !done), [], 'outside of the sandbox, root can do all of it');

  await pi.run(`mkdir -p ${DROP_INS}`);
  await pi.write(`${DROP_INS}/probe.conf`, `[Service]\nExecStartPre=${PROBE}\n`);
  await pi.run('systemctl daemon-reload');
  const since = await bench.now();
  await bench.restart();
  await pi.run(`rm -r ${DROP_INS} ${PROBE} && systemctl daemon-reload`, { deadlineMs: START_MS });

  const inside = outcomes(await bench.journal(since));
  assert.equal(inside.length, outside.length, 'all of it was tried');
  const [needed, forbidden] = [inside.filter(({ must }) => must), inside.filter(({ must }) => !must)];
  for (const { what, why } of forbidden) t.diagnostic(`cannot ${what}: ${why ?? 'IT CAN'}`);
  assert.deepEqual(forbidden.filter(({ done }) => done).map(({ what }) => what), [], 'the service can do this');
  assert.deepEqual(needed.filter(({ done }) => !done), [], 'the service cannot do this');
});

/** The probe's lines: {what, must: whether it must be possible, done, why not}. */
function outcomes(text) {
  const lines = [...text.matchAll(/^(\+ )?(.+?): (?:(done)|refused: (.*))$/gm)];
  return lines.map(([, must, what, done, why]) => ({ what, must: Boolean(must), done: Boolean(done), why }));
}

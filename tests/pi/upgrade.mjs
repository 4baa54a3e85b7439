// From one version to the next, and away. The package of the previous version is the package itself under a lower
// version number: there is no release yet that an upgrade could start from.

import assert from 'node:assert/strict';
import { bench, START_MS, step, USER } from './lib/bench.mjs';
import { install, INSTALL_MS, repackaged } from './lib/package.mjs';

const DEB = process.env.ROOMCAM_DEB;

step('an upgrade keeps the configuration and what people chose, and restarts the service', async (t, pi) => {
  await install(repackaged(t, DEB, '0.0.1-1'), '--allow-downgrades');
  assert.equal(await version(pi), '0.0.1-1');
  const witness = await bench.live(t, { more: '# A remark of whoever mounted this.' });
  await pi.run('roomcam ctl mic mute');
  const before = await pi.run('sha256sum /etc/roomcam/config.toml');
  const pid = await bench.property('MainPID');

  const sinceMs = Date.now();
  await install(DEB);
  assert.notEqual(await version(pi), '0.0.1-1');
  assert.equal(await pi.run('sha256sum /etc/roomcam/config.toml'), before);
  await pi.until('the service to run', 'systemctl is-active roomcam', /^active/, START_MS);
  assert.notEqual(await bench.property('MainPID'), pid, 'the new program runs');
  await witness.next('user-joined', { sinceMs, deadlineMs: START_MS, where: ({ userId, isMuted }) => userId === USER && isMuted });
  await bench.lamps({ 'mic-muted': true, 'mic-live': false });
});

step('purge leaves nothing', async (t, pi) => {
  await pi.run('DEBIAN_FRONTEND=noninteractive apt-get purge -q --yes roomcam', { deadlineMs: INSTALL_MS });
  const files = await pi.run("find / -xdev '(' -path /proc -o -path /sys -o -path /var/lib/dpkg ')' -prune -o -iname '*roomcam*' -print; find /run -iname '*roomcam*'");
  assert.equal(files.trim(), '', 'files');
  assert.equal((await pi.try('getent passwd roomcam; getent group roomcam')).stdout, '', 'user and group');
  assert.equal((await pi.try("dpkg-query --show roomcam")).code, 1);
  assert.equal((await pi.try('systemctl cat roomcam')).code, 1);
  assert.equal((await pi.try('systemctl --failed --plain --no-legend')).stdout, '', 'failed units');
});

async function version(pi) {
  return pi.run("dpkg-query --show --showformat='${Version}' roomcam");
}

// The service under systemd: hung, killed, stopped, told to read its configuration again.

import assert from 'node:assert/strict';
import { until } from '../e2e/lib/waiting.mjs';
import { bench, step, START_MS, USER } from './lib/bench.mjs';

step('a daemon that hangs is restarted by the watchdog', async (t, pi) => {
  const witness = await bench.live(t);
  const pid = await bench.property('MainPID');
  const since = await bench.now();
  const stoppedMs = Date.now();
  await pi.run(`kill -STOP ${pid}`);
  await until('another process', START_MS, async () => !['0', pid].includes(await bench.property('MainPID')), 500);
  await pi.until('the service to be ready', 'systemctl is-active roomcam', /^active/, START_MS);
  const first = await witness.chunkOf(USER, { sinceMs: Date.now(), deadlineMs: 30_000 });
  t.diagnostic(`back in the meeting ${((first.atMs - stoppedMs) / 1000).toFixed(1)} s after SIGSTOP`);
  const log = await pi.run(`journalctl --quiet --no-pager --output=cat --unit=roomcam --since=@${since}`);
  assert.match(log, /Watchdog timeout/);
});

step('SIGKILL leaves no lamp that says "live"', async (t, pi) => {
  await bench.live(t);
  await bench.lamps({ 'mic-live': true, 'camera-on': true }, 30_000);
  const pid = await bench.property('MainPID');
  const killedMs = Date.now();
  await pi.run(`kill -KILL ${pid}`);
  await bench.lamps({ 'mic-live': false, 'camera-on': false }, 10_000);
  t.diagnostic(`dark ${Date.now() - killedMs} ms after SIGKILL`);
  // They may be lit again only by a daemon that is live again.
  await pi.until('the service to be ready', 'systemctl is-active roomcam', /^active/, START_MS);
  assert.notEqual(await bench.property('MainPID'), pid);
});

step('systemctl stop leaves the room and darkens the lamps; start comes back', async (t, pi) => {
  const witness = await bench.live(t);
  const sinceMs = Date.now();
  await pi.run('systemctl stop roomcam');
  const doneMs = Date.now();
  const { atMs } = await witness.next('user-left', { sinceMs, where: ({ userId }) => userId === USER });
  t.diagnostic(`left after ${(atMs - sinceMs).toFixed(0)} ms, stopped after ${doneMs - sinceMs} ms`);
  await bench.lamps({ 'mic-live': false, 'camera-on': false }, 0);
  assert.equal(await bench.property('Result'), 'success');
  const { happenings } = await bench.relay.get('stats');
  const last = happenings.filter(({ userId }) => userId === USER).slice(-2);
  assert.deepEqual(last.map(({ what }) => what), ['leave-room', 'disconnect'], 'it said goodbye');

  await pi.run('systemctl start roomcam', { deadlineMs: START_MS });
  await witness.next('user-joined', { sinceMs: doneMs, where: ({ userId }) => userId === USER });
});

step('a broken configuration is refused by reload, and the daemon goes on', async (t, pi) => {
  const witness = await bench.live(t);
  const pid = await bench.property('MainPID');
  const since = await bench.now();
  await bench.configure({ more: 'frames = 30' });
  const { code, stdout, stderr } = await pi.try('systemctl reload roomcam');
  t.diagnostic(`systemctl reload: ${code}: ${(stdout + stderr).trim()}`);
  assert.notEqual(code, 0, 'systemctl reload says that it failed');
  const log = await bench.journal(since);
  assert.match(log, /frames/, `the journal names the key:\n${log}`);
  assert.equal(await bench.property('MainPID'), pid);
  assert.equal(await bench.property('ActiveState'), 'active');
  await witness.chunkOf(USER, { sinceMs: Date.now() });
});

step('another room in the configuration, and reload: the device moves there', async (t, pi) => {
  const here = await bench.live(t);
  const there = await bench.witness(t, { room: 'elsewhere', userId: 'elsewhere' });
  const pid = await bench.property('MainPID');
  const sinceMs = Date.now();
  await bench.configure({ room: 'elsewhere' });
  await pi.run('systemctl reload roomcam', { deadlineMs: START_MS });
  await here.next('user-left', { sinceMs, deadlineMs: 20_000, where: ({ userId }) => userId === USER });
  const { atMs } = await there.chunkOf(USER, { deadlineMs: 20_000 });
  t.diagnostic(`the first chunk in the other room came ${(atMs - sinceMs).toFixed(0)} ms after the reload`);
  assert.equal(await bench.property('MainPID'), pid);

  await bench.configure();
  await pi.run('systemctl reload roomcam', { deadlineMs: START_MS });
  await here.chunkOf(USER, { sinceMs: Date.now(), deadlineMs: 20_000 });
});

// Lamps and buttons on real lines. The pins of the BCM2835 are read by QEMU, from outside; QEMU has no way to press
// a button on them (its GPIO has no inputs), so that is done on gpio-sim, the kernel's simulated GPIO chip.

import { until } from '../e2e/lib/waiting.mjs';
import { bench, lampsBy, step, USER } from './lib/bench.mjs';

const LIVE = { 'mic-muted': false, 'mic-live': true, 'camera-on': true };
const MUTED = { 'mic-muted': true, 'mic-live': false, 'camera-on': true };

for (const [backend, how] of [
  ['rppal', 'through the registers'],
  ['gpiochip', 'through the character device'],
]) {
  step(`the lamps follow roomcam ctl, ${how} (${backend})`, async (t, pi) => {
    const witness = await bench.live(t, { panel: lampsBy(backend) });
    await bench.lamps(LIVE);

    for (const [word, expected, isMuted] of [['mute', MUTED, true], ['unmute', LIVE, false]]) {
      const sinceMs = Date.now();
      await pi.run(`roomcam ctl mic ${word}`);
      // When the command returns, it is done.
      await bench.lamps(expected, 0);
      await witness.next('mic-state-changed', { sinceMs, where: (payload) => payload.userId === USER && payload.isMuted === isMuted });
    }
    await pi.run('roomcam ctl camera off');
    await bench.lamps({ ...LIVE, 'camera-on': false }, 0);
    await pi.run('roomcam ctl camera on');
    await bench.lamps(LIVE);
  });
}

step('a button on a GPIO line mutes the microphone, and the lamp on another line says so (gpio-sim)', async (t, pi) => {
  const chip = await simulatedChip(pi);
  const panel = `
[panel]
backend = "gpiochip"
chip = "${chip.path}"
[[panel.lamp]]
pin = 1
shows = "mic-muted"
[[panel.button]]
pin = 5
press = "toggle-mic"
# However long this Pi takes to let go of it again.
hold_ms = 10000
`;
  const witness = await bench.live(t, { panel });

  for (const muted of [true, false]) {
    const sinceMs = Date.now();
    await chip.press(5);
    await until(`the lamp ${muted ? 'on' : 'off'}`, 5_000, async () => (await chip.value(1)) === (muted ? 1 : 0));
    const { atMs } = await witness.next('mic-state-changed', { sinceMs, where: ({ userId, isMuted }) => userId === USER && isMuted === muted });
    t.diagnostic(`${muted ? 'muted' : 'live'} in the meeting ${(atMs - sinceMs).toFixed(0)} ms after the press`);
  }
});

/** A GPIO chip without pins, whose lines are pulled and read through sysfs. */
async function simulatedChip(pi) {
  const name = (
    await pi.run(
      'mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config; ' +
        'mkdir -p /sys/kernel/config/gpio-sim/bench/bank && cd /sys/kernel/config/gpio-sim/bench && ' +
        'echo 8 > bank/num_lines && echo 1 > live && cat bank/chip_name',
    )
  ).trim();
  const lines = (await pi.run(`echo /sys/devices/platform/gpio-sim.0/${name}`)).trim();
  await pi.run(`udevadm settle && test -e /dev/${name}`);
  return {
    path: `/dev/${name}`,
    /** Presses a button between a line and ground. */
    press: (line) => pi.run(`cd ${lines}/sim_gpio${line} && echo pull-down > pull && sleep 0.1 && echo pull-up > pull`),
    value: async (line) => Number(await pi.run(`cat ${lines}/sim_gpio${line}/value`)),
  };
}

// The Pi comes up, with Debian and the devices that the tests need.

import { test } from 'node:test';
import { bench } from './lib/bench.mjs';

test('the Pi boots', async (t) => {
  await bench.setUp();
  t.diagnostic(await bench.pi.run('systemd-analyze time'));
  await bench.pi.run('test -c /dev/video0 && test -c /dev/snd/controlC0 && test -c /dev/gpiochip0 && test -c /dev/gpiomem');
});

// The Pi's devices as the tests handle them: what the camera sees, what the microphone hears, pulling the plugs.

/** What the loopback's microphone hears. */
export const TONE_HZ = 1_000;
/** The playing side of the loopback whose other side is the default microphone. */
export const SPEAKER = 'plughw:Loopback,1';

/** vivid's control "Test Pattern", and some of what it can be set to. */
export const PATTERN = { control: '0x00f0f000', bars: 0, white: 6, black: 5, red: 7 };

/** vivid's bars from left to right. */
export const BARS = [
  ['white', [191, 191, 191]],
  ['yellow', [191, 191, 0]],
  ['cyan', [0, 191, 191]],
  ['green', [0, 191, 0]],
  ['magenta', [191, 0, 191]],
  ['red', [191, 0, 0]],
  ['blue', [0, 0, 191]],
  ['black', [0, 0, 0]],
];

/** Makes the camera see another pattern. */
export function showPattern(pi, pattern) {
  return pi.run(`v4l2-ctl --device=/dev/video0 --set-ctrl=test_pattern=${pattern}`);
}

/** Plays the tone on the other side of the loopback from now on, also when the card has been away. */
export async function playTone(pi) {
  const second = Int16Array.from({ length: 48_000 }, (_, index) => 16_000 * Math.sin((2 * Math.PI * TONE_HZ * index) / 48_000));
  await pi.write('/run/tone.raw', Buffer.from(second.buffer));
  await pi.run(
    'systemctl is-active --quiet test-tone || systemd-run --quiet --collect --unit=test-tone ' +
      '--property=Restart=always --property=RestartSec=100ms --property=StartLimitIntervalSec=0 ' +
      `sh -c 'while cat /run/tone.raw; do :; done | aplay -q -D ${SPEAKER} -t raw -f S16_LE -r 48000 -c 1 --buffer-time=400000'`,
  );
}

/** Stops the tone. */
export function stopTone(pi) {
  return pi.run('systemctl stop test-tone');
}

/** A device that can be unplugged: what the kernel's driver of it is called, and how it calls the device. */
export const CAMERA = { driver: 'vivid', device: 'vivid.0', node: '/dev/video0' };
export const SOUND_CARD = { driver: 'snd_aloop', device: 'snd_aloop.0', node: '/dev/snd/controlC0' };

/** Takes a device away. */
export function unplug(pi, { driver, device, node }) {
  return pi.run(`echo ${device} > /sys/bus/platform/drivers/${driver}/unbind && test ! -e ${node}`);
}

/** Gives it back; resolves when it is there again, and udev has given it to its group. */
export function plugIn(pi, { driver, device, node }) {
  return pi.run(`echo ${device} > /sys/bus/platform/drivers/${driver}/bind && until test -e ${node}; do sleep 0.1; done; udevadm settle`);
}

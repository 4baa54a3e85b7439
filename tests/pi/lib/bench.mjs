// The bench on which all tests of the emulated Pi run: one Pi, one relay, and what is installed on it goes on from
// one test to the next.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startRelay } from '../../e2e/lib/relays.mjs';
import { joinRoom } from '../../e2e/lib/participant.mjs';
import { until } from '../../e2e/lib/waiting.mjs';
import { HOST, bootPi } from './pi.mjs';

/** The device in the meeting. */
export const USER = 'pi';
const TOKEN = 'the-token-of-the-bench';
/** A room for those who do not care which one. */
export const ROOM = 'bench';
/** Starting the program takes seconds on this Pi. */
export const START_MS = 90_000;

/** What the lamps show, by the number of their pin. */
export const LAMPS = { 'mic-muted': 17, 'mic-live': 27, 'camera-on': 22 };

class Bench {
  pi;
  relay;
  /** What the service was started with, or has read last. */
  #config;

  async setUp() {
    this.relay = await startRelay('nestjs-new', { token: TOKEN });
    this.pi = bootPi();
  }

  async tearDown() {
    await this.pi?.stop();
    await this.relay?.stop();
  }

  /** Somebody in the room who records what is in the chunks. */
  async witness(t, { room = ROOM, userId = 'witness' } = {}) {
    const witness = await joinRoom(this.relay.origin, room, userId, { token: TOKEN, record: true });
    t.after(() => witness.close());
    return witness;
  }

  /** Writes the configuration. `panel` is its section [panel], in TOML. */
  configure({ room = ROOM, panel = lampsBy('gpiochip'), more = '' } = {}) {
    const config = `
[meeting]
url = "http://${HOST}:${this.relay.port}"
room = "${room}"
username = "Pi"
user_id = "${USER}"

[capture]
# The size and the rate that an emulated Pi manages beside everything else.
width = 320
height = 180
fps = 15
${more}
${panel}
`;
    this.#config = config;
    return this.pi.write('/etc/roomcam/config.toml', config);
  }

  /** The stage for a test: the service runs with this configuration, a witness is in its room, and chunks come.
   *  What a test before left differently, such as when it failed, is put right. Returns the witness. */
  async live(t, options) {
    const before = this.#config;
    await this.configure(options);
    const runs = (await this.property('ActiveState')) === 'active';
    if (!runs || this.#config !== before) await this.restart();
    const witness = await this.witness(t, options);
    if (await this.pi.high(LAMPS['mic-muted'])) await this.pi.run('roomcam ctl mic unmute');
    await witness.chunkOf(USER, { deadlineMs: START_MS });
    return witness;
  }

  /** Gives the service its token. */
  giveToken() {
    return this.pi.write('/etc/roomcam/token', `${TOKEN}\n`, '0600');
  }

  /** (Re)starts the service; returns once it is ready. */
  restart() {
    return this.pi.run('systemctl restart roomcam', { deadlineMs: START_MS });
  }

  /** A property of the service, as systemd knows it. */
  async property(name) {
    return (await this.pi.run(`systemctl show --value --property=${name} roomcam`)).trim();
  }

  /** What the service has logged since a moment of the Pi's clock (`now`). */
  journal(since) {
    return this.pi.run(`journalctl --quiet --no-pager --output=cat --unit=roomcam --since=@${since}`);
  }

  /** The Pi's clock, in seconds since 1970. */
  async now() {
    return Number(await this.pi.run('date +%s.%N'));
  }

  /** Waits until the lamps are as said: by name, whether the pin is high. */
  lamps(expected, deadlineMs = 5_000) {
    return until(`the lamps ${JSON.stringify(expected)}`, deadlineMs, async () => {
      for (const [lamp, lit] of Object.entries(expected)) {
        if ((await this.pi.high(LAMPS[lamp])) !== lit) return undefined;
      }
      return true;
    });
  }
}

/** The section [panel] with all lamps, driven by a backend. */
export function lampsBy(backend) {
  const lamps = Object.entries(LAMPS).map(([shows, pin]) => `[[panel.lamp]]\npin = ${pin}\nshows = "${shows}"\n`);
  return `[panel]\nbackend = "${backend}"\n${lamps.join('')}`;
}

export const bench = new Bench();

after(() => bench.tearDown());

/** One test on the bench; when it fails, what the service logged is printed. */
export function step(name, body) {
  test(name, { timeout: 600_000 }, async (t) => {
    assert.ok(bench.pi, 'the Pi has booted');
    const since = await bench.now();
    try {
      await body(t, bench.pi);
    } catch (error) {
      const log = await bench.journal(since).catch((failure) => failure.message);
      for (const line of log.split('\n').slice(-40)) t.diagnostic(`    ${line}`);
      throw error;
    }
  });
}

// WebKitGTK, which shares its media code with Safari, behind W3C WebDriver (docs/receivers.md says what it needs).

import { spawn, execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './ports.mjs';
import { until } from './waiting.mjs';

const LIBRARIES = '/usr/lib';
/** No page of ours keeps a browser busy for so long. */
const ANSWER_MS = 15_000;

/** What a WebKit browser needs and this machine lacks, by the names of Debian's packages; empty if it can run. */
export function missingForWebKit() {
  const tools = { 'webkit2gtk-driver': 'WebKitWebDriver', xvfb: 'xvfb-run', xauth: 'xauth', 'dbus': 'dbus-run-session' };
  return Object.entries(tools).filter(([, tool]) => !installed(tool)).map(([name]) => name);
}

function installed(tool) {
  try {
    execFileSync('sh', ['-c', `command -v ${tool}`]);
    return true;
  } catch {
    return false;
  }
}

function miniBrowser() {
  const machines = readdirSync(LIBRARIES).map((name) => join(LIBRARIES, name));
  const places = ['webkit2gtk-4.1', 'webkit2gtk-4.0', 'webkitgtk-6.0'];
  return machines.flatMap((machine) => places.map((place) => join(machine, place, 'MiniBrowser'))).find((path) => existsSync(path));
}

/** The page no longer answers: its process stands still. */
class Frozen extends Error {}

/** Runs `act` in a WebKit browser, and once more in another if the page of the first freezes: a defect of WebKitGTK, which no
 *  page can mend (docs/receivers.md §7). */
export async function inWebKit(t, act) {
  for (const last of [false, true]) {
    const webkit = await WebKit.start();
    try {
      return await act(webkit);
    } catch (error) {
      if (last || !(error instanceof Frozen)) throw error;
      t.diagnostic(`once more: ${error.message}`);
    } finally {
      await webkit.stop();
    }
  }
}

/** A WebKit browser with one page. */
class WebKit {
  #process;
  #origin;
  #session;

  static async start() {
    const webkit = new WebKit();
    const port = await freePort();
    webkit.#origin = `http://127.0.0.1:${port}`;
    webkit.#process = spawn('dbus-run-session', ['--', 'xvfb-run', '-a', '-s', '-screen 0 1280x800x24', 'WebKitWebDriver', `--port=${port}`], {
      env: { ...process.env, WEBKIT_DISABLE_COMPOSITING_MODE: '1', WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1', NO_AT_BRIDGE: '1' },
      // A group of its own, which ends as a whole.
      detached: true,
      stdio: 'ignore',
    });
    try {
      await until('WebKitWebDriver', 20_000, () => webkit.#call('GET', '/status').catch(() => undefined), 100);
      const options = { binary: miniBrowser(), args: ['--automation', '--autoplay-policy=allow'] };
      const alwaysMatch = { 'webkitgtk:browserOptions': options };
      const { sessionId, capabilities } = await webkit.#call('POST', '/session', { capabilities: { alwaysMatch } });
      webkit.#session = `/session/${sessionId}`;
      webkit.version = capabilities.browserVersion;
    } catch (error) {
      webkit.#end();
      throw error;
    }
    return webkit;
  }

  goto(url) {
    return this.#call('POST', `${this.#session}/url`, { url });
  }

  /** Runs a function in the page; its arguments and its result are JSON. */
  evaluate(act, ...args) {
    return this.#call('POST', `${this.#session}/execute/sync`, { script: `return (${act})(...arguments)`, args });
  }

  async stop() {
    await this.#call('DELETE', this.#session).catch(() => {});
    this.#end();
  }

  #end() {
    if (this.#process.exitCode === null) process.kill(-this.#process.pid, 'SIGTERM');
  }

  async #call(method, path, body) {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const response = await fetch(this.#origin + path, { method, body: body && JSON.stringify(body), signal }).catch((error) => {
      throw signal.aborted ? new Frozen(`WebKit does not answer ${method} ${path} within ${ANSWER_MS / 1000} s`) : error;
    });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`WebKitWebDriver: ${value.error}: ${value.message}`);
    return value;
  }
}

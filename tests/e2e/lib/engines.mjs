// The two browsers, each behind the same few calls: `newPage()`, `closePage(page)`, `addScript(page, source)`, `pid`,
// `isConnected()`, `close()`. Pages have the methods that Playwright and Puppeteer share.

import { chromium } from 'playwright-core';
import { launch as launchPuppeteer } from 'puppeteer-core';

export const BROWSERS = ['chromium', 'firefox'];

const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
  // A camera and a microphone that every machine has.
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
];

/** Pages that play with sound unasked, at full speed whether or not their window is in front, and a browser that
 *  looks for nothing on the network. */
const FIREFOX_PREFS = {
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.suspend-background-video.enabled': false,
  'privacy.reduceTimerPrecision': false,
  'dom.min_background_timeout_value': 4,
  'dom.timeout.enable_budget_timer_throttling': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'network.dns.disablePrefetch': true,
  'network.trr.mode': 5,
  'app.update.auto': false,
  'app.normandy.enabled': false,
  'browser.safebrowsing.downloads.remote.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'browser.region.update.enabled': false,
  'browser.topsites.contile.enabled': false,
  'datareporting.healthreport.uploadEnabled': false,
  'dom.push.connection.enabled': false,
  'extensions.systemAddon.update.enabled': false,
  'extensions.getAddons.cache.enabled': false,
  'media.gmp-manager.updateEnabled': false,
  'services.settings.server': 'data:,',
  'toolkit.telemetry.enabled': false,
};

export function launch(kind, options) {
  return kind === 'firefox' ? launchFirefox() : launchChromium(options);
}

async function launchChromium({ flags = [], program = process.env.CHROMIUM ?? '/usr/bin/chromium' } = {}) {
  const browser = await chromium.launch({
    executablePath: program,
    headless: true,
    args: [...CHROMIUM_FLAGS, ...flags],
  });
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  return {
    kind: 'chromium',
    version: browser.version(),
    pid: processInfo.find(({ type }) => type === 'browser').id,
    newPage: async () => (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage(),
    closePage: (page) => page.context().close(),
    addScript: (page, content) => page.addInitScript({ content }),
    isConnected: () => browser.isConnected(),
    close: () => browser.close(),
  };
}

async function launchFirefox() {
  const browser = await launchPuppeteer({
    browser: 'firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    headless: true,
    extraPrefsFirefox: FIREFOX_PREFS,
  });
  return {
    kind: 'firefox',
    version: await browser.version(),
    pid: browser.process().pid,
    // A tab that is not in front shows no frames.
    newPage: () => browser.newPage({ type: 'window' }),
    closePage: (page) => page.isClosed() || page.close(),
    addScript: (page, content) => page.evaluateOnNewDocument(content),
    isConnected: () => browser.connected,
    close: () => browser.close(),
  };
}

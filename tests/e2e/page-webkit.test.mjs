// The viewer page in WebKit, where no callback tells of frames: it believes the browser's counters, and leaves a picture
// that plays alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Scene } from './lib/scene.mjs';
import { observeFor, until } from './lib/waiting.mjs';
import { inWebKit, missingForWebKit } from './lib/webkit.mjs';

const missing = missingForWebKit();
const skip = missing.length > 0 && `SKIPPED: WebKit needs ${missing.join(', ')}; tests/install-deps.sh webkit installs them`;

/** Marks each MediaSource, and counts callbacks per frame. */
function watch() {
  window.sources = 0;
  const NativeMediaSource = window.MediaSource;
  const add = NativeMediaSource.prototype.addSourceBuffer;
  const seen = new WeakSet();
  NativeMediaSource.prototype.addSourceBuffer = function (mime) {
    if (!seen.has(this)) window.sources += 1;
    seen.add(this);
    return add.call(this, mime);
  };
}

async function playsIn(webkit, user) {
  const users = () => webkit.evaluate(() => window.roomcam?.users ?? {});
  return until(`${user} to play`, 20_000, async () => {
    const { [user]: seen } = await users();
    return seen?.state === 'playing' && seen.frames > 20 ? seen : undefined;
  }, 200);
}

test('a camera plays in WebKit, and goes on to play in the same MediaSource', { skip, timeout: 120_000 }, async (t) => {
  const scene = new Scene(t);
  await scene.play(async () => {
    const relay = await scene.relay('embedded');
    scene.agent(relay, 'agent');
    await inWebKit(t, async (webkit) => {
      await webkit.goto(`${relay.origin}/room/${scene.room}`);
      await playsIn(webkit, 'agent');

      // Longer than any patience of the page.
      await webkit.evaluate(watch);
      const before = (await webkit.evaluate(() => window.roomcam.users)).agent;
      await observeFor(8_000);
      const after = (await webkit.evaluate(() => window.roomcam.users)).agent;
      const sources = await webkit.evaluate(() => window.sources);
      t.diagnostic(`WebKitGTK ${webkit.version}: ${after.frames - before.frames} frames in 8 s, longest gap ${Math.round(after.maxGapMs)} ms, jumps ${JSON.stringify(after.jumps)}`);
      assert.equal(after.state, 'playing');
      assert.deepEqual([sources, after.errors], [0, 0], 'MediaSources opened, errors');
      assert.ok(after.frames - before.frames >= 160, `${after.frames - before.frames} frames in 8 s`);
    });
  });
});

test('a browser that sends plays in WebKit', { skip, timeout: 120_000 }, async (t) => {
  const scene = new Scene(t);
  await scene.play(async () => {
    const relay = await scene.relay('embedded');
    const chromium = await scene.browser();
    const sender = await chromium.client('later', { relay, room: scene.room, user: 'browser' });
    await sender.join({ camera: true });
    await inWebKit(t, async (webkit) => {
      await webkit.goto(`${relay.origin}/room/${scene.room}`);
      const { errors, jumps } = await playsIn(webkit, 'browser');
      t.diagnostic(`errors ${errors}, jumps ${JSON.stringify(jumps)}`);
      assert.equal(errors, 0);
    });
  });
});

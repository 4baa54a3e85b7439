// `roomcam check`: green when everything works, red with exit status 1 when something does not, and harmless to a
// daemon that sits in the same room under the same name.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { ROOMCAM } from './lib/paths.mjs';
import { Child } from './lib/processes.mjs';
import { scenario } from './lib/scene.mjs';

scenario('the doctor finds everything well and throws nobody out', ['nestjs-new', 'embedded'], async (scene, kind) => {
  const relay = await scene.relay(kind);
  const witness = await scene.participant(relay, 'witness');
  const agent = scene.agent(relay, 'agent');
  await witness.chunkOf('agent');

  const { exit, findings } = await check(scene, 'agent');
  assert.deepEqual(
    findings.map(({ check: what, status }) => `${what}: ${status}`),
    ['configuration: ok', 'profile: ok', 'camera: ok', 'microphone: ok', 'relay: ok', 'panel: skipped'],
  );
  assert.equal(exit.code, 0);

  await witness.chunkOf('agent', { sinceMs: performance.timeOrigin + performance.now() });
  assert.ok(!agent.lines.some((line) => /WARN|ERROR/.test(line)), `the daemon did not notice:\n${agent.tail()}`);
});

scenario('the doctor says what is wrong and what to do', ['nestjs-new'], async (scene, kind) => {
  const relay = await scene.relay(kind);
  await relay.kill();
  const agent = scene.agent(relay, 'agent', { capture: { profile: 'usb-webcam', camera: '/dev/video99', mic: 'none' } });

  const { exit, findings } = await check(scene, 'agent');
  const found = Object.fromEntries(findings.map(({ check: what, status, detail }) => [what, `${status}: ${detail}`]));
  assert.match(found.camera, /^failed: \/dev\/video99: no such device; is it plugged in\?/);
  assert.match(found.microphone, /^skipped: /);
  assert.match(found.relay, new RegExp(`^failed: .*127.0.0.1:${relay.port}.*connection refused; check the port`));
  assert.equal(exit.code, 1);
  assert.equal(agent.exit, undefined, 'the daemon itself keeps trying');
});

/** Runs the doctor with the configuration of the agent `userId`. */
async function check(scene, userId) {
  const doctor = scene.owns(new Child('roomcam check', ROOMCAM, ['check', '--json', '--config', join(scene.directory, `${userId}.toml`)]));
  const exit = await doctor.exited;
  const text = doctor.lines.join('\n');
  return { exit, findings: JSON.parse(text.slice(text.indexOf('[\n'))) };
}

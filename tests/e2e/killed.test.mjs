// A daemon that is killed claims nothing afterwards, and comes back no more open than it was.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOMCAM } from './lib/paths.mjs';
import { scenario } from './lib/scene.mjs';
import { observeFor, until } from './lib/waiting.mjs';

const KILLS = 6;

scenario('killed at any moment: no lamp claims "live", and nothing is opened by itself', ['nestjs-new'], async (scene, kind, t) => {
  const relay = await scene.relay(kind);
  const lamps = scene.lamps();
  const state = join(scene.directory, 'state');
  mkdirSync(state);
  const start = async () => {
    const agent = scene.agent(relay, 'agent', { lamps, env: { STATE_DIRECTORY: state } });
    await until('the control socket', 10_000, () => agent.control.answers());
    return agent;
  };

  let chosen = { camera: true, mic: true };
  for (let kill = 0; kill < KILLS; kill += 1) {
    const agent = await start();
    const now = await agent.control.status();
    assert.deepEqual({ camera: now.camera.wanted_on, mic: !now.mic.wanted_muted }, chosen, 'it comes back as it was chosen');

    // The last command may or may not have been carried out when the daemon dies.
    const before = { ...chosen };
    const last = { camera: kill % 3 !== 0, mic: kill % 2 === 0 };
    await agent.control.camera(last.camera);
    const answered = agent.control.mic(!last.mic).then(() => true, () => false);
    await observeFor((kill * 7) % 20);
    agent.signal('SIGKILL');
    await agent.exited;
    const told = await answered;
    const mic = told ? last.mic : undefined;
    t.diagnostic(`kill ${kill + 1}: camera ${last.camera}, mic ${mic ?? `${before.mic} or ${last.mic}`}`);

    // What the unit does after every end of the daemon, and doing it again changes nothing.
    for (const time of ['first', 'second']) {
      const [command, args] = lamps.among(ROOMCAM, ['lamps', 'off', '--config', agent.config]);
      const off = spawnSync(command, args, { encoding: 'utf8' });
      assert.equal(off.status, 0, `the ${time} \`lamps off\`: ${off.stderr}`);
      await until('all lamps dark', 2_000, () => Object.keys(lamps.records).every((lamp) => !lamps.isLit(lamp)));
    }

    const again = await start();
    const found = await again.control.status();
    chosen = { camera: found.camera.wanted_on, mic: !found.mic.wanted_muted };
    // What was closed is kept once that was answered; an answer that it is open does not wait for the disk.
    for (const [device, isKept] of [['camera', !last.camera], ['mic', told && !last.mic]]) {
      const possible = isKept ? [last[device]] : [last[device], before[device]];
      assert.ok(possible.includes(chosen[device]), `the ${device} is open: ${chosen[device]}, not one of ${possible}`);
    }
    await again.stop();
  }
});

scenario('with push-to-talk every start is muted, whatever was chosen before', ['nestjs-new'], async (scene, kind) => {
  const relay = await scene.relay(kind);
  const state = join(scene.directory, 'state');
  mkdirSync(state);
  writeFileSync(join(state, 'choice.json'), '{"camera_on":true,"mic_live":true,"attending":true}');
  const panel = { configuration: '[panel]\nbackend = "none"\n[[panel.button]]\npin = 27\npush_to_talk = true\n', among: (...all) => all };
  const agent = scene.agent(relay, 'agent', { lamps: panel, env: { STATE_DIRECTORY: state } });
  await until('the control socket', 10_000, () => agent.control.answers());
  const { mic, camera } = await agent.control.status();
  assert.deepEqual([mic.wanted_muted, camera.wanted_on], [true, true]);
});

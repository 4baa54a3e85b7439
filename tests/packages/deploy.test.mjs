// cross/deploy.sh, with programs in the place of ssh and scp that write down what they are asked.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { REPOSITORY } from '../e2e/lib/paths.mjs';
import { packageFor } from './lib.mjs';

/** Runs it; `asked` is what the stand-ins wrote down, one line per call. */
function deploy(t, ...args) {
  const directory = mkdtempSync(join(tmpdir(), 'roomcam-deploy-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const log = join(directory, 'asked');
  for (const name of ['ssh', 'scp']) {
    const standIn = join(directory, name);
    writeFileSync(standIn, `#!/bin/sh\n# A stand-in for ${name}.\necho ${name} "$@" | tr '\\n' ' ' >> ${log}; echo >> ${log}\ncase $* in *print-architecture) echo amd64 ;; esac\n`);
    chmodSync(standIn, 0o755);
  }
  const { status, stdout, stderr } = spawnSync(join(REPOSITORY, 'cross/deploy.sh'), args, {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${directory}:${process.env.PATH}` },
  });
  const asked = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
  return { status, stdout, stderr, asked };
}

test('a dry run prints what would be done, and asks for nothing but the architecture', (t) => {
  const { status, stdout, stderr, asked } = deploy(t, 'pi@wall', '--dry-run');
  assert.equal(status, 0, stderr);
  assert.deepEqual(asked, ['ssh pi@wall dpkg --print-architecture']);
  const [build, copy, install, start, ...rest] = stdout.trim().split('\n');
  assert.match(build, /cross\/package\.sh amd64/);
  assert.match(copy, /^scp roomcam_VERSION_amd64\.deb pi@wall:\/tmp\//);
  assert.match(install, /^ssh pi@wall .*apt-get\\? install/);
  assert.match(start, /^ssh pi@wall .*journalctl.*systemctl\\? restart/);
  assert.deepEqual(rest, []);
});

test('the package for the architecture of the Pi is copied, installed and started', (t) => {
  const { status, stderr, asked } = deploy(t, 'pi@wall');
  assert.equal(status, 0, stderr);
  const name = packageFor('amd64').split('/').at(-1);
  const [architecture, copy, install, start, ...rest] = asked;
  assert.match(architecture, /print-architecture/);
  assert.match(copy, new RegExp(`^scp \\S*${name} pi@wall:/tmp/${name}`));
  assert.match(install, new RegExp(`apt-get install .*/tmp/${name}`));
  assert.match(start, /systemctl restart roomcam/);
  assert.deepEqual(rest, []);
});

test('without a Pi it says how it is used', (t) => {
  const { status, stderr, asked } = deploy(t, '--dry-run');
  assert.equal(status, 2);
  assert.match(stderr, /Usage: cross\/deploy\.sh USER@HOST/);
  assert.deepEqual(asked, []);
});

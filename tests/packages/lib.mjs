// Packages as `make deb` left them, and Debian roots to install them in.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Child } from '../e2e/lib/processes.mjs';
import { REPOSITORY, TESTS } from '../e2e/lib/paths.mjs';

const BUILT = join(process.env.CARGO_TARGET_DIR ?? join(REPOSITORY, 'target'), 'debian');
const ENTER = join(TESTS, 'packages/enter.sh');
/** Before a command that needs root, as whatever is done to a Debian root does. */
export const AS_ROOT = process.getuid() === 0 ? [] : ['sudo'];

/** Whose packages are looked into. */
export const ARCHITECTURES = (process.env.ARCHITECTURES ?? 'amd64 arm64 armhf').split(' ');

/** The path of the package for an architecture; `make deb ARCH=...` builds it. */
export function packageFor(arch) {
  const found = readdirSync(BUILT).filter((name) => name.startsWith('roomcam_') && name.endsWith(`_${arch}.deb`));
  assert.equal(found.length, 1, `one package for ${arch} in ${BUILT}, not ${found.length}: make deb ARCH=${arch}`);
  return join(BUILT, found[0]);
}

/** A field of its control file. */
export function field(deb, name) {
  return execFileSync('dpkg-deb', ['--field', deb, name], { encoding: 'utf8' }).trim();
}

/** What it installs: absolute paths of files and links. */
export function contents(deb) {
  const lines = execFileSync('dpkg-deb', ['--contents', deb], { encoding: 'utf8' }).trim().split('\n');
  return lines
    .filter((line) => !line.startsWith('d'))
    .map((line) => line.split(/\s+/).slice(5).join(' ').split(' -> ')[0].replace(/^\./, ''));
}

/** Runs a command and returns its output; a status other than 0 is an error that shows what it said. */
export function run(command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  assert.ok(!error && status === 0, `${command} ${args.join(' ')}: ${error ?? `status ${status}`}\n${stdout}${stderr}`);
  return stdout;
}

/** Debian as it is for who installs the package: a copy that the test may change, gone when it ends. */
export class Root {
  constructor(t, arch, depends) {
    const cached = execFileSync(AS_ROOT[0] ?? 'env', [join(TESTS, 'packages/root.sh'), arch, depends], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    }).trim();
    this.directory = mkdtempSync(join(tmpdir(), `roomcam-${arch}-`));
    t.after(() => run(...AS_ROOT, 'rm', '-rf', this.directory));
    run(...AS_ROOT, 'cp', '-a', `${cached}/.`, this.directory);
  }

  /** Runs a command in it; see [`run`]. */
  run(...command) {
    return run(...AS_ROOT, ENTER, this.directory, ...command);
  }

  /** Like [`run`], for a command that may fail: its status and output. */
  try(...command) {
    const [program, ...args] = [...AS_ROOT, ENTER, this.directory, ...command];
    const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    return { status, output: stdout + stderr };
  }

  /** Starts a command in it. */
  start(name, ...command) {
    const [program, ...args] = [...AS_ROOT, ENTER, this.directory, ...command];
    return new Child(name, program, args);
  }

  /** Installs a package with apt, without network: what it depends on is there, or the test has found a gap. */
  install(deb) {
    run(...AS_ROOT, 'cp', deb, join(this.directory, 'root'));
    return this.apt('install', `/root/${basename(deb)}`);
  }

  /** Runs apt without network. */
  apt(...args) {
    return this.run('unshare', '--net', 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '--quiet', '--yes', '--no-install-recommends', ...args);
  }

  /** Every path in it, but for logs, caches and dpkg's own books, and who has an account. */
  inventory() {
    const skip = ['proc', 'sys', 'dev', 'run', 'tmp', 'var/log', 'var/cache/apt', 'var/lib/apt', 'var/lib/dpkg', 'root'];
    const prune = skip.flatMap((path) => ['-path', `./${path}`, '-prune', '-o']);
    const paths = run(...AS_ROOT, 'find', this.directory, '-mindepth', '1', ...prune.map((each) => each.replace(/^\.\//, `${this.directory}/`)), '-print');
    const accounts = run(...AS_ROOT, 'cat', ...['passwd', 'group', 'shadow', 'gshadow'].map((name) => join(this.directory, 'etc', name)));
    return [
      ...paths.trim().split('\n').map((path) => path.slice(this.directory.length)),
      ...accounts.trim().split('\n').map((line) => `account ${line}`),
    ].sort();
  }
}

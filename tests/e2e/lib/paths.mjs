// Where things are, all from the place of this file.

import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const TESTS = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const REPOSITORY = dirname(TESTS);
export const TARGET = process.env.CARGO_TARGET_DIR ?? join(REPOSITORY, 'target');

/** Screenshots and reports of a run. */
export const ARTIFACTS = join(TARGET, 'e2e');

/** The program under test: `ROOMCAM`, else the debug build, else the release build. */
export const ROOMCAM = program(['debug', 'release']);

/** The program to measure: `ROOMCAM`, else the release build. */
export const ROOMCAM_RELEASE = program(['release']);

function program(kinds) {
  const builds = kinds.map((kind) => join(TARGET, kind, 'roomcam'));
  return process.env.ROOMCAM ?? builds.find(existsSync) ?? builds[0];
}

// What the program and its packages weigh, as far as they have been built.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOMCAM_RELEASE } from '../e2e/lib/paths.mjs';

/** The program that is measured, and every package that `make deb` has left. */
export function benchSize() {
  const packages = join(dirname(ROOMCAM_RELEASE), '../debian');
  const names = existsSync(packages) ? readdirSync(packages).filter((name) => name.endsWith('.deb')).sort() : [];
  const row = (what, path) => ({ what, KiB: Math.round(statSync(path).size / 1024) });
  const rows = [row('program, stripped', ROOMCAM_RELEASE), ...names.map((name) => row(name, join(packages, name)))];
  return { tables: [{ title: 'Size', rows }] };
}

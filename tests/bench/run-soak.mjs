// What every soak begins and ends with: a seed, a directory and a link of its own, and that nothing is left running.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomNumbers, seed } from '../e2e/lib/random.mjs';
import { Link } from '../network/link.mjs';

/** Runs `soak({ endings, used, random, directory, link })`; `used` is the seed of `random`. What is pushed to `endings` is
 *  called at the end, the last first. The program ends with 1 unless `soak` resolves to something truthy. */
export async function runSoak(soak) {
  const endings = [];
  try {
    const used = seed();
    const directory = mkdtempSync(join(tmpdir(), 'roomcam-soak-'));
    endings.push(() => rmSync(directory, { recursive: true, force: true }));
    const link = new Link();
    endings.push(() => link.close());
    process.exitCode = (await soak({ endings, used, random: randomNumbers(used), directory, link })) ? 0 : 1;
  } finally {
    for (const ending of endings.reverse()) await ending();
  }
}

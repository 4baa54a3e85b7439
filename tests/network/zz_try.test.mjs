import { test } from 'node:test';
import { Scene } from '../e2e/lib/scene.mjs';
import { measure } from './measure.mjs';
import { ROWS } from './rows.mjs';
const names = (process.env.ROWS ?? 'ten seconds without a link').split(',');
const gens = (process.env.GENS ?? 'later').split(',');
for (const name of names) for (const generation of gens) for (let i = 0; i < Number(process.env.N ?? 4); i++) test(`${name} ${generation} ${i}`, { timeout: 120000 }, async (t) => {
  const scene = new Scene(t);
  const row = ROWS.find((row) => row.name === name);
  await scene.play(async () => {
    const m = await measure(scene, row, { generation, lastMs: Number(process.env.LAST ?? 6000) });
    t.diagnostic(JSON.stringify(m.report)); t.diagnostic(`died ${m.died} recovers ${m.recovers}`);
    if (process.env.LOG || m.died) { for (const [at, what, d] of m.log) t.diagnostic(`${(at - (m.changedMs - m.originMs)).toFixed(0)} ${what} ${JSON.stringify(d)}`);
      for (const c of (m.chunks ?? []).filter((c) => c.cutMs > m.changedMs - 500 && c.cutMs < m.changedMs + 12500)) t.diagnostic(JSON.stringify({ ...c, cutMs: c.cutMs - m.changedMs, arrivedMs: c.arrivedMs - m.changedMs })); }
  });
});

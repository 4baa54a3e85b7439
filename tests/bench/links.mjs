// Bad links: the agent and a browser that sends the same picture, watched by a client at the end of a link (network/rows.mjs).
// A table beside the goals, and a plot of how old what is seen was, second by second.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Scene } from '../e2e/lib/scene.mjs';
import { measure, mediaRecorder, roomcam } from '../network/measure.mjs';
import { missedGoals, ROWS } from '../network/rows.mjs';
import { plotLatencies } from './plot.mjs';
import { FORMAT } from './profile.mjs';
import { makePicture } from './publishing.mjs';

/** Measures each row for `seconds`; the plot is written to `plot`. The first generation is watched with the agent alone. */
export async function benchLinks({ seconds, plot, rows = ROWS }) {
  if (process.getuid() !== 0) {
    console.error('SKIPPED: links: it takes root to make network namespaces');
    return { tables: [] };
  }
  const directory = mkdtempSync(join(tmpdir(), 'roomcam-bench-'));
  try {
    const browser = mediaRecorder({ ...makePicture(directory), bitrate: FORMAT.video_bitrate });
    const table = [];
    const panels = [];
    for (const row of rows) {
      const panel = { title: row.name, lines: [] };
      for (const [sender, generation] of [[roomcam, 'later'], [roomcam, 'first'], [browser, 'later']]) {
        const who = `${sender.name}, ${generation}`;
        console.error(`${row.name}: ${who} generation`);
        const measured = await measureOnce(row, { sender, generation, lastMs: seconds * 1_000 });
        table.push(tableRow(row, who, measured));
        if (measured.latencies) panel.lines.push({ name: who, points: measured.latencies });
      }
      panels.push(panel);
    }
    writeFileSync(plot, plotLatencies('How old the picture is that a viewer sees', panels));
    console.error(`plot: ${plot}`);
    return { rows: table, tables: [{ title: `Bad links, ${seconds} s after adapting (ms; goals of the agent)`, rows: table }] };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measureOnce(row, options) {
  const endings = [];
  const scene = new Scene({ after: (ending) => endings.push(ending), diagnostic: (line) => console.error(line) });
  try {
    return await scene.play(() => measure(scene, row, options));
  } catch (error) {
    return { failure: error.message };
  } finally {
    for (const ending of endings.reverse()) await ending();
  }
}

function tableRow(row, who, { failure, report = {}, all = {}, died = 0 }) {
  const whole = (value) => (Number.isFinite(value) ? value.toFixed(0) : '-');
  const agent = who.startsWith(roomcam.name);
  return {
    link: row.name,
    'sender, generation': who,
    'to the relay p95': whole(report.delayP95),
    'picture p50 / p95': `${whole(report.glassP50)} / ${whole(report.glassP95)}`,
    'media p95': whole(report.latencyP95),
    'no frame': whole(report.longestFreeze),
    'no new picture': whole(report.longestStill),
    'with the changes': whole(all.longestStill),
    'voice %': whole(report.voice * 100),
    fps: whole(report.fps),
    goals: failure ?? (died > 0 ? `${died} MediaSources died` : agent ? missedGoals(row, report, all).join('; ') || 'met' : ''),
  };
}

// A participant of a WebRTC mesh that only watches, on aiortc (tests/signalling/watcher.py): it records all that arrives.

import { join } from 'node:path';
import { Child } from './processes.mjs';
import { TESTS } from './paths.mjs';

/** Joins a scene's room on a signalling server. */
export async function startWatcher(scene, server) {
  const env = { SERVER: server.origin, ROOM: scene.room };
  const child = new Child('watcher', join(TESTS, 'signalling/.venv/bin/python'), [join(TESTS, 'signalling/watcher.py')], { env });
  scene.owns(child);
  const [origin] = await child.line(/^http:\/\/\S+/);
  return {
    /** What came until now, by kind: {packetsLost, undecoded, frames}. A frame is {mediaMs, arrivedMs, lastMs, level}: its media time, when
     *  it was complete and when a packet of it came last (Unix ms), and the brightest luma or the loudness in dBFS. */
    async recording() {
      const recording = await (await fetch(`${origin}/test/recording`)).json();
      for (const track of Object.values(recording)) {
        track.frames = track.frames.map(([mediaMs, arrivedMs, lastMs, level]) => ({ mediaMs, arrivedMs, lastMs, level }));
      }
      return recording;
    },
  };
}

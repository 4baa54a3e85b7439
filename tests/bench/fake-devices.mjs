// The agent's test pattern as a camera and a microphone for Chromium.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { FORMAT, testPattern } from './profile.mjs';

/** Flags with which Chromium takes the test pattern for a camera and a microphone: files in `directory`, 10 s, looped. */
export function fakeDevices(directory) {
  const { video, audio } = testPattern();
  const picture = join(directory, 'picture.y4m');
  const sound = join(directory, 'sound.wav');
  const frames = 10 * FORMAT.fps;
  gstLaunch(`${limited(video.source, 'videotestsrc', frames)} ! videoconvert ! video/x-raw,format=I420 ! y4menc ! filesink location=${picture}`);
  // 1024 samples a buffer are audiotestsrc's default.
  gstLaunch(`${limited(audio.source, 'audiotestsrc', Math.round((10 * 48_000) / 1_024))} ! audioconvert ! wavenc ! filesink location=${sound}`);
  return [
    '--use-fake-ui-for-media-stream',
    '--use-fake-device-for-media-stream',
    `--use-file-for-fake-video-capture=${picture}`,
    `--use-file-for-fake-audio-capture=${sound}`,
  ];
}

function limited(source, element, buffers) {
  if (!source.includes(element)) throw new Error(`pipelines/test-pattern.toml: expected ${element} in "${source}"`);
  return source.replace(element, `${element} num-buffers=${buffers}`);
}

function gstLaunch(pipeline) {
  execFileSync('gst-launch-1.0', ['-q', ...words(pipeline)], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** A launch line as arguments: what a shell makes of it, without a shell. */
export function words(pipeline) {
  return [...pipeline.matchAll(/(?:"[^"]*"|\S)+/g)].map(([word]) => word.replaceAll('"', ''));
}

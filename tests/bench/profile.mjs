// The agent's own `test-pattern` profile, for baselines with the same source, encoders and settings.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { REPOSITORY } from '../e2e/lib/paths.mjs';

const TEST_PATTERN = join(REPOSITORY, 'pipelines/test-pattern.toml');

/** The picture and the stream that everything is measured at. */
export const FORMAT = { width: 640, height: 480, fps: 30, video_bitrate: 800_000, audio_bitrate: 32_000 };

/** Puts a profile `bench` into `directory`: the test pattern without the clock that the agent draws on it, so that
 *  everything measured has the same picture to encode. */
export function writeBenchProfile(directory) {
  const plain = readFileSync(TEST_PATTERN, 'utf8').replace(/^overlay = .*$/m, '');
  writeFileSync(join(directory, 'bench.toml'), plain);
}

/** The profile's fragments, without the overlay that the agent draws on the picture, with every placeholder filled in: {video: {source, encoder}, audio: {…}}. */
export function testPattern() {
  const profile = parse(readFileSync(TEST_PATTERN, 'utf8'));
  const { width, height, fps, video_bitrate, audio_bitrate } = FORMAT;
  const fillTable = ({ source, encoder, bitrate_scale = 1 }, bitrate) => {
    // Seconds between key frames are the agent's affair; a live stream here needs none but the first.
    const values = { width, height, fps, bitrate: bitrate / bitrate_scale, keyframe_interval: 3_000, loss: 0 };
    const fill = (fragment) =>
      fragment.replace(/\{(\w+)\}/g, (placeholder, name) => {
        if (!(name in values)) throw new Error(`pipelines/test-pattern.toml: nothing to put in place of ${placeholder}`);
        return String(values[name]);
      });
    // Both encoders are named `encoder`, which one launch line with both in it does not allow.
    return { source: fill(source), encoder: fill(encoder).replace(/\bname=encoder\b/, '') };
  };
  return { video: fillTable(profile.video, video_bitrate), audio: fillTable(profile.audio, audio_bitrate) };
}

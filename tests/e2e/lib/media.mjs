// Media files with known content, made by ffmpeg.

import { execFileSync } from 'node:child_process';

/** 4 s of a red left and a blue right half at 640x480, 30 fps, with a 1 kHz tone. */
export function makeTwoColourVideo(path) {
  ffmpeg(
    '-f', 'lavfi', '-i', 'color=c=0xc82828:s=320x480:r=30:d=4',
    '-f', 'lavfi', '-i', 'color=c=0x2828c8:s=320x480:r=30:d=4',
    '-f', 'lavfi', '-i', 'sine=frequency=1000:sample_rate=48000:duration=4,volume=4',
    '-filter_complex', '[0][1]hstack[v]', '-map', '[v]', '-map', '2:a',
    '-c:v', 'libvpx', '-deadline', 'realtime', '-b:v', '2M', '-c:a', 'libopus', '-ac', '1', path,
  );
}

/** 4 s of a 1 kHz tone, without a picture. */
export function makeTone(path) {
  ffmpeg('-f', 'lavfi', '-i', 'sine=frequency=1000:sample_rate=48000:duration=4,volume=4', '-c:a', 'libopus', '-ac', '1', path);
}

function ffmpeg(...args) {
  execFileSync('ffmpeg', ['-loglevel', 'error', '-y', ...args]);
}

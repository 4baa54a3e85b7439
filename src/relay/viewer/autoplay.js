// Playing, as far as the browser lets a page.

/**
 * Lets a video play. A browser may pause a muted video that was out of sight; one that may not play rejects, until the
 * user clicks.
 *
 * @param {(blocked: boolean) => void} blocked whether the browser wants a click before it plays
 */
export function startPlaying(video, blocked) {
  video.play().then(
    () => blocked(false),
    (error) => {
      if (error.name === 'NotAllowedError') blocked(true);
    },
  );
}

// Why the viewer is not in the room, and whether trying again helps: pure decisions.

/**
 * The kinds of condition. `first` and `most`: milliseconds until the next try, doubling from the one to the
 * other; without them only the user can change anything.
 */
const RETRIES = {
  away: { first: 1000, most: 8000 },
  full: { first: 5000, most: 10_000 },
  'relay-full': { first: 5000, most: 10_000 },
  busy: { first: 3000, most: 30_000 },
  refused: { first: 10_000, most: 60_000 },
};

/** Part of a wait that is left to chance, so that those who were refused together do not come back together. */
const CHANCE = 0.2;

/** What a refusal is about, by its text, where its code does not say enough. */
const KINDS_BY_TEXT = [
  [/limit of \d+ participants/i, 'full'],
  [/limit of \d+ rooms/i, 'busy'],
  [/room needs a name/i, 'room'],
  [/meeting .*ended/i, 'ended'],
];

/** The same by its code. */
const KINDS_BY_CODE = {
  token_required: 'token-needed',
  token_wrong: 'token-wrong',
  room_full: 'full',
  relay_full: 'relay-full',
  // Soon another relay has its place.
  draining: 'away',
  too_many: 'busy',
  user_taken: 'kicked',
};

/**
 * What a refusal means.
 *
 * @param {{message?: string, code?: string}} refusal as the relay said it
 * @returns {{kind: string, message: string}}
 */
export function conditionOf({ message = '', code } = {}) {
  const byText = KINDS_BY_TEXT.find(([pattern]) => pattern.test(message))?.[1];
  return { kind: byText ?? KINDS_BY_CODE[code] ?? 'refused', message };
}

/**
 * What a relay said that refused before there was a connection. Of a refused WebSocket a page hears nothing but that there
 * is none; long-polling, which is tried next, has an answer.
 *
 * @param {{context?: XMLHttpRequest}} error as Socket.IO reports it
 * @returns {{message?: string, code?: string}|null} null if the relay said nothing
 */
export function refusalIn({ context }) {
  try {
    const { error, code } = JSON.parse(context.responseText);
    return typeof code === 'string' ? { message: error, code } : null;
  } catch {
    return null;
  }
}

/**
 * How long to wait before the next try (milliseconds); null if none helps.
 *
 * @param {number} tries how many there have been in a row
 * @param {number} chance 0 to 1
 */
export function waitBefore(kind, tries, chance = Math.random()) {
  const retry = RETRIES[kind];
  if (!retry) return null;
  return Math.min(retry.first * 2 ** tries, retry.most) * (1 + CHANCE * (chance - 0.5));
}

// Why the viewer is not in the room, and whether trying again helps: pure decisions.

/**
 * The kinds of condition. `first` and `most`: milliseconds until the next try, doubling from the one to the
 * other; without them only the user can change anything.
 */
const RETRIES = {
  away: { first: 1000, most: 8000 },
  full: { first: 5000, most: 10_000 },
  busy: { first: 3000, most: 30_000 },
  refused: { first: 10_000, most: 60_000 },
};

/** Part of a wait that is left to chance, so that those who were refused together do not come back together. */
const CHANCE = 0.2;

/** What the relay's refusals are about, by their `code`. */
const KINDS_BY_CODE = {
  'token-missing': 'token-needed',
  'token-wrong': 'token-wrong',
  'room-full': 'full',
  'too-many-rooms': 'busy',
  'too-many-joins': 'busy',
  'bad-room': 'room',
  'displaced': 'kicked',
};

/** The same by their text, for relays that send no code. */
const KINDS_BY_TEXT = [
  [/token/i, 'token-needed'],
  [/limit of \d+ participants/i, 'full'],
  [/limit of \d+ rooms|too many/i, 'busy'],
  [/room needs a name/i, 'room'],
  [/logged in as the same user/i, 'kicked'],
  [/meeting .*ended/i, 'ended'],
];

/**
 * What a refusal means.
 *
 * @param {{message?: string, code?: string}} refusal as the relay said it
 * @param {boolean} offeredToken whether a token went with what was refused
 * @returns {{kind: string, message: string}}
 */
export function conditionOf({ message = '', code } = {}, offeredToken = false) {
  const byText = KINDS_BY_TEXT.find(([pattern]) => pattern.test(message))?.[1];
  const kind = KINDS_BY_CODE[code] ?? byText ?? 'refused';
  return { kind: kind === 'token-needed' && offeredToken ? 'token-wrong' : kind, message };
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

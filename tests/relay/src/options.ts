/** The ages of deployed relays (docs/receivers.md). Each has something that the one before it has not. */
export type Generation =
  /** Has neither `stream-reset` nor `request-keyframe` nor a presenter, and keeps the `hasVideo` of the join. */
  | 'old'
  /** Forwards `stream-reset` and `request-keyframe`; otherwise the old one. */
  | 'middle'
  /** Knows a presenter, keeps `hasVideo`, sends lists of participants and looks up e-mail addresses. */
  | 'new';

const GENERATIONS: readonly string[] = ['old', 'middle', 'new'] satisfies Generation[];

export type BroadcastMode = 'single' | 'all';

/** What the relay is told by its environment. */
export interface Options {
  /** Address to listen on. From `ADDRESS`, default 127.0.0.1. */
  address: string;
  /** TCP port; 0 picks a free one. From `PORT`, default 0. */
  port: number;
  /** Which age of deployed relay to be. From `GENERATION`, default `new`. */
  generation: Generation;
  /** When set, `auth.token` of the CONNECT packet must be this. From `TOKEN`. */
  token: string | undefined;
  /** When set, only these rooms exist. From `ROOMS`, separated by commas. */
  rooms: string[] | undefined;
  /** Who created every room and so is its host; without it, whoever joins a room first. From `HOST`. */
  host: string | undefined;
  /** Who may broadcast in a new room of generation `new`. From `BROADCAST_MODE`, default `all`. */
  broadcastMode: BroadcastMode;
  /** What one query to the database takes at least, in ms; at most three times that. A join makes three to five.
   *  From `QUERY_MS`, default 3. */
  queryMs: number;
  /** When set, the Redis over which servers share their rooms. From `REDIS`, such as redis://127.0.0.1:6379. */
  redis: string | undefined;
}

/** Reads the options, or throws an error that names the variable and what is allowed. */
export function optionsFrom(env: NodeJS.ProcessEnv): Options {
  return {
    address: env.ADDRESS ?? '127.0.0.1',
    port: whole(env, 'PORT', 0, 65_535),
    generation: oneOf(env, 'GENERATION', GENERATIONS, 'new') as Generation,
    token: env.TOKEN,
    rooms: env.ROOMS?.split(','),
    host: env.HOST,
    broadcastMode: oneOf(env, 'BROADCAST_MODE', ['single', 'all'], 'all') as BroadcastMode,
    queryMs: whole(env, 'QUERY_MS', 3, 10_000),
    redis: env.REDIS,
  };
}

function whole(env: NodeJS.ProcessEnv, name: string, otherwise: number, most: number): number {
  const value = Number(env[name] ?? otherwise);
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw new Error(`${name}=${env[name]}: expected a number from 0 to ${most}`);
  }
  return value;
}

function oneOf(env: NodeJS.ProcessEnv, name: string, allowed: readonly string[], otherwise: string): string {
  const value = env[name] ?? otherwise;
  if (!allowed.includes(value)) throw new Error(`${name}=${value}: expected one of ${allowed.join(', ')}`);
  return value;
}

/** The token under which Nest hands out the [`Options`]. */
export const OPTIONS = Symbol('options');

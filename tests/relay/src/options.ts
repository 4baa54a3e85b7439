/** What the relay is told by its environment. */
export interface Options {
  /** TCP port on 127.0.0.1; 0 picks a free one. From `PORT`, default 0. */
  port: number;
  /**
   * Which age of deployed relay to be (protocol.md, section 2). `old` sends neither `canBroadcast` nor
   * `broadcastMode`, forwards no `stream-reset` and knows no presenter. From `GENERATION`, default `new`.
   */
  generation: 'new' | 'old';
  /** When set, `auth.token` of the CONNECT packet must be this. From `TOKEN`. */
  token: string | undefined;
  /** When set, only these rooms exist. From `ROOMS`, separated by commas. */
  rooms: string[] | undefined;
}

/** Reads the options, or throws an error that names the variable and what is allowed. */
export function optionsFrom(env: NodeJS.ProcessEnv): Options {
  const port = Number(env.PORT ?? '0');
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new Error(`PORT=${env.PORT}: expected a number from 0 to 65535`);
  }
  const generation = env.GENERATION ?? 'new';
  if (generation !== 'new' && generation !== 'old') {
    throw new Error(`GENERATION=${generation}: expected "new" or "old"`);
  }
  return { port, generation, token: env.TOKEN, rooms: env.ROOMS?.split(',') };
}

/** The token under which Nest hands out the [`Options`]. */
export const OPTIONS = Symbol('options');

// The dialect "noom" in its object form (docs/signalling.md §2): two in a room, of whom nobody has an id. Pure.

/** The other one. */
export const OTHER = 'other';

/**
 * @param {string} name what the other one is called here, for nobody says it
 * @returns {import('./connection.js').Dialect & Record<string, unknown>}
 */
export function noomDialect(name) {
  const other = { userId: OTHER, socketId: OTHER, username: name, hasVideo: true, isMuted: false };
  const signal = (what) => ['signal', { from: OTHER, ...what }];
  return {
    // `watch` is a word of this relay; others ignore it.
    join: ({ room }) => ['join_room', { roomName: room, watch: true }],
    acknowledged: true,
    heard: {
      'ice-servers': (_, iceServers) => [['ice-servers', { iceServers }]],
      welcome: () => [['user-joined', other]],
      // Whoever was there is known by its offer alone.
      offer: (_, { offer }) => [['introduced', other], signal({ offer })],
      answer: (_, { answer }) => [signal({ answer })],
      ice: (_, { ice, candidate }) => [signal({ candidate: ice ?? candidate })],
      bye: () => [['user-left', { userId: OTHER, socketId: OTHER }]],
    },
    chat: null,
    joinsToRename: false,
    offersTo: 'came',
    signal: (_, { offer, answer, candidate }) => {
      if (offer) return ['offer', { offer }];
      if (answer) return ['answer', { answer }];
      return ['ice', { ice: candidate }];
    },
  };
}

// The dialect "mesh" (docs/signalling.md §1): participants connect to each other, and name each other by socket id. Pure.

/** @type {import('./connection.js').Dialect & Record<string, unknown>} */
export const meshDialect = {
  // `watch` is a word of this relay; others ignore it.
  join: ({ room, username }) => ['join_room', { room_id: room, username, user_id: null, watch: true }],
  acknowledged: false,
  heard: {
    'ice-servers': (_, iceServers) => [['ice-servers', { iceServers }]],
    'existing-users': (_, { users = [] } = {}) => [['room-state', { participants: users.map(participant) }]],
    'user-joined': (_, user) => [['user-joined', participant(user)]],
    'user-left': (_, { sid }) => [['user-left', { userId: sid, socketId: sid }]],
    'video-toggled': (_, { sid, enabled }) => [['camera-state-changed', { userId: sid, hasVideo: enabled === true }]],
    'audio-toggled': (_, { sid, enabled }) => [['mic-state-changed', { userId: sid, isMuted: enabled !== true }]],
    // What this page has written it has shown already.
    message: (self, said) => (said.sid === self ? [] : [['chat-message', said]]),
    offer: (_, { from, offer }) => [['signal', { from, offer }]],
    answer: (_, { from, answer }) => [['signal', { from, answer }]],
    'ice-candidate': (_, { from, candidate }) => [['signal', { from, candidate }]],
  },
  chat: ({ username }, message) => ['message', { message, username }],
  joinsToRename: false,
  offersTo: 'found',
  signal: (target, { offer, answer, candidate }) => {
    if (offer) return ['offer', { target, offer }];
    if (answer) return ['answer', { target, answer }];
    return ['ice_candidate', { target, candidate }];
  },
};

/** Nobody says at the join whether a camera is on; it is taken for granted until they do. */
function participant({ sid, username, watch = false }) {
  return { userId: sid, socketId: sid, username, hasVideo: !watch, isMuted: watch };
}

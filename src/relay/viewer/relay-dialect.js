// The relay's dialect (docs/protocol.md): media come as chunks through the server. Pure.

/** Events that mean the same here. */
const SAME = [
  'room-state',
  'user-joined',
  'user-left',
  'camera-state-changed',
  'mic-state-changed',
  'stream-reset',
  'speaking-start',
  'speaking-stop',
  'participant-list-changed',
  'broadcast-presenter-changed',
  'broadcast-mode-changed',
  'chat-message',
];

/** @type {import('./connection.js').Dialect & Record<string, unknown>} */
export const relayDialect = {
  join: ({ room, username }) => ['join-room', { roomId: room, username, hasVideo: false, isMuted: true }],
  acknowledged: false,
  heard: {
    ...Object.fromEntries(SAME.map((event) => [event, (_, payload = {}) => [[event, payload]]])),
    'media-chunk': (_, chunk) => (chunk?.userId && chunk.chunk ? [['media', chunk]] : []),
  },
  chat: (_, message) => ['chat-message', { message }],
  joinsToRename: true,
  offersTo: null,
  requestKeyframe: (userId) => ['request-keyframe', { targetUserId: userId }],
};

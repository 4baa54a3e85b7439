// The connection to the relay: joins, rejoins, and says why it is away.

import { io } from './vendor/socket.io.esm.min.js';

/** How long until a connection that the relay itself has refused or ended is tried again (milliseconds). */
const REFUSED_RETRY = 10_000;

/** Events of the room that are handed on as they come. */
const ROOM_EVENTS = [
  'room-state',
  'user-joined',
  'user-left',
  'media-chunk',
  'camera-state-changed',
  'mic-state-changed',
  'stream-reset',
  'speaking-start',
  'speaking-stop',
  'participant-list-changed',
  'broadcast-presenter-changed',
  'broadcast-mode-changed',
  'room-ended',
];

/**
 * Joins `room` as a viewer and stays joined.
 *
 * @param {{room: string, userId: string, username: string, token: string|null}} who
 * @param {Record<string, (payload: object) => void>} on handlers by event, and besides: `connected` (no
 *   payload) and `away` ({reason}: text for people)
 * @returns {{requestKeyframe: (userId: string) => void, connected: () => boolean}}
 */
export function joinRelay(who, on) {
  const socket = io({
    // WebSocket first; long-polling where a proxy forbids it.
    transports: ['websocket', 'polling'],
    tryAllTransports: true,
    auth: { userId: who.userId, ...(who.token && { token: who.token }) },
    reconnectionDelay: 500,
    reconnectionDelayMax: 1500,
  });
  let refusal = null;
  let retry = null;

  const away = (reason) => {
    on.away({ reason });
    clearTimeout(retry);
    // A socket that is not active does not come back by itself: the relay wanted it gone.
    if (!socket.active) retry = setTimeout(() => socket.connect(), REFUSED_RETRY);
  };

  socket.on('connect', () => {
    clearTimeout(retry);
    refusal = null;
    socket.emit('join-room', {
      roomId: who.room,
      username: who.username,
      hasVideo: false,
      isMuted: true,
    });
  });
  socket.on('room-state', () => on.connected());
  socket.on('error', ({ message } = {}) => {
    refusal = message ?? 'The relay refused, and did not say why';
    away(refusal);
  });
  socket.on('connect_error', (error) => {
    away(socket.active ? 'The relay cannot be reached' : error.message);
  });
  socket.on('disconnect', (reason) => {
    away(refusal ?? DISCONNECT_REASONS[reason] ?? 'The connection to the relay was lost');
  });
  for (const event of ROOM_EVENTS) socket.on(event, (payload) => on[event]?.(payload ?? {}));

  return {
    requestKeyframe: (userId) => socket.emit('request-keyframe', { targetUserId: userId }),
    connected: () => socket.connected,
  };
}

const DISCONNECT_REASONS = {
  'io server disconnect': 'The relay has ended the connection',
  'ping timeout': 'The relay does not answer any more',
  'transport close': 'The connection to the relay was closed',
  'transport error': 'The connection to the relay broke',
};

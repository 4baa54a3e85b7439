// Engine.IO 4 / Socket.IO 5 by hand on a WebSocket: light enough for hundreds in one process, and it counts
// exactly what came over the wire.

import WebSocket from 'ws';

const MEDIA_CHUNK = '451-["media-chunk"';

/** Joins a room and resolves when `room-state` has come. `onChunk` gets the bytes of each chunk. */
export function joinRaw(origin, room, userId, onChunk = () => {}) {
  const url = `${origin.replace(/^http/, 'ws')}/socket.io/?EIO=4&transport=websocket`;
  const socket = new WebSocket(url, { perMessageDeflate: false, skipUTF8Validation: true });
  return new Promise((resolve, reject) => {
    let attachmentIsChunk = false;
    socket.on('error', reject);
    socket.on('close', (code, reason) => reject(new Error(`${userId}: closed with ${code} ${reason}`)));
    socket.on('message', (data, isBinary) => {
      if (isBinary) {
        if (attachmentIsChunk) onChunk(data);
        attachmentIsChunk = false;
        return;
      }
      const text = data.toString('latin1');
      if (text.startsWith(MEDIA_CHUNK)) attachmentIsChunk = true;
      else if (text === '2') socket.send('3');
      else if (text.startsWith('0')) socket.send(`40${JSON.stringify({ token: userId, userId })}`);
      else if (text.startsWith('40')) {
        socket.send(`42${JSON.stringify(['join-room', { roomId: room, username: userId, hasVideo: false, isMuted: true }])}`);
      } else if (text.startsWith('42["room-state"')) resolve(socket);
      else if (text.startsWith('42["error"') || text.startsWith('44')) reject(new Error(`${userId}: ${text}`));
    });
  });
}

// A signalling server for meshes that behaves as deployed ones do: it checks nothing, relays to any target, and tells
// nobody that a connection was cut before it notices itself.

import { createServer } from 'node:http';
import { Server } from 'socket.io';

export async function startSignalling() {
  const http = createServer();
  const io = new Server(http, { cors: { origin: '*' } });
  const rooms = new Map();
  /** What the participants said: [event, payload] in order. */
  const said = [];
  io.on('connection', (socket) => {
    let room;
    let username;
    socket.emit('connected', { sid: socket.id });
    const on = (event, listener) => socket.on(event, (payload) => {
      said.push([event, { ...payload, sid: socket.id }]);
      listener(payload ?? {});
    });
    const relay = (event, as, part) => on(event, ({ target, ...payload }) => {
      if (target && payload[part]) io.to(target).emit(as, { [part]: payload[part], from: socket.id });
    });
    on('join_room', (join) => {
      room = join.room_id;
      username = join.username;
      const users = rooms.get(room) ?? new Map();
      rooms.set(room, users);
      socket.to(room).emit('user-joined', { sid: socket.id, username });
      socket.emit('existing-users', { users: [...users].map(([sid, name]) => ({ sid, username: name })) });
      users.set(socket.id, username);
      socket.join(room);
    });
    relay('offer', 'offer', 'offer');
    relay('answer', 'answer', 'answer');
    relay('ice_candidate', 'ice-candidate', 'candidate');
    on('toggle_video', ({ enabled }) => socket.to(room).emit('video-toggled', { sid: socket.id, enabled }));
    on('toggle_audio', ({ enabled }) => socket.to(room).emit('audio-toggled', { sid: socket.id, enabled }));
    on('message', ({ message }) => io.to(room).emit('message', { username, message, timestamp: new Date().toISOString() }));
    socket.on('disconnect', () => {
      rooms.get(room)?.delete(socket.id);
      if (room) socket.to(room).emit('user-left', { sid: socket.id, username });
    });
  });
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${http.address().port}`,
    said,
    /** The names of those in a room. */
    users: (room) => [...(rooms.get(room)?.values() ?? [])],
    stop: () => io.close(),
  };
}

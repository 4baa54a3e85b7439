// A signalling server of the dialect "noom" (docs/signalling.md), as deployed ones are: whatever is said goes to all others
// in the room, nothing is checked.
//
// Prints its origin. `GET /test/said` lists what participants said, `GET /test/users?room=ROOM` how many are in a room.
//
// Environment: PORT; NAMESPACE=/, or /ws as in one deployment; FORM=object (deployed), document (the object form as documented: `candidate` for `ice`), args or mesh;
// LIMIT=none, silent (a third is not let in and not told), room_full or reject_join, at two, in a mesh at five.

import { createServer } from 'node:http';
import { Server } from 'socket.io';

const { PORT = '0', NAMESPACE = '/', FORM = 'object', LIMIT = 'none' } = process.env;
const said = [];

const http = createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const answers = { '/test/said': () => said, '/test/users': () => sizeOf(url.searchParams.get('room')) };
  const answer = answers[url.pathname];
  if (answer) response.setHeader('content-type', 'application/json').end(JSON.stringify(answer()));
  else if (!url.pathname.startsWith('/socket.io/')) response.writeHead(404).end();
});
const io = new Server(http, { cors: { origin: '*' } }).of(NAMESPACE);
const sizeOf = (room) => io.adapter.rooms.get(room)?.size ?? 0;

/** Whether somebody is let in; who is not may be told. */
function admits(socket, room, most) {
  if (LIMIT === 'none' || sizeOf(room) < most) return true;
  if (LIMIT !== 'silent') socket.emit(LIMIT);
  return false;
}

const FORMS = {
  object(socket, on, candidate = 'ice') {
    on('join_room', ({ roomName }, done) => {
      if (!admits(socket, roomName, 2)) return;
      socket.join(roomName);
      // Whether an acknowledgement was asked for is not looked at.
      done();
      socket.to(roomName).emit('welcome');
    });
    on('offer', ({ offer, roomName }) => socket.to(roomName).emit('offer', { offer }));
    on('answer', ({ answer, roomName }) => socket.to(roomName).emit('answer', { answer }));
    on('ice', ({ [candidate]: body, roomName }) => socket.to(roomName).emit('ice', { [candidate]: body }));
  },

  document(socket, on) {
    FORMS.object(socket, on, 'candidate');
  },

  args(socket, on) {
    on('join_room', (roomName) => {
      if (!admits(socket, roomName, 2)) return;
      socket.join(roomName);
      socket.to(roomName).emit('welcome');
    });
    for (const event of ['offer', 'answer', 'ice']) {
      on(event, (body, roomName) => socket.to(roomName).emit(event, body));
    }
  },

  mesh(socket, on) {
    on('join_room', (room, nickname) => {
      if (!admits(socket, room, 5)) return;
      socket.join(room);
      Object.assign(socket.data, { room, nickname });
      const sockets = [...io.adapter.rooms.get(room)].map((id) => io.sockets.get(id));
      socket.emit('accept_join', sockets.map(({ id, data }) => ({ socketId: id, nickname: data.nickname })));
    });
    on('offer', (offer, to, nickname) => io.to(to).emit('offer', offer, socket.id, nickname));
    on('answer', (answer, to) => io.to(to).emit('answer', answer, socket.id));
    on('ice', (ice, to) => io.to(to).emit('ice', ice, socket.id));
    on('chat', (text, room) => socket.to(room).emit('chat', text));
    socket.on('disconnecting', () => socket.to(socket.data.room).emit('leave_room', socket.id, socket.data.nickname));
  },
};

io.on('connection', (socket) => {
  const on = (event, listener) => socket.on(event, (...args) => {
    said.push([event, ...args.filter((arg) => typeof arg !== 'function')]);
    listener(...args);
  });
  FORMS[FORM](socket, on);
});
http.listen(Number(PORT), '127.0.0.1', () => console.log(`http://127.0.0.1:${http.address().port}`));

// A relay that says what a test wants it to say, in front of the viewer page of the real one.

import { createServer, request } from 'node:http';
import { Server } from 'socket.io';

/** A picture of 2 × 2 pixels. */
const AVATAR = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEklEQVR4nGM4UWFj03OCAUIBACp6Bhm9hZlPAAAAAElFTkSuQmCC',
  'base64',
);

export class PageRelay {
  #server;
  #io;
  /** What happens when somebody joins: gets the socket and `join-room`'s payload. Lets them in by default. */
  onJoin = (socket) => this.welcome(socket);
  /** Why a connection is refused, as an Error with `data`; undefined lets it in. Gets what came with it. */
  admit = () => undefined;
  /** What a request for a connection is answered with, instead of one. */
  refusal = undefined;
  /** Everybody who is said to be in the room. */
  participants = [];
  /** The same in the dialect "mesh" of WebRTC meetings. */
  users = [];
  title = undefined;
  joins = 0;

  /** `pages`: the origin of a running embedded relay, whose page this one serves. */
  static async start(pages) {
    const relay = new PageRelay();
    relay.#server = createServer((from, to) => relay.#serve(pages, from, to));
    relay.#io = new Server(relay.#server, { maxHttpBufferSize: 1e6 });
    relay.#io.engine.use((_, response, next) => {
      if (!relay.refusal) return next();
      response.writeHead(503, { 'content-type': 'application/json' });
      response.end(JSON.stringify(relay.refusal));
    });
    relay.#io.use((socket, next) => next(relay.admit(socket.handshake.auth)));
    relay.#io.on('connection', (socket) => {
      socket.on('join-room', (join) => {
        relay.joins += 1;
        relay.onJoin(socket, join);
      });
      socket.on('join_room', () => socket.emit('existing-users', { users: relay.users }));
    });
    await relay.#listen(0);
    return relay;
  }

  get origin() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Lets somebody into the room. */
  welcome(socket) {
    socket.emit('room-state', { roomId: 'x', participants: this.participants, title: this.title, hostId: '' });
  }

  /** Tells everybody. */
  emit(event, payload) {
    this.#io.emit(event, payload);
  }

  /** Cuts all connections, without a word. */
  cut() {
    this.#io.disconnectSockets(true);
    this.#server.closeAllConnections();
  }

  /** Goes away, without a word, and comes back at the same address. */
  async vanish() {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  comeBack() {
    return this.#listen(this.port);
  }

  stop() {
    return this.vanish();
  }

  async #listen(port) {
    await new Promise((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    this.port = this.#server.address().port;
  }

  #serve(pages, from, to) {
    if (from.url === '/avatar.png') {
      to.writeHead(200, { 'content-type': 'image/png' }).end(AVATAR);
      return;
    }
    const asked = request(pages + from.url, { headers: { ...from.headers, host: new URL(pages).host } }, (answer) => {
      to.writeHead(answer.statusCode, answer.headers);
      answer.pipe(to);
    });
    asked.on('error', () => to.writeHead(502).end());
    asked.end();
  }
}

/** A participant as relays describe them. */
export function participant(userId, username, fields = {}) {
  return { userId, username, hasVideo: false, isMuted: false, canBroadcast: true, socketId: `socket-${userId}`, ...fields };
}

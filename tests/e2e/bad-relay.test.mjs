// A relay that misbehaves costs one clear log line and a back-off: the devices stay open, memory stays bounded,
// and when the relay comes to its senses the stream is there.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { WebSocketServer } from 'ws';
import { scenario } from './lib/scene.mjs';
import { until } from './lib/waiting.mjs';

const PEAK_RSS_MB = 100;
const OPEN = { sid: 'bad', upgrades: [], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1_000_000 };

/** What a relay can do wrong, and what the agent must say about it. */
const MISDEEDS = {
  'answers nonsense': [
    { does: answer('200 OK', 'text/html', '<html>a captive portal</html>'), says: /answered 200 with a page .*sign in first/ },
    { does: answer('404 Not Found', 'text/plain', 'nothing here'), says: /answered 404/ },
    { does: answer('302 Found', 'text/plain', '', 'Location: https://elsewhere.example/\r\n'), says: /redirected \(302\) to https:\/\/elsewhere/ },
    { does: answer('400 Bad Request', 'application/json', '{"code":5,"message":"Unsupported protocol version"}'), says: /another protocol version/ },
    { does: afterOpen((socket) => socket.send('\u0000garbage')), says: /no Engine.IO 4 packet type/ },
  ],
  'breaks off': [
    { does: afterOpen((socket) => socket.send(Buffer.from([1, 2, 3]))), says: /binary frame that no packet announced/ },
    { does: afterJoin((socket) => socket.close()), says: /while joining room .*closed the connection/ },
    { does: afterJoin((socket) => socket.send('42["room-state",{"roomId":"elsewhere","participants":[]}]')), says: /joined room "elsewhere" when asked for/ },
    { does: silentAfterJoin(), says: /sent no ping for 1 s/ },
    { does: afterJoin((socket, room) => {
        socket.send(roomState(room));
        socket.send(`42["chat-message",{"message":"${'x'.repeat(50_000_000)}"}]`);
      }), says: /a message of 50000033 bytes, above the limit/ },
  ],
};

scenario('a relay that misbehaves is told apart, survived and outlived', Object.keys(MISDEEDS), async (scene, kind, t) => {
  const good = await scene.relay('nestjs-new');
  const misdeeds = MISDEEDS[kind];
  const bad = await badRelay(scene, misdeeds, good.port);
  const witness = await scene.participant(good, 'witness');
  const agent = scene.agent({ origin: `http://127.0.0.1:${bad.port}` }, 'agent');

  const chunk = await witness.chunkOf('agent', { deadlineMs: 90_000 });
  assert.ok(chunk);
  const warnings = agent.lines.filter((line) => /WARN|ERROR/.test(line));
  t.diagnostic(`${bad.visits} connections; log:`);
  for (const line of warnings) t.diagnostic(`  ${line}`);
  assert.equal(warnings.length, misdeeds.length, 'one line per misdeed');
  misdeeds.forEach(({ says }, index) => assert.match(warnings[index], says));
  assert.ok(warnings.every((line) => line.includes(`127.0.0.1:${bad.port}`) || line.includes('room')), 'each names the relay');

  const opened = agent.lines.filter((line) => / opened /.test(line));
  assert.equal(opened.length, 2, 'camera and microphone were opened once and stayed open');
  await until('ten chunks', 10_000, () => agent.trace().length >= 10);
  const fresh = agent.trace().slice(-5).filter(({ age_ms: age }) => age !== null && age < 500);
  assert.ok(fresh.length > 0, 'what is sent was captured just now');
  const peakMb = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${agent.pid}/status`, 'utf8'))[1]) / 1024;
  t.diagnostic(`peak RSS ${peakMb.toFixed(0)} MB`);
  assert.ok(peakMb < PEAK_RSS_MB, `peak RSS ${peakMb} MB`);
});

/** Serves each misdeed once, one per connection, and then stands aside for the relay on `goodPort`. */
async function badRelay(scene, misdeeds, goodPort) {
  const bad = { visits: 0, port: 0 };
  const server = createServer();
  const sockets = new Set();
  server.on('upgrade', (request, socket, head) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    const misdeed = misdeeds[bad.visits];
    bad.visits += 1;
    if (misdeed) misdeed.does(request, socket, head);
    else standAside(request, socket, head, goodPort);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  bad.port = server.address().port;
  scene.owns({
    name: 'bad relay', pid: process.pid, lines: [],
    stop: () => new Promise((resolve) => {
      for (const socket of sockets) socket.destroy();
      server.close(resolve);
    }),
  });
  return bad;
}

function standAside(request, socket, head, goodPort) {
  const upstream = connect(goodPort, '127.0.0.1', () => {
    const headers = request.rawHeaders.reduce((text, word, index) => text + word + (index % 2 ? '\r\n' : ': '), '');
    upstream.write(`${request.method} ${request.url} HTTP/1.1\r\n${headers}\r\n`);
    upstream.write(head);
    socket.pipe(upstream).pipe(socket);
  });
  upstream.on('error', () => socket.destroy());
  socket.on('close', () => upstream.destroy());
}

/** Answers the upgrade with plain HTTP. */
function answer(status, type, body, headers = '') {
  return (_request, socket) => {
    socket.end(`HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\n${headers}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
  };
}

/** Accepts the WebSocket and does `deed` after the Engine.IO open packet. */
function afterOpen(deed, open = OPEN) {
  return (request, socket, head) => {
    new WebSocketServer({ noServer: true }).handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => webSocket.terminate());
      webSocket.send(`0${JSON.stringify(open)}`);
      deed(webSocket);
    });
  };
}

/** Takes the CONNECT and does `deed` when the agent asks to join. */
function afterJoin(deed, open = OPEN) {
  return afterOpen((webSocket) => {
    webSocket.on('message', (data) => {
      const text = data.toString();
      if (text.startsWith('40')) webSocket.send('40{"sid":"bad"}');
      if (text.startsWith('42["join-room"')) deed(webSocket, JSON.parse(text.slice(2))[1].roomId);
    });
  }, open);
}

/** Takes the join, and then never pings. */
function silentAfterJoin() {
  return afterJoin((webSocket, room) => webSocket.send(roomState(room)), { ...OPEN, pingInterval: 500, pingTimeout: 500 });
}

function roomState(roomId) {
  return `42${JSON.stringify(['room-state', { roomId, participants: [], canBroadcast: true, broadcastMode: 'all' }])}`;
}

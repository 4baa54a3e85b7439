// A bad network between one page and the agent, for the datagrams of their WebRTC connection: it loses some of them, or is
// narrow towards the page. The page takes its end for the agent.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** What would wait longer before a narrow link, in ms, is lost: as much as a good router keeps. */
const QUEUE_MS = 200;
/** Of a datagram besides its payload (IPv4, UDP). */
const HEADER_BYTES = 28;

export class DatagramLink {
  /** Towards the agent, by the page's address: a page asks from each address that it has. */
  #towardsAgent = new Map();
  #freeAtMs = 0;

  /** `loss`: the share that is lost, each way. `bitsPerSecond`: what goes through towards the page. `random`: where loss
   *  comes from, 0 to 1. */
  static async open({ loss = 0, bitsPerSecond = Infinity, random }) {
    const link = new DatagramLink();
    Object.assign(link, { loss, bitsPerSecond, random });
    link.end = await bound();
    link.end.on('message', (datagram, from) => link.#toAgent(datagram, from).catch(() => link.close()));
    return link;
  }

  /** Has the page reach the agent through the link, from its next connection on. */
  async leads(browser, page) {
    await page.exposeFunction('agentIsAt', (port) => (this.agentPort = port));
    await browser.engine.addScript(page, `(${throughLink})(${this.end.address().port});`);
  }

  async #toAgent(datagram, from) {
    if (this.#loses() || this.agentPort === undefined) return;
    const key = `${from.address} ${from.port}`;
    if (!this.#towardsAgent.has(key)) this.#towardsAgent.set(key, this.#openTowardsAgent(from));
    const socket = await this.#towardsAgent.get(key);
    socket.send(datagram, this.agentPort, '127.0.0.1');
  }

  async #openTowardsAgent(page) {
    const socket = await bound();
    socket.on('message', (datagram) => this.#toPage(datagram, page));
    return socket;
  }

  #toPage(datagram, page) {
    if (this.#loses()) return;
    const now = performance.now();
    const startsMs = Math.max(now, this.#freeAtMs);
    if (startsMs - now > QUEUE_MS) return;
    this.#freeAtMs = startsMs + ((datagram.length + HEADER_BYTES) * 8_000) / this.bitsPerSecond;
    const send = () => this.closed || this.end.send(datagram, page.port, page.address);
    if (this.bitsPerSecond === Infinity) send();
    else setTimeout(send, this.#freeAtMs - now);
  }

  #loses() {
    return this.random() < this.loss;
  }

  async close() {
    this.closed = true;
    this.end.close();
    for (const socket of this.#towardsAgent.values()) (await socket).close();
  }
}

async function bound() {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

/** In the page, before its own script: of the agent's candidates the one on this machine is kept, at the link's port. Those
 *  of the page are kept from the agent, which would find a way around the link. */
function throughLink(port) {
  const CANDIDATE = /^(a=)?candidate:\S+ 1 udp \d+ 127\.0\.0\.1 (\d+) typ host/i;
  const rewritten = (line) => {
    const [, , agentPort] = CANDIDATE.exec(line) ?? [];
    if (agentPort === undefined) return undefined;
    window.agentIsAt(Number(agentPort));
    return line.replace(` ${agentPort} typ`, ` ${port} typ`);
  };
  const { prototype } = RTCPeerConnection;
  const { addIceCandidate, setRemoteDescription } = prototype;
  const { get: localDescription } = Object.getOwnPropertyDescriptor(prototype, 'localDescription');
  Object.defineProperty(prototype, 'onicecandidate', { set() {} });
  Object.defineProperty(prototype, 'localDescription', {
    get() {
      const { type, sdp } = localDescription.call(this);
      return { type, sdp: sdp.replace(/^a=candidate:.*\r\n/gm, '') };
    },
  });
  prototype.setRemoteDescription = function ({ type, sdp }) {
    const lines = sdp.split('\r\n').map((line) => (line.startsWith('a=candidate:') ? rewritten(line) : line));
    return setRemoteDescription.call(this, { type, sdp: lines.filter((line) => line !== undefined).join('\r\n') });
  };
  prototype.addIceCandidate = async function (candidate) {
    const line = rewritten(candidate?.candidate ?? '');
    return line === undefined ? undefined : addIceCandidate.call(this, { ...candidate, candidate: line });
  };
}

// A TCP proxy before the relay, so that it can be reached over the link; it can cut connections, and take nothing from them.

import { connect, createServer } from 'node:net';
import { once } from 'node:events';

export class Proxy {
  #server;
  #pairs = new Set();
  #held = false;

  /** Listens on `address` and forwards to `port` on loopback. */
  static async start(address, port) {
    const proxy = new Proxy();
    proxy.#server = createServer((agent) => proxy.#accept(agent, connect(port, '127.0.0.1')));
    proxy.#server.listen(0, address);
    await once(proxy.#server, 'listening');
    proxy.origin = `http://${address}:${proxy.#server.address().port}`;
    return proxy;
  }

  #accept(agent, relay) {
    const pair = { agent, relay };
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      agent.destroy();
      relay.destroy();
    };
    for (const [from, to] of [[agent, relay], [relay, agent]]) {
      from.setNoDelay(true);
      from.on('data', (bytes) => to.write(bytes));
      from.on('error', end);
      from.on('close', end);
    }
    if (this.#held) agent.pause();
  }

  /** Takes nothing that the agent sends until [`release`], so that it waits there. What the kernels have is acknowledged:
   *  for a link that stops, see `Link.hold`. */
  hold() {
    this.#held = true;
    for (const { agent } of this.#pairs) agent.pause();
  }

  release() {
    this.#held = false;
    for (const { agent } of this.#pairs) agent.resume();
  }

  /** Ends the connections there are. */
  cut() {
    for (const { agent } of this.#pairs) agent.destroy();
  }

  close() {
    this.cut();
    this.#server.close();
  }
}

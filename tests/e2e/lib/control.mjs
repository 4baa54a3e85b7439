// The control socket of an agent, spoken to as any HTTP client would.

import { request } from 'node:http';

export class ControlSocket {
  constructor(socketPath) {
    this.socketPath = socketPath;
  }

  /** Resolves with {status, body}; the body parsed where it is JSON. */
  ask(method, path, body) {
    return new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : JSON.stringify(body);
      const headers = payload ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) } : {};
      const asking = request({ socketPath: this.socketPath, method, path, headers }, (response) => {
        const parts = [];
        response.on('data', (part) => parts.push(part));
        response.on('end', () => {
          const bytes = Buffer.concat(parts);
          const json = response.headers['content-type']?.startsWith('application/json');
          resolve({ status: response.statusCode, body: json ? JSON.parse(bytes.toString()) : bytes });
        });
        response.on('error', reject);
      });
      asking.on('error', reject);
      asking.end(payload);
    });
  }

  async #done(method, path, body) {
    const answer = await this.ask(method, path, body);
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  camera(on) {
    return this.#done('PUT', '/v1/camera', { on });
  }

  mic(muted) {
    return this.#done('PUT', '/v1/mic', { muted });
  }

  status() {
    return this.#done('GET', '/v1/status');
  }

  reload() {
    return this.#done('POST', '/v1/reload');
  }

  /** The value of one of the metrics that have no labels. */
  async metric(name) {
    const { body } = await this.ask('GET', '/metrics');
    return Number(new RegExp(`^${name} (.+)$`, 'm').exec(body.toString())?.[1]);
  }

  /** Whether somebody answers there by now. */
  answers() {
    return this.status().then(() => true, () => false);
  }
}

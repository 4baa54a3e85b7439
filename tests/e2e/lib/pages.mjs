// The test pages, on one server per process: relays must know its origin before there is a browser.

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { TESTS } from './paths.mjs';

export const PAGES = join(TESTS, 'e2e/pages');
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.webm': 'video/webm' };

const served = { '/socket.io.js': join(TESTS, 'node_modules/socket.io-client/dist/socket.io.min.js') };
let origin;

/** Serves the pages, and `files` (paths to files) besides. Resolves to the origin, the same each time. */
export function servePages(files = {}) {
  Object.assign(served, files);
  origin ??= start();
  return origin;
}

async function start() {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const path = served[pathname] ?? join(PAGES, pathname.replaceAll('..', ''));
    try {
      const body = await readFile(path);
      response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  // It ends with the process, and keeps it from ending no longer than anything else does.
  server.unref();
  return `http://127.0.0.1:${server.address().port}`;
}

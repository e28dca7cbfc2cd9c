// What the tests share: the Logger as it is served, a gate before the real server, and what the server has stored.
import { createServer, request } from 'node:http';

const SERVER = process.env.WHODID_SERVER;
const KEY = process.env.WHODID_KEY;
if (!SERVER) throw new Error('Set WHODID_SERVER and WHODID_KEY to those of a running whodid.');

export const modulePath =
  process.env.WHODID_LOGGER_JS ?? new URL('../../src/whodid/web/static/logger.js', import.meta.url).href;
export const { Logger } = await import(modulePath);

/**
 * A real address before the real server, so that the way between can be disturbed and watched. What `instead` answers
 * ({status, headers, body}, or 'cut' for no answer) is not sent on. Every gate has loggers of its own.
 */
export async function openGate(instead = () => undefined) {
  const posts = [];
  const asked = [];
  const server = createServer(async (from, to) => {
    const parts = [];
    for await (const part of from) parts.push(part);
    const body = Buffer.concat(parts);
    const post = {
      at: Date.now(),
      path: from.url,
      headers: from.headers,
      events: from.method === 'POST' ? JSON.parse(body) : [],
    };
    (from.method === 'POST' ? posts : asked).push(post);
    const other = await instead(post, posts.length);
    if (other === 'cut') return from.socket.destroy();
    if (other)
      return to
        .writeHead(other.status, { 'content-type': 'application/json', ...other.headers })
        .end(other.body ?? '{}');
    const onward = request(SERVER + from.url, { method: from.method, headers: from.headers }, (answer) => {
      to.writeHead(answer.statusCode, answer.headers);
      answer.pipe(to);
    });
    onward.on('error', () => from.socket.destroy());
    onward.end(body);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  server.unref();
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    posts,
    asked,
    /** A logger of this gate. */
    logger: (callback, options) =>
      new Logger(callback, { url: `http://127.0.0.1:${server.address().port}`, key: KEY, errors: false, ...options }),
    close: () => (server.closeAllConnections(), server.close()),
  };
}

/** Waits until `ready` gives something true, and returns it. */
export async function until(ready, what, timeoutMs = 15_000) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const found = await ready();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** The stored events with this value of the parameter `test`, in the order of their ids; waits until there are `count`. */
export async function stored(test, count) {
  return until(async () => {
    const wanted = new URLSearchParams({ parameter: `test=${test}`, limit: '1000' });
    const answer = await fetch(`${SERVER}/v1/events?${wanted}`, { headers: { authorization: `Bearer ${KEY}` } });
    const { events: rows, error } = await answer.json();
    if (error) throw new Error(error.message);
    return rows.length >= count && rows.sort((one, other) => (one.id < other.id ? -1 : 1));
  }, `${count} events of ${test}`);
}

let number = 0;

/** A name that no other test has. */
export const fresh = () => `${process.pid}-${Date.now()}-${++number}`;

export { KEY, SERVER };

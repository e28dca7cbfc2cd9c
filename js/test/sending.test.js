// The way to the server: batches, retries, order, memory.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fresh, openGate, stored, until } from './support.js';

const BUSY = { status: 503, headers: { 'retry-after': '1' }, body: '{"error":{"code":"busy","message":"later"}}' };

test('events go in batches by time: one post for many calls', async () => {
  const gate = await openGate();
  const logger = gate.logger();
  for (let i = 0; i < 50; i++) logger.info('x', { i });
  assert.equal(gate.posts.length, 0);
  await until(() => logger.stats.accepted === 50, 'the batch is sent by itself');
  assert.equal(gate.posts.length, 1);
  assert.equal(gate.posts[0].headers['content-type'], 'application/json');
  gate.close();
});

test('and by size: no post is larger than a browser keeps alive', async () => {
  const gate = await openGate();
  const logger = gate.logger();
  for (let i = 0; i < 300; i++) logger.info('é'.repeat(500));
  await logger.flush();
  assert.equal(logger.stats.accepted, 300);
  assert.ok(gate.posts.length > 5);
  for (const { headers } of gate.posts)
    assert.ok(Number(headers['content-length']) <= 32_000, headers['content-length']);
  gate.close();
});

test('a server that is busy gets the same events again, not before Retry-After, and each is stored once', async () => {
  const gate = await openGate((post, number) => (post.events.length && number === 1 ? BUSY : undefined));
  const name = fresh();
  const logger = gate.logger(null, { params: { test: name } });
  for (let i = 0; i < 20; i++) logger.audit('x', { i });
  await until(() => logger.stats.accepted === 20, 'the second attempt');
  const [first, second] = gate.posts;
  assert.deepEqual(
    first.events.map(({ id }) => id),
    second.events.map(({ id }) => id),
  );
  assert.ok(second.at - first.at >= 990, `${second.at - first.at} ms`);
  assert.equal((await stored(name, 20)).length, 20);
  gate.close();
});

test('an answer that got lost doubles nothing', async () => {
  const gate = await openGate();
  let lost = 0;
  const between = await openGate(async (post) => {
    if (!post.events.length || lost++) return undefined;
    // The server has it, the sender does not hear so.
    await fetch(gate.url + post.path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: post.headers.authorization },
      body: JSON.stringify(post.events),
    });
    return 'cut';
  });
  const name = fresh();
  const logger = between.logger(null, { params: { test: name } });
  for (let i = 0; i < 10; i++) logger.audit('x', { i });
  await until(() => logger.stats.duplicates === 10, 'the retry');
  assert.equal(logger.stats.accepted, 0);
  assert.equal((await stored(name, 10)).length, 10);
  gate.close();
  between.close();
});

test('while the server is away attempts become rarer, and what was logged meanwhile comes in order', async () => {
  let away = true;
  const gate = await openGate((post) => (away && post.events.length ? 'cut' : undefined));
  const logger = gate.logger();
  const calls = [];
  for (let i = 0; i < 30; i++) {
    logger.info('x', { i });
    calls.push(i);
    await new Promise((done) => setTimeout(done, 100));
  }
  const attempts = gate.posts.length;
  assert.ok(attempts >= 1 && attempts <= 4, `${attempts} attempts in 3 s`);
  away = false;
  gate.posts.length = 0;
  assert.equal(await logger.flush(), true);
  assert.deepEqual(
    gate.posts.flatMap(({ events }) => events.map(({ parameters }) => parameters.i)),
    calls,
  );
  gate.close();
});

test('memory is bounded: what does not fit is counted, and told when the server is back', async () => {
  let away = true;
  const gate = await openGate(() => (away ? 'cut' : undefined));
  const logger = gate.logger();
  for (let i = 0; i < 30_000; i++) logger.info('x');
  assert.equal(logger.stats.dropped, 20_000);
  assert.equal(await logger.flush(500), false);
  away = false;
  assert.equal(await logger.flush(20_000), true);
  const events = gate.posts.flatMap((post) => post.events);
  assert.equal(logger.stats.accepted, 10_001);
  assert.equal(events.find(({ level }) => level === 'warning').parameters.dropped, 20_000);
  gate.close();
});

test('memory is bounded in bytes too', async () => {
  const gate = await openGate(() => 'cut');
  const logger = gate.logger();
  for (let i = 0; i < 100; i++) logger.info('x'.repeat(200_000));
  assert.ok(logger.stats.dropped >= 60, `${logger.stats.dropped} dropped`);
  gate.close();
});

test('an event that the server rejects does not hold up the others', async () => {
  const gate = await openGate();
  const logger = gate.logger();
  logger.info('fine');
  logger.info('bad level', {}, { level: 'loud' });
  logger.info('fine');
  assert.equal(await logger.flush(), true);
  const { accepted, rejected } = logger.stats;
  assert.deepEqual([accepted, rejected], [2, 1]);
  gate.close();
});

test('a wrong key keeps the events until it is mended', async () => {
  let wrong = true;
  const gate = await openGate((post) =>
    wrong && post.events.length ? { status: 401, body: '{"error":{"message":"This key is unknown."}}' } : undefined,
  );
  const logger = gate.logger();
  logger.audit('kept');
  assert.equal(await logger.flush(300), false);
  wrong = false;
  assert.equal(await logger.flush(), true);
  assert.equal(logger.stats.accepted, 1);
  gate.close();
});

test('a request that a proxy finds too large is given up and counted', async () => {
  const gate = await openGate((post) =>
    post.events[0]?.description.length > 100_000 ? { status: 413, body: 'too large' } : undefined,
  );
  const logger = gate.logger();
  logger.info('x'.repeat(200_000));
  logger.info('small');
  assert.equal(await logger.flush(), true);
  assert.deepEqual([logger.stats.accepted, logger.stats.rejected], [1, 1]);
  gate.close();
});

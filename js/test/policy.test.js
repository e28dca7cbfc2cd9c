// What the server's policy leaves out is not sent.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { openGate, until } from './support.js';

const POLICY = {
  version: 'v1',
  max_age_s: 1,
  switched_off: [],
  only: null,
  parameters: {},
  sampling: {},
  flush_interval_ms: 50,
};

/** A gate that answers for the policy. */
async function withPolicy(policy) {
  const state = { policy, status: 200 };
  const gate = await openGate(({ path, headers }) => {
    if (!path.startsWith('/v1/policy')) return undefined;
    const etag = `"${state.policy.version}"`;
    if (headers['if-none-match'] === etag) return { status: 304, headers: { etag } };
    return {
      status: state.status,
      headers: { etag, 'cache-control': 'max-age=1' },
      body: JSON.stringify(state.policy),
    };
  });
  return { gate, state };
}

const sent = (gate) => gate.posts.flatMap(({ events }) => events);

test('types that are switched off stay here and are counted; * stands for anything', async () => {
  const { gate } = await withPolicy({ ...POLICY, switched_off: ['viewer-rendered', 'test-*', '*.moved'] });
  const logger = gate.logger();
  for (const type of ['viewer-rendered', 'test-one', 'testing', 'card.moved', 'removed', 'query-start'])
    logger.audit('x', {}, type);
  await logger.flush();
  assert.deepEqual(
    sent(gate).map(({ type }) => type),
    ['testing', 'removed', 'query-start'],
  );
  assert.equal(logger.stats.filtered, 3);
  gate.close();
});

test('only what is listed goes', async () => {
  const { gate } = await withPolicy({ ...POLICY, only: ['query-*', 'error'] });
  const logger = gate.logger();
  logger.audit('x', {}, 'query-start');
  logger.usage('x', {}, 'click');
  logger.error('x');
  await logger.flush();
  assert.deepEqual(
    sent(gate).map(({ type }) => type),
    ['query-start', 'error'],
  );
  gate.close();
});

test('parameters are left out and cut', async () => {
  const { gate } = await withPolicy({ ...POLICY, parameters: { left_out: ['secret'], truncated: { text: 5 } } });
  const logger = gate.logger();
  logger.info('x', { secret: 1, text: 'abcdefgh', other: 'abcdefgh' });
  logger.info('x', { text: 'abc' });
  await logger.flush();
  assert.deepEqual(
    sent(gate).map(({ parameters }) => parameters),
    [{ text: 'abcde…', other: 'abcdefgh' }, { text: 'abc' }],
  );
  gate.close();
});

test('a noisy type is sampled by the CRC-32 of the ids, as the server and other clients do', async () => {
  const { gate } = await withPolicy({ ...POLICY, sampling: { click: 0.1 } });
  const logger = gate.logger();
  for (let i = 0; i < 4000; i++) logger.usage('x', {}, 'click');
  for (let i = 0; i < 10; i++) logger.usage('x', {}, 'navigate');
  await logger.flush();
  const clicks = sent(gate).filter(({ type }) => type === 'click');
  assert.ok(clicks.length > 280 && clicks.length < 520, `${clicks.length} of 4000`);
  for (const { id } of clicks) assert.ok(crc32(id) < 0.1 * 2 ** 32, id);
  assert.equal(sent(gate).length, clicks.length + 10);
  assert.equal(logger.stats.filtered, 4000 - clicks.length);
  gate.close();
});

test('a policy that makes no sense here is left to the server', async () => {
  for (const wrong of [{ switched_off: 5 }, { only: [7] }, { sampling: 'much', parameters: { left_out: 3 } }]) {
    const { gate } = await withPolicy({ ...POLICY, ...wrong });
    const logger = gate.logger();
    logger.usage('x', { a: 1 }, 'click');
    assert.equal(await logger.flush(), true);
    assert.equal(logger.stats.accepted, 1, JSON.stringify(wrong));
    gate.close();
  }
});

test('a change arrives within its age, asked for with the tag', async () => {
  const { gate, state } = await withPolicy(POLICY);
  const logger = gate.logger(null, { user: 'ada lovelace' });
  logger.usage('x', {}, 'click');
  await logger.flush();
  state.policy = { ...POLICY, version: 'v2', switched_off: ['click'] };
  const changedAt = Date.now();
  await until(() => (logger.usage('x', {}, 'click'), logger.stats.filtered), 'the change');
  assert.ok(Date.now() - changedAt < 5000);
  assert.equal(gate.asked[0].path, '/v1/policy?user=ada+lovelace');
  await until(
    () => gate.asked.some(({ headers }) => headers['if-none-match'] === '"v2"') || void logger.info('x'),
    'a question with the tag',
  );
  gate.close();
});

test('the policy of the key is not that of another user: the server judges those', async () => {
  const { gate } = await withPolicy({ ...POLICY, switched_off: ['click'] });
  const logger = gate.logger();
  logger.usage('x', {}, 'click');
  logger.usage('x', {}, 'click', { user: 'bob' });
  await logger.flush();
  assert.deepEqual(
    sent(gate).map(({ user }) => user),
    ['bob'],
  );
  gate.close();
});

test('without a policy, or when it cannot be had, everything goes', async () => {
  for (const status of [404, 500]) {
    const { gate, state } = await withPolicy({ ...POLICY, switched_off: ['click'] });
    state.status = status;
    const logger = gate.logger();
    logger.usage('x', {}, 'click');
    assert.equal(await logger.flush(), true);
    assert.equal(logger.stats.accepted, 1);
    gate.close();
  }
});

// What becomes of a call: level, type, message, parameters, stack trace.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fresh, openGate, stored } from './support.js';

/** Calls `act` with a logger, and returns the events that the server has stored of it. */
async function logged(act, count = 1, callback, options) {
  const gate = await openGate();
  const name = fresh();
  const logger = gate.logger(callback, { params: { test: name }, ...options });
  act(logger);
  assert.equal(await logger.flush(), true);
  const rows = await stored(name, count);
  gate.close();
  return rows;
}

test('each method has its level and type', async () => {
  const rows = await logged((logger) => {
    logger.log('a message', { a: 1 });
    logger.audit('a message', { a: 1 });
    logger.audit('a message', { a: 1 }, 'query-start');
    logger.usage('a message', { a: 1 });
    logger.usage('a message', { a: 1 }, 'click');
    logger.info('a message', { a: 1 });
    logger.debug('a message', { a: 1 });
    logger.warning('a message', { a: 1 });
    logger.error('a message', { a: 1 });
  }, 9);
  assert.deepEqual(
    rows.map(({ level, type }) => [level, type]),
    [
      ['audit', 'log'],
      ['audit', 'log'],
      ['audit', 'query-start'],
      ['usage', 'usage'],
      ['usage', 'click'],
      ['info', 'info'],
      ['debug', 'debug'],
      ['warning', 'warning'],
      ['error', 'error'],
    ],
  );
  for (const row of rows) {
    assert.equal(row.description, 'a message');
    assert.equal(row.parameters.a, 1);
  }
});

test('the callback may change the message, whose params always are an object', async () => {
  const seen = [];
  const callback = (m) => {
    seen.push({ ...m });
    m.params['persistent'] = 'value';
    m.message += '!';
    m.auditType = 'changed';
    m.user = 'ada';
  };
  const [row] = await logged((logger) => logger.audit('hello'), 1, callback);
  assert.equal(row.parameters.persistent, 'value');
  assert.equal(row.description, 'hello!');
  assert.equal(row.type, 'changed');
  assert.equal(row.user, 'ada');
  assert.equal(seen[0].level, 'audit');
  assert.equal(seen[0].auditType, 'log');
  assert.equal(typeof seen[0].time, 'number');
});

test('a callback that throws costs nothing but is counted', async () => {
  const gate = await openGate();
  const name = fresh();
  const logger = gate.logger(
    (m) => {
      m.params.before = 1;
      throw new Error('callback');
    },
    { params: { test: name } },
  );
  logger.info('still sent');
  await logger.flush();
  const [row] = await stored(name, 1);
  assert.equal(row.description, 'still sent');
  assert.equal(logger.stats.callbackFailures, 1);
  gate.close();
});

test('what the callback logs goes out without asking it again', async () => {
  let logger;
  const rows = await logged(
    (given) => (logger = given).info('outer'),
    3,
    (m) => {
      logger.debug('inner 1');
      logger.debug('inner 2');
      m.params.seen = true;
    },
  );
  assert.deepEqual(
    rows.map((row) => [row.description, row.parameters.seen]),
    [
      ['inner 1', undefined],
      ['inner 2', undefined],
      ['outer', true],
    ],
  );
});

test('params that the callback replaced by something else are kept', async () => {
  const [row] = await logged(
    (logger) => logger.info('x'),
    1,
    (m) => (m.params = { test: m.params.test, other: true }),
  );
  assert.equal(row.parameters.other, true);
});

test('an error: as text with its trace in second or third place, among the params, and as an Error', async () => {
  const trace = 'Error: x\n    at work (https://app.example/a.js:1:2)';
  const rows = await logged((logger) => {
    logger.error('Error!', trace);
    logger.error('Error!', { a: 1 }, trace);
    logger.log('Error!', { stackTrace: trace }, 'error');
    logger.error('Error!', { stackTrace: trace });
  }, 4);
  for (const row of rows) {
    assert.equal(row.level, 'error');
    assert.equal(row.type, 'error');
    assert.equal(row.error_message, 'Error!');
    assert.equal(row.error_stack_trace, trace);
    assert.equal(row.error_hash, rows[0].error_hash);
    assert.equal('stackTrace' in row.parameters, false);
  }
  assert.equal(rows[1].parameters.a, 1);
});

test('an Error brings its trace, its kind and its causes', async () => {
  const cause = new TypeError('inner');
  const [row, second] = await logged((logger) => {
    logger.error(new RangeError('outer', { cause }), { a: 1 });
    logger.error('while saving', new RangeError('outer'));
  }, 2);
  assert.equal(row.error_message, 'outer');
  assert.match(row.error_stack_trace, /^RangeError: outer\n    at .*logger\.test\.js/s);
  assert.equal(row.parameters.error_type, 'RangeError');
  assert.match(row.parameters.causes[0], /^TypeError: inner\n    at /);
  assert.equal(row.parameters.a, 1);
  assert.equal(second.error_message, 'while saving');
  assert.match(second.error_stack_trace, /^RangeError: outer/);
});

test('what JSON has no form for is kept as it prints, and marked', async () => {
  const circle = {};
  circle.self = circle;
  const [row] = await logged((logger) =>
    logger.info('odd', {
      circle,
      big: 2n ** 70n,
      not: NaN,
      call: function named() {},
      symbol: Symbol('s'),
      long: BigInt('9'.repeat(2000)),
      map: new Map([['k', 1]]),
      set: new Set([1, 2]),
      nested: { deep: [1n] },
      date: new Date(0),
      error: new Error('e'),
      nothing: undefined,
      empty: null,
      half: '\ud800',
      zero: 'a\0b',
      hidden: Object.create(null),
      get broken() {
        throw new Error('getter');
      },
      json: {
        toJSON() {
          throw new Error('toJSON');
        },
      },
    }),
  );
  const { parameters: p } = row;
  assert.deepEqual(p.circle, { $repr: '[object Object]', $type: 'object', $truncated: false });
  assert.deepEqual(p.big, { $repr: String(2n ** 70n), $type: 'bigint', $truncated: false });
  assert.equal(p.not.$repr, 'NaN');
  assert.equal(p.call.$repr, 'function named() {}');
  assert.equal(p.symbol.$repr, 'Symbol(s)');
  assert.equal(p.long.$repr.length, 1000);
  assert.equal(p.long.$truncated, true);
  assert.deepEqual(p.map, [['k', 1]]);
  assert.deepEqual(p.set, [1, 2]);
  assert.equal(p.nested.deep[0].$repr, '1');
  assert.equal(p.date, '1970-01-01T00:00:00.000Z');
  assert.match(p.error, /^Error: e\n/);
  assert.equal('nothing' in p, false);
  assert.equal(p.empty, null);
  assert.equal(p.broken.$repr, 'Error: getter');
  assert.equal(p.json.$repr, '[object Object]');
  assert.equal(row.description, 'odd');
});

test('no call throws, whatever it is given', async () => {
  const proxy = new Proxy(
    {},
    {
      ownKeys() {
        throw new Error('no keys');
      },
    },
  );
  const gate = await openGate();
  const logger = gate.logger();
  for (const given of [undefined, null, 0, 'text', [1], proxy, Symbol('s'), () => 1, new Date(NaN), { nodeType: 1 }]) {
    for (const method of ['log', 'audit', 'usage', 'info', 'debug', 'warning', 'error'])
      logger[method](given, given, given, given);
  }
  assert.equal(await logger.flush(), true);
  const { accepted, rejected, dropped } = logger.stats;
  const told = gate.posts.flatMap(({ events }) => events).filter(({ parameters }) => parameters.dropped).length;
  assert.equal(accepted - told + rejected + dropped, 70);
  assert.ok(accepted >= 60, `${accepted} accepted`);
  gate.close();
});

test('fields of the event: user, session, entities, duration', async () => {
  const session = '0190163d-8694-739b-aea5-966c26f8ad91';
  const [row] = await logged(
    (logger) => {
      logger.audit('Query run', { rows: 3 }, 'query-start', {
        entities: [['query', 'Q1', 'Sales'], { type: 'connection', id: 'C1', role: 'input' }],
        session,
        duration_ms: 12.5,
        request_id: 'r1',
        status: 'ok',
        function: 'run',
      });
    },
    1,
    null,
    { user: 'ada' },
  );
  assert.equal(row.user, 'ada');
  assert.equal(row.session, session);
  assert.deepEqual([row.entity_type, row.entity_id, row.entity_name], ['query', 'Q1', 'Sales']);
  assert.equal(row.duration_ms, 12.5);
  assert.deepEqual([row.request_id, row.status, row.function], ['r1', 'ok', 'run']);
});

test('a package logger says its package; Logger.create has no callback', async () => {
  const rows = await logged(
    (logger) => {
      logger.package('Chem').info('one');
      logger.package('Bio').usage('two');
    },
    2,
    (m) => (m.params.also = 1),
  );
  assert.deepEqual(
    rows.map(({ parameters: p }) => [p.package, p.packageName, p.also]),
    [
      ['Chem', 'Chem', 1],
      ['Bio', 'Bio', 1],
    ],
  );
  const { Logger } = await import('./support.js');
  const gate = await openGate();
  const name = fresh();
  const created = Logger.create({ url: gate.url, key: process.env.WHODID_KEY, errors: false, params: { test: name } });
  created.info('created');
  await created.flush();
  assert.equal((await stored(name, 1))[0].description, 'created');
  gate.close();
});

test('ids are UUIDs of version 7 that rise with every call and carry the time', async () => {
  const gate = await openGate();
  const logger = gate.logger();
  const before = Date.now();
  for (let i = 0; i < 5000; i++) logger.debug('x');
  const after = Date.now();
  await logger.flush();
  const ids = gate.posts.flatMap(({ events }) => events.map(({ id }) => id));
  assert.equal(new Set(ids).size, 5000);
  assert.deepEqual(ids, [...ids].sort());
  for (const id of ids) {
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const at = parseInt(id.replaceAll('-', '').slice(0, 12), 16);
    assert.ok(before <= at && at <= after + 5, id);
  }
  gate.close();
});

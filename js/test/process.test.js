// A Node process ends, as it likes to: what it logged is there.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { fresh, modulePath, stored } from './support.js';

/** Runs a program that has `logger`; returns its exit code and what it wrote to stderr. */
function run(name, program, environment = {}) {
  const source = `import { Logger } from ${JSON.stringify(modulePath)};
    const logger = new Logger(null, { params: { test: '${name}' } });
    ${program}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    env: { ...process.env, ...environment },
  });
  let told = '';
  child.stderr.on('data', (part) => (told += part));
  return new Promise((done) => child.on('exit', (code) => done({ code, told })));
}

test('a program that ends by itself sends what it logged, and is not kept alive', async () => {
  const name = fresh();
  const begin = Date.now();
  const { code } = await run(name, `for (let i = 0; i < 500; i++) logger.info('x', { i });`);
  assert.equal(code, 0);
  assert.ok(Date.now() - begin < 8000);
  assert.equal((await stored(name, 500)).length, 500);
});

test('process.exit leaves nothing behind', async () => {
  const name = fresh();
  const { code } = await run(name, `logger.info('last words'); process.exit(3);`);
  assert.equal(code, 3);
  assert.equal((await stored(name, 1))[0].description, 'last words');
});

test('an uncaught error is logged, and ends the program as it would without a logger', async () => {
  const name = fresh();
  const { code, told } = await run(name, `setTimeout(() => { throw new RangeError('nobody caught this'); }, 5);`);
  assert.equal(code, 1);
  assert.match(told, /RangeError: nobody caught this/);
  const [row] = await stored(name, 1);
  assert.equal(row.level, 'error');
  assert.equal(row.error_message, 'nobody caught this');
  assert.match(row.error_stack_trace, /^RangeError: nobody caught this\n    at /);
});

test('so is an unhandled rejection', async () => {
  const name = fresh();
  const { code } = await run(name, `Promise.reject(new Error('rejected'));`);
  assert.equal(code, 1);
  assert.equal((await stored(name, 1))[0].error_message, 'rejected');
});

test('without a server the program ends all the same, and says what was not sent', async () => {
  const { code, told } = await run(fresh(), `logger.info('x');`, { WHODID_SERVER: 'http://127.0.0.1:9' });
  assert.equal(code, 0);
  assert.match(told, /1 events were not sent/);
});

/**
 * The whodid Logger for browsers and Node 20: tells a whodid server what people and programs do.
 *
 *     import { Logger } from 'https://audit.example/logger.js';
 *     const logger = new Logger((m) => m.params['persistent'] = 'value');
 *     logger.audit('Report opened', { report: 'R1' }, 'report-opened');
 *
 * A call makes an event with an id of its own (UUID v7) and returns at once; it never throws. The way of an event:
 * Logger → sender.add → queue → batch → POST /v1/events. When that fails or the page goes, IndexedDB keeps it, and
 * whichever page comes next sends it, in order and with the same id, which the server counts once.
 *
 * This is the source. What is served at /logger.js and packed for npm is without comments and spaces, and has numbers in
 * place of their names; `whodid/web/logger.py` and `js/pack.js` do that. It is one file, as pages load one: modules would
 * have to be joined by both, and by whoever copies it.
 * @module
 */

/** @typedef {'audit' | 'usage' | 'error' | 'warning' | 'info' | 'debug'} Level */

/** @typedef {{ type: string, id: string, name?: string, role?: string }} Entity */

/**
 * More of an event than its message and parameters, by the names of the server's events.
 * @typedef {object} Fields
 * @property {string} [user] login of who did it
 * @property {string | null} [session] a UUID; by default that of the browser, which ends after 30 idle minutes
 * @property {(Entity | [type: string, id: string, name?: string])[]} [entities] the things that it was done to
 * @property {string} [topic]
 * @property {string} [routing_key]
 * @property {string} [function]
 * @property {number} [duration_ms]
 * @property {string} [request_id]
 * @property {string} [status]
 * @property {string} [acting_for]
 * @property {string} [via]
 */

/**
 * What the callback sees and may change; `time` is in epoch ms, `auditType` is the type of the event.
 * @typedef {Fields & {
 *   level: Level, time: number, message: string, auditType: string, stackTrace?: string,
 *   params: Record<string, any> }} Message
 */

/**
 * @typedef {object} Options
 * @property {string} [url] the server; by default where this file came from, in Node WHODID_SERVER
 * @property {string} [key] a key with the scope write, in Node WHODID_KEY
 * @property {Record<string, any>} [params] parameters of every event
 * @property {string} [user] login of who does it
 * @property {string | null} [session] session of every event instead of the browser's; null for none
 * @property {boolean} [errors] log uncaught errors and unhandled rejections; true by default
 * @property {boolean | string[]} [ui] log what people click, open, fill in and go to; or only these types of it
 */

/**
 * An event on its way. One with `until` is in the spool: until that time (epoch ms) nobody else sends it.
 * @typedef {{ id: string, text: string, size: number, until?: number }} Item
 */

const READ_EVENTS_MAX = 500;
const QUEUE_EVENTS_MAX = 10_000;
const QUEUE_BYTES_MAX = 8_000_000;
const SPOOL_EVENTS_MAX = 50_000;
// Browsers keep 64 KiB of requests alive for pages that are gone: one batch on its way and one at the end.
const ALIVE_BYTES_MAX = 62_000;
const BATCH_BYTES_MAX = 31_000;
const REPR_CHARS_MAX = 1000;
const CAUSES_MAX = 10;
const RETRY_MS_MAX = 60_000;
// So long other pages leave alone what a page sent while it went away.
const CLAIM_MS = 15_000;
const SESSION_IDLE_MS = 1_800_000;

const page = typeof document === 'object';
const node = page ? undefined : /** @type {any} */ (globalThis).process;
const encoder = new TextEncoder();

let newest = 0n;

/** A fresh UUID v7 (RFC 9562), larger than all before it. */
function newId() {
  const now = BigInt(Date.now()) << 12n;
  newest = now > newest ? now : newest + 1n;
  const digits = (newest << 64n) | crypto.getRandomValues(new BigUint64Array(1))[0];
  return digits
    .toString(16)
    .padStart(31, '0')
    .replace(/(.{8})(.{4})(.{3})(.{3})(.{12})./, '$1-$2-7$3-8$4-$5');
}

/**
 * The session of the browser, all its tabs, until nothing was done for `idleMs`; a policy without a wish says null.
 * @param {number | null} [idleMs]
 */
function sessionOf(idleMs) {
  try {
    const [id, at] = (localStorage.whodidSession ?? '').split(' ');
    const session = Date.now() - at < (idleMs ?? SESSION_IDLE_MS) ? id : newId();
    localStorage.whodidSession = session + ' ' + Date.now();
    return session;
  } catch {
    return undefined;
  }
}

/** What stands for a value that JSON has no form for: how it prints, cut. */
function marked(/** @type {any} */ value) {
  /** @type {any} */
  let $repr;
  try {
    $repr = value.nodeType ? pathOf(value) : String(value);
  } catch {}
  return { $repr: $repr?.slice(0, REPR_CHARS_MAX), $type: typeof value, $truncated: $repr?.length > REPR_CHARS_MAX };
}

/** Says what JSON has no form for, or would silently leave out. */
function replaced(/** @type {string} */ _name, /** @type {any} */ value) {
  if (value instanceof Error) return traceOf(value);
  if (value?.nodeType || /bigint|symbol|function/.test(typeof value) || (typeof value === 'number' && !isFinite(value)))
    return marked(value);
  return value instanceof Map || value instanceof Set ? [...value] : value;
}

/** The JSON text of an object; a member that cannot be written becomes how it prints, marked. */
function textOf(/** @type {any} */ object) {
  const members = [];
  for (const name in object) {
    let value, text;
    try {
      value = object[name];
      text = JSON.stringify(value, replaced);
    } catch (error) {
      text = JSON.stringify(marked(value ?? error));
    }
    if (text) members.push(JSON.stringify(name) + ':' + text);
  }
  return `{${members}}`;
}

/** Events that wait in IndexedDB, for all pages of the origin; the order of their ids is that of time. */
function spoolOf(/** @type {string} */ name) {
  /** @type {IDBDatabase} */
  let database;

  /** One transaction, given over at once, so that it ends even if the page does. @returns {Promise<any>} */
  const on = (/** @type {(store: IDBObjectStore) => any} */ work) =>
    new Promise((done, failed) => {
      const deal = database.transaction('events', 'readwrite');
      const request = work(deal.objectStore('events'));
      deal.oncomplete = () => done(request?.result);
      deal.onabort = failed;
      deal.commit();
    });

  return {
    /** Resolves to whether there is one. */
    opened: new Promise((done) => {
      try {
        const opening = indexedDB.open(name);
        opening.onupgradeneeded = () => opening.result.createObjectStore('events', { keyPath: 'id' });
        opening.onsuccess = () => done((database = opening.result));
        opening.onerror = () => done(0);
      } catch {
        done(0);
      }
    }),
    /** The number of events. */
    count: () => on((store) => store.count()),
    /** The oldest events. @returns {Promise<Item[]>} */
    first: () => on((store) => store.getAll(null, READ_EVENTS_MAX)),
    /** Keeps events. Rejects when there is no room. */
    put: (/** @type {Item[]} */ items, until = 0) =>
      on((store) => {
        for (const item of items) store.put(Object.assign(item, { until }));
      }),
    /** Resolves also when it fails: to send them once more does no harm. */
    remove: (/** @type {Item[]} */ items) =>
      on((store) => {
        for (const { id } of items) store.delete(id);
      }).catch(() => {}),
  };
}

/** How many of the first items make a batch: at least one. */
function fitting(/** @type {Item[]} */ items, sizeMax = BATCH_BYTES_MAX) {
  let count = 0;
  while (count < items.length && (sizeMax -= items[count].size) > 0) count++;
  return count || 1;
}

/** Where the sample of an event begins, 0 to 1: the CRC-32 of its id, so that every client and the server decide alike. */
function shareOf(/** @type {string} */ id) {
  let sum = -1;
  for (const byte of encoder.encode(id)) {
    sum ^= byte;
    for (let bit = 8; bit--;) sum = (sum >>> 1) ^ (sum & 1 && 0xedb88320);
  }
  return (~sum >>> 0) / 2 ** 32;
}

/** Whether a list of event types names `type`; `*` stands for anything. */
function named(/** @type {string[] | null | undefined} */ types, /** @type {string} */ type) {
  return types?.some((each) => RegExp(`^${each.replace(/[^\w*]/g, '\\$&').replaceAll('*', '.*')}$`).test(type));
}

/**
 * What loggers with the same server and key share.
 * @typedef {object} Sender
 * @property {Record<string, number>} stats
 * @property {any} policy what the server wants to have: the answer of GET /v1/policy; {} as long as there is none
 * @property {string} [user] whom the policy is for
 * @property {Logger} [owner] the first logger
 * @property {boolean} [catches] uncaught errors
 * @property {boolean} [watches] the page
 * @property {(id: string, text: string) => void} add
 * @property {(timeoutMs?: number) => Promise<boolean>} flush
 */

/** Brings events to one server with one key. All loggers of a page share it, so that order and memory are kept. */
function senderOf(/** @type {string} */ url, /** @type {string | undefined} */ key) {
  /** @type {Record<string, string>} */
  const headers = { 'content-type': 'application/json' };
  if (key) headers.authorization = 'Bearer ' + key;
  /** @type {Record<string, number>} */
  const stats = { accepted: 0, duplicates: 0, filtered: 0, rejected: 0, dropped: 0, callbackFailures: 0 };
  const spool = spoolOf('whodid ' + url);
  /** When to look into the spool. */
  let lookAt = Infinity;
  let policyAt = 0;
  let policyTag = '';
  /** @type {Item[]} */
  const queue = [];
  let queueBytes = 0;
  /** Sent and not answered. @type {Set<Item>} */
  const sending = new Set();
  let aliveBytes = 0;
  let failures = 0;
  let retryAt = 0;
  /** @type {any} */
  let timer;
  let timerAt = Infinity;
  /** @type {Promise<void> | undefined} */
  let running;
  let toldDropped = 0;
  let toldProblem = '';

  /** @type {Sender} */
  const sender = {
    stats,
    policy: {},

    /** Takes an event as JSON text; counts it as dropped when the memory that may be used is full. */
    add(/** @type {string} */ id, /** @type {string} */ text) {
      const size = encoder.encode(text).length + 1;
      if (queue.length >= QUEUE_EVENTS_MAX || queueBytes + size > QUEUE_BYTES_MAX) {
        stats.dropped++;
        return;
      }
      queue.push({ id, text, size });
      queueBytes += size;
      soon(queueBytes < BATCH_BYTES_MAX ? (sender.policy.flush_interval_ms ?? 1000) : 0);
    },

    /** Resolves to whether the server has all that there is, within `timeoutMs`. */
    async flush(timeoutMs = 10_000) {
      const end = Date.now() + timeoutMs;
      await opened;
      for (run(); waiting(); Date.now() < retryAt || run()) {
        if (Date.now() > end) return false;
        await new Promise((done) => setTimeout(done, 20));
      }
      return true;
    },
  };

  const opened = spool.opened.then((open) => open && soon((lookAt = 0)));
  if (page) {
    addEventListener('online', () => soon((retryAt = 0)));
    addEventListener('pagehide', leave);
    document.addEventListener('visibilitychange', () => document.hidden && leave());
  }
  node?.on('beforeExit', () => waiting() && failures < 3 && run());
  node?.on('exit', exit);
  return sender;

  function waiting() {
    return queue.length || sending.size || lookAt <= Date.now();
  }

  function soon(/** @type {number} */ ms) {
    const at = Math.max(Date.now() + ms, retryAt);
    if (timerAt <= at) return;
    clearTimeout(timer);
    timerAt = at;
    timer = setTimeout(run, at - Date.now());
    timer.unref?.();
  }

  /** Begins a round of sending, unless one is going on. */
  function run() {
    clearTimeout(timer);
    timerAt = Infinity;
    running ??= round()
      .catch(() => {
        // The spool is broken: from here on there is memory only.
        lookAt = Infinity;
      })
      .then(() => {
        running = undefined;
        if (queue.length) soon(0);
        if (lookAt < Infinity) soon(lookAt - Date.now());
      });
  }

  async function round() {
    await opened;
    await askPolicy();
    if (lookAt <= Date.now()) {
      await (navigator.locks?.request('whodid ' + url, drain) ?? drain());
      if (!lookAt) return keep(take(Infinity));
    }
    while (queue.length) if (!(await deliver(take()))) return;
  }

  /** Sends what is in the spool, oldest first; one page at a time does it. */
  async function drain() {
    for (;;) {
      const kept = await spool.first();
      const free = kept.filter(({ until = 0 }) => until <= Date.now());
      // What a page that just went had left may arrive later than this page.
      lookAt = free.length ? 0 : Math.min(Date.now() + 1e4, ...kept.map(({ until = 0 }) => until));
      if (!free.length || !(await deliver(free.slice(0, fitting(free))))) return;
    }
  }

  /** The next events of the queue. */
  function take(sizeMax = BATCH_BYTES_MAX) {
    const batch = queue.splice(0, fitting(queue, sizeMax));
    for (const { size } of batch) queueBytes -= size;
    return batch;
  }

  /** Sends events; keeps what cannot be sent. Resolves to whether they are done with. */
  async function deliver(/** @type {Item[]} */ items) {
    for (const item of items) sending.add(item);
    const texts = allowed(items);
    const done = !texts.length || (await post(texts));
    if (done) stats.filtered += items.length - texts.length;
    if (!done) await keep(items);
    else if ('until' in items[0]) await spool.remove(items);
    for (const item of items) sending.delete(item);
    return done;
  }

  /** Puts events where they wait for the server: into the spool (`atOnce`: full or not), else to the head of the queue. */
  async function keep(/** @type {Item[]} */ items, atOnce = false) {
    if (!items.length) return;
    try {
      if (atOnce || (await spool.count()) < SPOOL_EVENTS_MAX) await spool.put(items);
      else stats.dropped += items.length;
      lookAt = 0;
    } catch {
      queue.unshift(...items);
      for (const { size } of items) queueBytes += size;
    }
  }

  /** Resolves to whether the server has judged the events; else `retryAt` says when to try again. */
  async function post(/** @type {string[]} */ texts) {
    const body = encoder.encode(`[${texts}]`);
    const size = body.length;
    const keepalive = aliveBytes + size < ALIVE_BYTES_MAX;
    if (keepalive) aliveBytes += size;
    let retryMs = Math.min(RETRY_MS_MAX, 500 * 2 ** failures) * (1 + Math.random());
    let problem;
    try {
      const answer = await ask('events', { method: 'POST', keepalive, body });
      const { rejected, error, ...counts } = await answer.json().catch(() => ({}));
      problem = (rejected?.[0] ?? error)?.message ?? answer.status;
      if (rejected || answer.status === 413) {
        for (const name in stats) stats[name] += counts[name] ?? 0;
        stats.rejected += rejected?.length ?? texts.length;
        failures = retryAt = 0;
        if (rejected?.length !== 0) tell(problem);
        if (stats.dropped !== toldDropped)
          sender.owner?.warning('Events were dropped', { dropped: (toldDropped = stats.dropped) });
        return true;
      }
      retryMs = Number(answer.headers.get('retry-after')) * 1000 || retryMs;
    } catch (failure) {
      problem = failure;
    } finally {
      if (keepalive) aliveBytes -= size;
    }
    tell(problem);
    failures++;
    retryAt = Date.now() + retryMs;
    return false;
  }

  function ask(/** @type {string} */ name, /** @type {RequestInit} */ request) {
    const signal = AbortSignal.timeout(sender.policy.request_timeout_ms ?? 10_000);
    return fetch(`${url}v1/${name}`, { ...request, headers: { ...headers, ...request.headers }, signal });
  }

  async function askPolicy() {
    if (Date.now() < policyAt) return;
    // A little early, so that a change is here within its age.
    policyAt = Date.now() + (sender.policy.max_age_s ?? 5) * 800;
    try {
      const { user } = sender;
      // A browser's cache asks with the tag by itself; a header of ours would need leave of another origin.
      const tag = node && { 'if-none-match': policyTag };
      const answer = await ask('policy?' + new URLSearchParams(user && { user }), {
        cache: 'no-cache',
        headers: tag,
      });
      const text = await answer.text();
      if (answer.ok) [sender.policy, policyTag] = [JSON.parse(text), answer.headers.get('etag') ?? ''];
      if (answer.status === 404) sender.policy = { max_age_s: 300 };
    } catch {}
  }

  /** The texts of the events that the policy wants, as it wants them. What cannot be judged here the server judges. */
  function allowed(/** @type {Item[]} */ items) {
    return items.flatMap(({ text }) => {
      try {
        const { switched_off, only, sampling, parameters: { left_out, truncated, whole_in } = {} } = sender.policy;
        const event = JSON.parse(text);
        if (event.user === sender.user && event.topic !== 'authfail') {
          const { id, type, parameters: params } = event;
          if (named(switched_off, type) || (only && !named(only, type)) || shareOf(id) >= (sampling?.[type] ?? 1))
            return [];
          if (!named(whole_in, type)) {
            for (const name of left_out ?? []) delete params[name];
            for (const name in truncated)
              if (params[name]?.length > truncated[name]) params[name] = params[name].slice(0, truncated[name]) + '…';
            text = JSON.stringify(event);
          }
        }
      } catch {}
      return text;
    });
  }

  /** The page may be gone in a moment: spool what is not answered, send what a browser sends for a page that is gone. */
  function leave() {
    const batch = failures ? [] : take(ALIVE_BYTES_MAX - aliveBytes);
    const items = [...sending, ...batch];
    if (items.length) spool.put(items, Date.now() + CLAIM_MS).catch(() => {});
    keep(take(Infinity), true);
    if (batch.length) deliver(batch);
  }

  /** Node is about to end, after an uncaught error perhaps: only another process can still send what is left. */
  function exit() {
    const texts = allowed([...sending, ...queue]);
    if (!texts.length) return;
    if (failures) return tell(`${texts.length} events were not sent`);
    const request = JSON.stringify({ method: 'POST', headers, body: `[${texts}]` });
    const input = `fetch('${url}v1/events',${request})`;
    node.getBuiltinModule?.('child_process').spawnSync(node.execPath, ['-'], { input, timeout: 5000 });
  }

  /** Says on the console what goes wrong, once. */
  function tell(/** @type {any} */ problem) {
    if (toldProblem !== String(problem)) console.warn('whodid', url, (toldProblem = String(problem)));
  }
}

/** @type {Record<string, Sender>} */
const senders = {};

/** A selector of an element, from the next ancestor that has an id. */
function pathOf(/** @type {any} */ element) {
  const path = [];
  for (let each = element; each.parentElement; each = each.parentElement) {
    path.unshift(
      each.id ? '#' + each.id : `${each.localName}:nth-child(${[...each.parentElement.children].indexOf(each) + 1})`,
    );
    if (each.id) break;
  }
  return path.join(' > ');
}

const BUTTONS =
  'button,summary,a[href],[type=button],[type=submit],[role=button],[role=link],[role=tab],[role^=menuitem]';
const CONFIRMS = '[data-audit=ok],form:valid button:not([data-audit],[type=button],[value=cancel])';
const DIALOGS = 'dialog[open],[role=dialog],[role=alertdialog],[data-audit=dialog]';

/** What people call an element: how it is labelled, never what was put into it. @returns {string} */
function nameOf(/** @type {any} */ element) {
  const { dataset, ariaLabel, labels, textContent, value, name } = element;
  const button = element.matches(BUTTONS);
  const label =
    document.getElementById(element.getAttribute('aria-labelledby')) ??
    (button ? null : (labels?.[0] ?? element.querySelector(':is(h1,h2,h3,legend):not([contenteditable] *)')));
  // A label may be around its field, whose content is not part of it.
  const text = label ? label.textContent.replace(labels ? textContent : '', '') : button && (textContent || value);
  return (dataset.auditName || ariaLabel || text || name || '').trim().replace(/\s+/g, ' ').slice(0, 100);
}

/** Where the page is, without the part that may hold secrets. */
const place = () => location.pathname + (/^#[!/][^?]*/.exec(location.hash) ?? '');

/** Logs what people do on the page: how things are called and where they are, never what is put into them. */
function watch(/** @type {Logger} */ logger, /** @type {any} */ wanted) {
  const log = (/** @type {string} */ type, /** @type {any} */ element, more = {}) => {
    if (element.closest('[data-audit=off]') || (wanted.includes && !wanted.includes(type))) return;
    /** @type {Record<string, any>} */
    const params = { name: nameOf(element), path: pathOf(element), ...more };
    for (const key in element.dataset)
      if (/^audit./.test(key)) params[key[5].toLowerCase() + key.slice(6)] ??= element.dataset[key];
    const [, kind, id] = /^(.+?):(.+)/.exec(element.closest('[data-audit-entity]')?.dataset.auditEntity) ?? [];
    logger.usage(`${type} ${params.name}`, params, type, kind ? { entities: [[kind, id]] } : {});
  };
  const on = (
    /** @type {string} */ type,
    /** @type {string} */ selector,
    /** @type {(element: any, event: any) => void} */ act,
  ) => {
    document.addEventListener(
      type,
      (event) => {
        const element = event.composedPath().find((/** @type {any} */ each) => each.matches?.(selector));
        if (element) act(element, event);
      },
      true,
    );
  };

  const confirmed = new WeakSet();
  on('click', BUTTONS + ',[data-audit]', (element) => {
    const kind = element.dataset.audit;
    const dialog = element.closest(DIALOGS);
    if (kind === 'dialog' || kind === 'input') return;
    if (element.matches('[data-audit=menu],[role^=menuitem]:not([data-audit])')) {
      log(element.closest('[role=menubar]') ? 'main-menu-item-click' : 'menu click', element);
    } else if (dialog && (element.matches(CONFIRMS) || nameOf(element) === 'OK')) {
      confirmed.add(dialog);
      log('dialog ok', dialog, { button: nameOf(element) });
    } else log(kind ?? 'click', element);
  });
  on('change', 'input,select,textarea,[data-audit=input]', (element) => log('input', element, { kind: element.type }));
  on('command', '*', (element, { command, detail }) => log('command', element, { command: command ?? detail }));

  /** @type {Element[]} */
  let shown = [];
  let timer = 0;
  const look = () => {
    timer = 0;
    const visible = [...document.querySelectorAll(DIALOGS)].filter((each) => each.getClientRects().length);
    for (const each of visible) if (!shown.includes(each)) log('dialog show', each);
    for (const each of shown) if (!visible.includes(each) && !confirmed.delete(each)) log('dialog close', each);
    shown = visible;
  };
  new MutationObserver(() => (timer ||= /** @type {any} */ (setTimeout(look, 50)))).observe(document, {
    subtree: true,
    childList: true,
    attributes: true,
  });
  look();

  let from = '';
  const go = () => {
    if (from !== place())
      log('navigate', document.documentElement, { name: document.title, from, to: (from = place()) });
  };
  for (const name of /** @type {const} */ (['pushState', 'replaceState'])) {
    const change = history[name];
    history[name] = (...given) => (change.apply(history, given), go());
  }
  addEventListener('popstate', go);
  addEventListener('hashchange', go);
  go();
  return true;
}

/** The stack trace in an Error or a text. @returns {string | undefined} */
const traceOf = (/** @type {any} */ given) =>
  given instanceof Error ? (given.stack ?? String(given)) : given && String(given);

/** The JSON text of the event that a message is. */
function eventText(/** @type {string} */ id, /** @type {Message} */ put) {
  const { level, time, message, auditType, stackTrace, params, entities, ...fields } = put;
  const text = textOf({
    id,
    time: new Date(time || Date.now()),
    type: String(auditType || 'log'),
    level,
    description: message,
    error_message: level === 'error' ? message : undefined,
    error_stack_trace: stackTrace,
    entities: entities?.map((each) =>
      Array.isArray(each) ? { type: each[0], id: String(each[1]), name: each[2] } : each,
    ),
    ...fields,
  });
  return `${text.slice(0, -1)},"parameters":${textOf(typeof params === 'object' ? params : { value: params })}}`;
}

/** Writes events to a whodid server. Its methods return at once and never throw. */
export class Logger {
  /** Options of every logger that is made after they were set. @type {Options} */
  static defaults = {};

  /**
   * A logger without callback.
   * @param {Options} [options]
   */
  static create(options) {
    return new Logger(null, options);
  }

  #callback;
  /** Whether the callback is at work: it does not see what it logs itself. */
  #asking = false;
  #options;
  #sender;

  /**
   * @param {((message: Message) => void) | null} [putCallback] sees each message before it is sent and may change it
   * @param {Options} [options]
   */
  constructor(putCallback, options) {
    const all = (this.#options = { ...Logger.defaults, ...options });
    this.#callback = putCallback;
    /** Parameters of every event. @type {Record<string, any>} */
    this.params = { ...all.params };
    /** Login of who does it. */
    this.user = all.user;
    const key = all.key ?? node?.env.WHODID_KEY;
    const url = (all.url ?? node?.env.WHODID_SERVER ?? import.meta.url.replace(/[^/]*$/, '')).replace(/\/*$/, '/');
    const sender = (this.#sender = senders[url + key] ??= senderOf(url, key));
    sender.user ??= all.user;
    sender.owner ??= this;
    if (all.errors !== false) sender.catches ||= this.#catch();
    if (page && all.ui) sender.watches ||= watch(this, all.ui);
  }

  /** A logger for a package: its events say which, in the parameters `package` and `packageName`. */
  package(/** @type {string} */ name) {
    const params = { ...this.params, package: name, packageName: name };
    return new Logger(this.#callback, { ...this.#options, user: this.user, params });
  }

  /**
   * `audit` by its older name; the type `error` makes it an error, with `params.stackTrace` as its trace.
   * @param {unknown} message
   * @param {Record<string, any>} [params]
   * @param {string} [type] of the event
   * @param {Fields} [fields]
   */
  log(message, params, type = 'log', fields) {
    this.#put(type === 'error' ? type : 'audit', message, params, type, fields);
  }

  /**
   * Something that has to be known later.
   * @param {unknown} message
   * @param {Record<string, any>} [params]
   * @param {string} [type] of the event
   * @param {Fields} [fields]
   */
  audit(message, params, type = 'log', fields) {
    this.#put('audit', message, params, type, fields);
  }

  /**
   * Something that shows how things are used.
   * @param {unknown} message
   * @param {Record<string, any>} [params]
   * @param {string} [type] of the event
   * @param {Fields} [fields]
   */
  usage(message, params, type = 'usage', fields) {
    this.#put('usage', message, params, type, fields);
  }

  /**
   * @param {unknown} message
   * @param {Record<string, any>} [params]
   * @param {Fields} [fields]
   */
  info(message, params, fields) {
    this.#put('info', message, params, 'info', fields);
  }

  /**
   * @param {unknown} message
   * @param {Record<string, any>} [params]
   * @param {Fields} [fields]
   */
  debug(message, params, fields) {
    this.#put('debug', message, params, 'debug', fields);
  }

  /**
   * @param {unknown} message
   * @param {Record<string, any>} [params]
   * @param {Fields} [fields]
   */
  warning(message, params, fields) {
    this.#put('warning', message, params, 'warning', fields);
  }

  /**
   * An error, of which equal ones are grouped by their stack trace.
   * @param {unknown} message a text or the Error itself
   * @param {Record<string, any> | string | Error} [params] a text or an Error is the stack trace
   * @param {string | Error} [stackTrace]
   * @param {Fields} [fields]
   */
  error(message, params, stackTrace, fields) {
    this.#put('error', message, params, 'error', fields, stackTrace);
  }

  /**
   * Sends what was logged so far, by all loggers with the same server and key.
   * @param {number} [timeoutMs] 10,000 by default
   * @returns {Promise<boolean>} whether the server has it all
   */
  flush(timeoutMs) {
    return this.#sender.flush(timeoutMs);
  }

  /** What became of the events of all loggers with the same server and key. */
  get stats() {
    return { ...this.#sender.stats };
  }

  /**
   * @param {Level} level
   * @param {any} message
   * @param {any} given
   * @param {string} auditType
   * @param {Fields} [fields]
   * @param {any} [trace]
   */
  #put(level, message, given, auditType, fields, trace) {
    const { stats, policy } = this.#sender;
    try {
      const { session = sessionOf(policy.session_idle_ms) } = this.#options;
      /** @type {any} */
      const failure = [message, given, trace].find((each) => each instanceof Error);
      const isTrace = given instanceof Error || (level === 'error' && typeof given === 'string');
      const params = { ...this.params };
      const more = isTrace ? {} : typeof given === 'object' ? given : { value: given };
      for (const name in more) {
        try {
          params[name] = more[name];
        } catch (error) {
          params[name] = marked(error);
        }
      }
      let stackTrace = traceOf(trace ?? (isTrace ? given : failure));
      stackTrace ??= traceOf(params.stackTrace);
      delete params.stackTrace;
      if (failure) params.error_type = failure.name;
      const causes = [];
      for (let cause = failure?.cause; cause && causes.length < CAUSES_MAX; cause = cause.cause)
        causes.push(traceOf(cause));
      if (causes[0]) params.causes = causes;
      const text =
        message instanceof Error
          ? message.message
          : typeof message === 'string'
            ? message
            : (marked(message).$repr ?? '');
      /** @type {Message} */
      const put = {
        level,
        time: Date.now(),
        message: text,
        auditType,
        stackTrace,
        params,
        user: this.user,
        session,
        ...fields,
      };
      if (!this.#asking) {
        this.#asking = true;
        try {
          this.#callback?.(put);
        } catch {
          stats.callbackFailures++;
        }
        this.#asking = false;
      }
      const id = newId();
      this.#sender.add(id, eventText(id, put));
    } catch {
      stats.dropped++;
    }
  }

  /** Uncaught errors become events; they go on to wherever they go without a logger. */
  #catch() {
    node?.on('uncaughtExceptionMonitor', (/** @type {any} */ error, /** @type {string} */ uncaught) =>
      this.error(error, { uncaught }),
    );
    if (node) return true;
    for (const uncaught of ['error', 'unhandledrejection']) {
      addEventListener(uncaught, (/** @type {any} */ { reason, error, message }) =>
        this.error(reason ?? error ?? message, { uncaught }),
      );
    }
    return true;
  }
}

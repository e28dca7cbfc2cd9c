/**
 * The whodid Logger for browsers and Node 20: tells a whodid server what people and programs do.
 *
 *     import { Logger } from 'https://audit.example/logger.js';
 *     const logger = new Logger((m) => m.params['persistent'] = 'value');
 *     logger.audit('Report opened', { report: 'R1' }, 'report-opened');
 *
 * A call makes an event with an id of its own (UUID v7) and returns at once; it never throws. The way of an event:
 * Logger → Sender.add → queue → batch → POST /v1/events. When that fails or the page goes, IndexedDB keeps it, and
 * whichever page comes next sends it, in order and with the same id, which the server counts once.
 *
 * This is the source. What is served at /logger.js and packed for npm leaves out comments and spaces, nothing else.
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

/** @typedef {{ id: string, text: string, size: number, until?: number, tab?: string }} Item an event on its way */

const BATCH_EVENTS_MAX = 500;
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

const page = typeof document === 'object' ? document : undefined;
const node = page ? undefined : /** @type {any} */ (globalThis).process;
const encoder = new TextEncoder();

let newest = 0n;

/** A fresh UUID v7 (RFC 9562), larger than all before it. */
function newId() {
  const now = BigInt(Date.now()) << 12n;
  newest = now > newest ? now : newest + 1n;
  const random = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0'));
  const digits = newest.toString(16).padStart(15, '0') + random.join('');
  return digits.replace(/(.{8})(.{4})(.{3})(.{3})(.{12})./, '$1-$2-7$3-8$4-$5');
}

const tab = newId();

/** The session of the browser, all its tabs, until nothing was done for `idleMs`. */
function sessionOf(idleMs = SESSION_IDLE_MS) {
  try {
    const [id, at] = (localStorage.whodidSession ?? '').split(' ');
    const session = Date.now() - at < idleMs ? id : newId();
    localStorage.whodidSession = session + ' ' + Date.now();
    return session;
  } catch {
    return page && tab;
  }
}

/** How a value prints, cut. @returns {string} */
function repr(/** @type {any} */ value) {
  try {
    return (value?.nodeType ? pathOf(value) : String(value)).slice(0, REPR_CHARS_MAX);
  } catch {
    return typeof value;
  }
}

/** The mark of what has no form in JSON. */
const marked = (/** @type {any} */ value) => ({ unserializable: repr(value) });

/** Says what JSON has no form for, or would silently leave out. */
function replaced(/** @type {string} */ _name, /** @type {any} */ value) {
  if (value instanceof Error) return traceOf(value);
  if (value?.nodeType || /bigint|symbol|function/.test(typeof value) || (typeof value === 'number' && !isFinite(value))) return marked(value);
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
class Spool {
  /** @type {any} */
  #database;

  /** Resolves to whether there is one. */
  open(/** @type {string} */ name) {
    return new Promise((done) => {
      try {
        const opening = indexedDB.open(name);
        opening.onupgradeneeded = () => opening.result.createObjectStore('events', { keyPath: 'id' });
        opening.onsuccess = () => done((this.#database = opening.result));
        opening.onerror = () => done(0);
      } catch {
        done(0);
      }
    });
  }

  /** The number of events. */
  count() {
    return this.#on((store) => store.count());
  }

  /** The oldest events. @returns {Promise<Item[]>} */
  first() {
    return this.#on((store) => store.getAll(null, BATCH_EVENTS_MAX));
  }

  /** Keeps events; `until` that time (epoch ms) other pages leave them alone. Rejects when there is no room. */
  put(/** @type {Item[]} */ items, until = 0) {
    return this.#on((store) => items.map((item) => store.put({ ...item, until, tab }))[0]);
  }

  /** Resolves also when it fails: to send them once more does no harm. */
  remove(/** @type {Item[]} */ items) {
    return this.#on((store) => items.map((item) => store.delete(item.id))[0]).catch(() => {});
  }

  /** One transaction, given over at once, so that it ends even if the page does. @returns {Promise<any>} */
  #on(/** @type {(store: IDBObjectStore) => IDBRequest} */ work) {
    return new Promise((done, failed) => {
      const deal = this.#database.transaction('events', 'readwrite');
      const request = work(deal.objectStore('events'));
      deal.oncomplete = () => done(request?.result);
      deal.onabort = failed;
      deal.commit();
    });
  }
}

/** How many of the first items make a batch: at least one. */
function fitting(/** @type {Item[]} */ items, sizeMax = BATCH_BYTES_MAX, countMax = BATCH_EVENTS_MAX) {
  let [count, size] = [0, 2];
  while (count < items.length && count < countMax && (size += items[count].size) <= sizeMax) count++;
  return count || 1;
}

/** Whether a list of event types names `type`; `*` stands for anything. */
function named(/** @type {string[] | null | undefined} */ types, /** @type {string} */ type) {
  return types?.some((each) => RegExp(`^${each.replace(/[^\w*]/g, '\\$&').replaceAll('*', '.*')}$`).test(type));
}

/** Brings events to one server with one key. All loggers of a page share it, so that order and memory are kept. */
class Sender {
  /** @type {Record<string, Sender>} */
  static all = {};

  stats = { accepted: 0, duplicates: 0, filtered: 0, rejected: 0, dropped: 0, callbackFailures: 0 };
  /** Whom the policy is for. @type {string | undefined} */
  user;
  /** What the server wants to have: the answer of GET /v1/policy; {} as long as there is none. @type {any} */
  policy = {};
  /** @type {any} */
  watches = false;
  catches = false;
  #policyAt = 0;
  #policyTag = '';
  /** @type {Item[]} */
  #queue = [];
  #queueBytes = 0;
  /** Sent and not answered. @type {Set<Item>} */
  #sending = new Set();
  #aliveBytes = 0;
  #spool = new Spool();
  #spools = false;
  /** When to look into the spool. */
  #lookAt = Infinity;
  #failures = 0;
  #retryAt = 0;
  #timer = 0;
  #timerAt = Infinity;
  /** @type {Promise<void> | undefined} */
  #running;
  #toldDropped = 0;
  #toldProblem = '';

  constructor(/** @type {string} */ url, /** @type {string | undefined} */ key) {
    this.url = url;
    this.headers = { ...(key && { authorization: 'Bearer ' + key }), 'content-type': 'application/json' };
    this.opened = this.#spool.open('whodid ' + url).then((open) => {
      this.#spools = !!open;
      if (open) this.#soon((this.#lookAt = 0));
    });
    if (page) {
      addEventListener('online', () => this.#soon((this.#retryAt = 0)));
      addEventListener('pagehide', () => this.#leave());
      page.addEventListener('visibilitychange', () => page.hidden && this.#leave());
    }
    node?.on('beforeExit', () => this.#waiting() && this.#failures < 3 && this.#run());
    node?.on('exit', () => this.#exit());
  }

  /** Takes an event as JSON text; counts it as dropped when the memory that may be used is full. */
  add(/** @type {string} */ id, /** @type {string} */ text) {
    const size = encoder.encode(text).length + 1;
    if (this.#queue.length >= QUEUE_EVENTS_MAX || this.#queueBytes + size > QUEUE_BYTES_MAX) {
      this.stats.dropped++;
      return;
    }
    this.#queue.push({ id, text, size });
    this.#queueBytes += size;
    const full = this.#queue.length >= BATCH_EVENTS_MAX || this.#queueBytes >= BATCH_BYTES_MAX;
    this.#soon(full ? 0 : (this.policy.flush_interval_ms ?? 1000));
  }

  /** Resolves to whether the server has all that there is, within `timeoutMs`. */
  async flush(timeoutMs = 10_000) {
    const end = Date.now() + timeoutMs;
    await this.opened;
    for (this.#run(); this.#waiting(); Date.now() < this.#retryAt || this.#run()) {
      if (Date.now() > end) return false;
      await new Promise((done) => setTimeout(done, 20));
    }
    return true;
  }

  #waiting() {
    return this.#queue.length || this.#sending.size || this.#lookAt <= Date.now();
  }

  #soon(/** @type {number} */ ms) {
    const at = Math.max(Date.now() + ms, this.#retryAt);
    if (this.#timerAt <= at) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    /** @type {any} */
    const timer = setTimeout(() => this.#run(), at - Date.now());
    this.#timer = timer;
    timer.unref?.();
  }

  /** Begins a round of sending, unless one is going on. */
  #run() {
    clearTimeout(this.#timer);
    this.#timerAt = Infinity;
    return (this.#running ??= this.#round().finally(() => {
      this.#running = undefined;
      if (this.#queue.length) this.#soon(0);
      if (this.#lookAt < Infinity) this.#soon(this.#lookAt - Date.now());
    }));
  }

  async #round() {
    await this.opened;
    await this.#askPolicy();
    if (this.#lookAt <= Date.now()) {
      const drain = () => this.#drain();
      await (navigator.locks?.request('whodid ' + this.url, drain) ?? drain());
      if (!this.#lookAt) return this.#keep(this.#take(Infinity, Infinity));
    }
    while (this.#queue.length && (await this.#deliver(this.#take())));
  }

  /** Sends what is in the spool, oldest first; one page at a time does it. */
  async #drain() {
    for (;;) {
      const sent = [...this.#sending].map(({ id }) => id);
      const kept = (await this.#spool.first()).filter(({ id }) => !sent.includes(id));
      const free = kept.filter((item) => item.tab === tab || Number(item.until) <= Date.now());
      this.#lookAt = free.length ? 0 : Math.min(Infinity, ...kept.map((item) => Number(item.until)));
      if (!free.length || !(await this.#deliver(free.slice(0, fitting(free))))) return;
    }
  }

  /** The next events of the queue. */
  #take(sizeMax = BATCH_BYTES_MAX, countMax = BATCH_EVENTS_MAX) {
    const batch = this.#queue.splice(0, fitting(this.#queue, sizeMax, countMax));
    for (const { size } of batch) this.#queueBytes -= size;
    return batch;
  }

  /** Sends events; keeps what cannot be sent. Resolves to whether they are done with. */
  async #deliver(/** @type {Item[]} */ items) {
    for (const item of items) this.#sending.add(item);
    const done = await this.#post(items);
    if (!done) await this.#keep(items);
    else if (items[0].tab) await this.#spool.remove(items);
    for (const item of items) this.#sending.delete(item);
    return done;
  }

  /** Puts events where they wait for the server: into the spool, else to the head of the queue. */
  async #keep(/** @type {Item[]} */ items) {
    if (!items.length) return;
    try {
      const room = Math.max(0, SPOOL_EVENTS_MAX - (await this.#spool.count()));
      await this.#spool.put(items.slice(0, room));
      this.stats.dropped += items.length - Math.min(items.length, room);
      this.#lookAt = 0;
    } catch {
      this.#queue.unshift(...items);
      for (const { size } of items) this.#queueBytes += size;
    }
  }

  /** Resolves to whether the server has judged the events; else `retryAt` says when to try again. */
  async #post(/** @type {Item[]} */ items) {
    const texts = this.#allowed(items);
    if (!texts.length) return true;
    const body = encoder.encode(`[${texts}]`);
    const size = body.length;
    const keepalive = this.#aliveBytes + size < ALIVE_BYTES_MAX;
    if (keepalive) this.#aliveBytes += size;
    let retryMs = Math.min(RETRY_MS_MAX, 500 * 2 ** this.#failures) * (0.5 + Math.random() / 2);
    let problem;
    try {
      const answer = await this.#fetch('events', { method: 'POST', keepalive, body });
      const { rejected, error, ...counts } = await answer.json().catch(() => ({}));
      problem = (rejected?.[0] ?? error)?.message ?? answer.status;
      if (rejected || answer.status === 413) {
        const { stats } = this;
        for (const name in counts) stats[/** @type {'accepted'} */ (name)] += counts[name];
        stats.rejected += rejected?.length ?? texts.length;
        this.#failures = this.#retryAt = 0;
        if (rejected?.length !== 0) this.#tell(problem);
        this.#tellDropped();
        return true;
      }
      const after = answer.headers.get('retry-after') ?? '';
      retryMs = Number(after) * 1000 || Date.parse(after) - Date.now() || retryMs;
    } catch (failure) {
      problem = failure;
    } finally {
      if (keepalive) this.#aliveBytes -= size;
    }
    this.#tell(problem);
    this.#failures++;
    this.#retryAt = Date.now() + retryMs;
    return false;
  }

  #fetch(/** @type {string} */ name, /** @type {RequestInit} */ request, /** @type {Record<string, string>} */ more = {}) {
    const signal = AbortSignal.timeout(this.policy.request_timeout_ms ?? 10_000);
    return fetch(`${this.url}v1/${name}`, { ...request, headers: { ...this.headers, ...more }, signal });
  }

  async #askPolicy() {
    if (Date.now() < this.#policyAt) return;
    this.#policyAt = Date.now() + 10_000;
    try {
      const subject = this.user ? '?user=' + encodeURIComponent(this.user) : '';
      // A browser's cache asks with the tag by itself; a header of ours would need leave of another origin.
      const answer = await this.#fetch('policy' + subject, { cache: 'no-cache' }, node && { 'if-none-match': this.#policyTag });
      const { ok, status } = answer;
      const text = await answer.text();
      if (ok) [this.policy, this.#policyTag] = [JSON.parse(text), answer.headers.get('etag') ?? ''];
      if (status === 404) this.policy = { max_age_s: 300 };
      // A little early, so that a change is here within its age.
      if (ok || status === 304 || status === 404) this.#policyAt = Date.now() + (this.policy.max_age_s ?? 5) * 800;
    } catch {}
  }

  /** The texts of the events that the policy wants, as it wants them. */
  #allowed(/** @type {Item[]} */ items) {
    const { version, switched_off, only, sampling, parameters } = this.policy;
    const texts = [];
    for (const { text } of items) {
      const event = version && JSON.parse(text);
      if (event?.user !== this.user || !version) {
        texts.push(text);
        continue;
      }
      const { id, type, parameters: params } = event;
      // Of the random part of the id, so that a retry and the server decide alike.
      const share = parseInt(id.slice(-8), 16) / 2 ** 32;
      if (named(switched_off, type) || (only && !named(only, type)) || share >= (sampling?.[type] ?? 1)) {
        this.stats.filtered++;
        continue;
      }
      for (const name of parameters?.left_out ?? []) delete params[name];
      for (const name in parameters?.truncated) if (params[name]?.slice) params[name] = params[name].slice(0, parameters.truncated[name]);
      texts.push(JSON.stringify(event));
    }
    return texts;
  }

  /** The page may be gone in a moment: spool what is not answered, send what a browser sends for a page that is gone. */
  #leave() {
    const batch = this.#failures ? [] : this.#take(ALIVE_BYTES_MAX - this.#aliveBytes);
    const items = [...this.#sending, ...batch];
    if (this.#spools) {
      for (const item of items) item.tab = tab;
      if (items.length) this.#spool.put(items, Date.now() + CLAIM_MS).catch(() => {});
      this.#keep(this.#take(Infinity, Infinity));
    }
    if (batch.length) this.#deliver(batch);
  }

  /** Node is about to end, after an uncaught error perhaps: only another process can still send what is left. */
  #exit() {
    const texts = this.#allowed([...this.#sending, ...this.#queue]);
    if (!texts.length) return;
    if (this.#failures) return this.#tell(texts.length + ' events were not sent');
    const request = { method: 'POST', headers: this.headers, body: `[${texts}]` };
    const input = `fetch('${this.url}v1/events',${JSON.stringify(request)})`;
    node.getBuiltinModule?.('child_process').spawnSync(node.execPath, ['-'], { input, timeout: 5000 });
  }

  #tellDropped() {
    const count = this.stats.dropped - this.#toldDropped;
    this.#toldDropped += count;
    const id = newId();
    const [time, description] = [new Date(), 'Events were dropped: there was no room to keep them.'];
    if (count) this.add(id, JSON.stringify({ id, time, type: 'events-dropped', level: 'warning', description, parameters: { count } }));
  }

  /** Says on the console what goes wrong, once. */
  #tell(/** @type {any} */ problem) {
    if (this.#toldProblem !== String(problem)) console.warn('whodid: ' + (this.#toldProblem = String(problem)));
  }
}

/** A selector of an element, from the next ancestor that has an id. */
function pathOf(/** @type {any} */ element) {
  const path = [];
  for (let each = element; each?.localName; each = path[0][0] === '#' ? null : each.parentNode) {
    const place = Array.prototype.indexOf.call(each.parentNode?.children ?? [], each) + 1;
    path.unshift(each.id ? '#' + CSS.escape(each.id) : place && each !== page?.body ? `${each.localName}:nth-child(${place})` : each.localName);
  }
  return path.join(' > ');
}

const BUTTONS = 'button,summary,a[href],[type=button],[type=submit],[type=reset],[role=button],[role=link],[role=tab],[role=switch],[role^=menuitem]';
const DIALOGS = 'dialog[open],[role=dialog],[role=alertdialog],[data-audit=dialog]';

/** What people call an element: how it is labelled, never what was put into it. @returns {string} */
function nameOf(/** @type {any} */ element) {
  const { localName, dataset, labels, value, title, name } = element;
  const button = element.matches(BUTTONS);
  const label = page?.getElementById(element.getAttribute('aria-labelledby')) ?? labels?.[0]
    ?? (button ? element : element.matches(DIALOGS) && element.querySelector('h1,h2,h3,legend'));
  const text = button && localName === 'input' ? value : label?.textContent;
  return (dataset.auditName || element.ariaLabel || text || title || name || '').trim().replace(/\s+/g, ' ').slice(0, 100);
}

/** Where the page is, without the part that may hold secrets. */
const place = () => location.pathname + (/^#[!/][^?]*/.exec(location.hash) ?? '');

/** Logs what people do on the page: how things are called and where they are, never what is put into them. */
function watch(/** @type {Logger} */ logger, /** @type {any} */ wanted) {
  const log = (/** @type {string} */ type, /** @type {any} */ element, more = {}) => {
    if (element.closest('[data-audit=off]') || (wanted.includes && !wanted.includes(type))) return;
    /** @type {Record<string, any>} */
    const params = { name: nameOf(element), path: pathOf(element), ...more };
    for (const [key, value] of Object.entries(element.dataset)) {
      const [, first, rest] = /^audit([A-Z])(.*)/.exec(key) ?? [];
      if (first) params[first.toLowerCase() + rest] ??= value;
    }
    const [, kind, id] = /^(.+?):(.+)/.exec(element.closest('[data-audit-entity]')?.dataset.auditEntity) ?? [];
    logger.usage(`${type} ${params.name}`, params, type, kind ? { entities: [[kind, id]] } : {});
  };
  const on = (/** @type {string} */ type, /** @type {string} */ selector, /** @type {(element: any, event: any) => void} */ act) => {
    page?.addEventListener(type, (event) => {
      const element = event.composedPath().find((/** @type {any} */ each) => each.matches?.(selector));
      if (element) act(element, event);
    }, true);
  };

  const confirmed = new WeakSet();
  on('click', BUTTONS + ',[data-audit]', (element) => {
    const kind = element.dataset.audit;
    const dialog = element.closest(DIALOGS);
    if (kind === 'dialog' || kind === 'input') return;
    if (kind === 'menu' || (!kind && element.role?.startsWith('menuitem'))) {
      log(element.closest('[role=menubar]') ? 'main-menu-item-click' : 'menu click', element);
    } else if (dialog && (kind === 'ok' || (!kind && confirms(element)))) {
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
    const visible = [...(page?.querySelectorAll(DIALOGS) ?? [])].filter((each) => each.getClientRects().length);
    for (const each of visible) if (!shown.includes(each)) log('dialog show', each);
    for (const each of shown) if (!visible.includes(each) && !confirmed.delete(each)) log('dialog close', each);
    shown = visible;
  };
  new MutationObserver(() => (timer ||= /** @type {any} */ (setTimeout(look, 50)))).observe(/** @type {any} */ (page), {
    subtree: true, childList: true, attributeFilter: ['open', 'hidden', 'class', 'style'],
  });
  look();

  let from = '';
  const go = () => {
    if (from !== place()) log('navigate', page?.documentElement, { name: page?.title, from, to: (from = place()) });
  };
  for (const name of /** @type {const} */ (['pushState', 'replaceState'])) {
    const change = history[name];
    history[name] = (...given) => (change.apply(history, given), go());
  }
  addEventListener('popstate', go);
  addEventListener('hashchange', go);
  go();
}

/** Whether a button says yes to its dialog. */
function confirms(/** @type {any} */ button) {
  const { form, type, value, formNoValidate } = button;
  if (!form) return /^ok$/i.test(nameOf(button));
  return type === 'submit' && !/^(cancel|close)$/i.test(value) && (formNoValidate || form.matches(':valid'));
}

/** The stack trace in an Error or a text. @returns {string | undefined} */
const traceOf = (/** @type {any} */ given) => (given instanceof Error ? (given.stack ?? String(given)) : given && String(given));

/** The JSON text of the event that a message is. */
function eventText(/** @type {string} */ id, /** @type {Message} */ put) {
  const { level, time, message, auditType, stackTrace, params, entities, ...fields } = put;
  const object = params && typeof params === 'object' && !Array.isArray(params);
  const text = textOf({
    id,
    time: new Date(time || Date.now()),
    type: String(auditType || 'log').slice(0, 200),
    level,
    description: message,
    error_message: level === 'error' ? message : undefined,
    error_stack_trace: stackTrace,
    entities: entities?.map((each) => (Array.isArray(each) ? { type: each[0], id: String(each[1]), name: each[2] } : each)),
    ...fields,
  });
  return `${text.slice(0, -1)},"parameters":${textOf(object ? params : { value: params })}}`;
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
    if (!/^https?:/.test(url)) throw TypeError(`Logger: no server at ${url}; give { url } or set WHODID_SERVER.`);
    const sender = (this.#sender = Sender.all[url + key] ??= new Sender(url, key));
    sender.user ??= all.user;
    if (all.errors !== false && !sender.catches) this.#catch();
    if (page && all.ui && !sender.watches) watch(this, all.ui);
    sender.catches ||= all.errors !== false;
    sender.watches ||= all.ui;
  }

  /**
   * A logger for a package: its events say which, in the parameters `package` and `packageName`.
   * @param {string | { name: string, id?: string }} given
   */
  package(given) {
    const { name, id } = typeof given === 'string' ? { name: given } : given;
    const params = { ...this.params, package: id ?? name, packageName: name };
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
    this.log(message, params, type, fields);
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
      if (level === 'error' && params.stackTrace) {
        stackTrace ??= traceOf(params.stackTrace);
        delete params.stackTrace;
      }
      if (failure) params.error_type = failure.name;
      const causes = [];
      for (let cause = failure?.cause; cause && causes.length < CAUSES_MAX; cause = cause.cause) causes.push(traceOf(cause));
      if (causes[0]) params.causes = causes;
      const text = message instanceof Error ? message.message : typeof message === 'string' ? message : repr(message);
      /** @type {Message} */
      const put = { level, time: Date.now(), message: text, auditType, stackTrace, params, user: this.user, session, ...fields };
      try {
        this.#callback?.(put);
      } catch {
        stats.callbackFailures++;
      }
      const id = newId();
      this.#sender.add(id, eventText(id, put));
    } catch {
      stats.dropped++;
    }
  }

  /** Uncaught errors become events; they go on to wherever they go without a logger. */
  #catch() {
    node?.on('uncaughtExceptionMonitor', (/** @type {any} */ error, /** @type {string} */ uncaught) => this.error(error, { uncaught }));
    if (node) return;
    addEventListener('error', ({ error, message, filename, lineno }) => this.error(error ?? message, { uncaught: 'error', filename, lineno }));
    addEventListener('unhandledrejection', ({ reason }) => this.error(reason, { uncaught: 'unhandledrejection' }));
  }
}

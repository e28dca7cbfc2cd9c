/**
 * The whodid Logger for browsers and Node 20: tells a whodid server what people and programs do.
 *
 *     import { Logger } from 'https://audit.example/logger.js';
 *     const logger = new Logger((m) => m.params['persistent'] = 'value');
 *     logger.audit('Report opened', { report: 'R1' }, 'report-opened');
 *
 * A call makes an event with an id of its own (UUID v7) and returns at once; it never throws. The way of an event:
 * Logger → Sender.add → queue → batch → POST /v1/events; when that fails or the page goes, IndexedDB keeps it and
 * whichever page comes next sends it, in order and with the same id, which the server counts once.
 *
 * This file is the source of what is served and packed: those leave out its comments, nothing else.
 * @module
 */

/** @typedef {'audit' | 'usage' | 'error' | 'warning' | 'info' | 'debug'} Level */

/**
 * More of an event than its message and parameters; the names are those of the server's events.
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

/** @typedef {{ type: string, id: string, name?: string, role?: string }} Entity */

/**
 * What the callback sees and may change.
 * @typedef {Fields & {
 *   level: Level, time: number, message: string, auditType: string, stackTrace?: string,
 *   params: Record<string, any> }} Message
 */

/**
 * @typedef {object} Options
 * @property {string} [url] the server; by default where this file came from, in Node WHODID_SERVER
 * @property {string} [key] a key with the scope write, in Node WHODID_KEY; a page can be read, so bind it to a topic
 * @property {Record<string, any>} [params] parameters of every event
 * @property {string} [user] login of who uses the page
 * @property {string | null} [session] session of every event instead of the browser's; null for none
 * @property {boolean} [errors] log uncaught errors and unhandled rejections; true by default
 * @property {boolean | string[]} [ui] log what is clicked, opened, entered, gone to; or only these types
 */

/** @typedef {{ id: string, text: string, size: number, until?: number, tab?: string }} Item an event on its way */

const BATCH_EVENTS_MAX = 500;
const QUEUE_EVENTS_MAX = 10_000;
const QUEUE_BYTES_MAX = 8_000_000;
const SPOOL_EVENTS_MAX = 50_000;
// Browsers keep 64 KiB of requests alive for pages that are gone: one batch on its way and one at the end.
const ALIVE_BYTES_MAX = 62_000;
const BATCH_BYTES_MAX = ALIVE_BYTES_MAX / 2;
const REPR_CHARS_MAX = 1000;
const RETRY_MS_MAX = 60_000;

const world = /** @type {any} */ (globalThis);
const page = typeof document === 'object' ? document : undefined;
const node = page ? undefined : world.process;
const encoder = new TextEncoder();

/** A fresh UUID v7 (RFC 9562). */
function newId(time = Date.now()) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  new DataView(bytes.buffer).setUint32(0, time / 65536);
  new DataView(bytes.buffer).setUint16(4, time % 65536);
  bytes[6] = 0x70 | (bytes[6] & 15);
  bytes[8] = 0x80 | (bytes[8] & 63);
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

const tab = newId();

/** The browser's session: that of all its tabs, until nothing was done for `idleMs`. */
function sessionOf(/** @type {number} */ idleMs) {
  try {
    const [id, at] = (localStorage.getItem('whodid-session') ?? '').split(' ');
    const session = Date.now() - Number(at) < idleMs && id ? id : newId();
    localStorage.setItem('whodid-session', `${session} ${Date.now()}`);
    return session;
  } catch {
    return page && tab;
  }
}

/** What JSON has no form for. */
function replaced(/** @type {string} */ _name, /** @type {any} */ value) {
  if (value instanceof Error) return { error: String(value), stack: value.stack };
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Set) return [...value];
  if (/bigint|symbol|function/.test(typeof value) || (typeof value === 'number' && !isFinite(value)) || value?.nodeType) return { unserializable: repr(value) };
  return value;
}

/** @returns {string} how a value prints, cut */
function repr(/** @type {any} */ value) {
  try {
    return (value?.nodeType ? pathOf(value) : String(value)).slice(0, REPR_CHARS_MAX);
  } catch {
    return typeof value;
  }
}

/** The JSON text of parameters; one that cannot be written becomes how it prints, marked. */
function textOf(/** @type {Record<string, any>} */ params) {
  const members = [];
  for (const name of Object.keys(params)) {
    let text;
    try {
      text = JSON.stringify(params[name], replaced);
    } catch (error) {
      text = JSON.stringify({ unserializable: repr(params[name]), reason: repr(error) });
    }
    if (text !== undefined) members.push(JSON.stringify(name) + ':' + text);
  }
  return `{${members}}`;
}

/** @returns {any} the result of an IndexedDB request */
function result(/** @type {IDBRequest} */ request) {
  return new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}

/** Events that wait in IndexedDB, for all pages of the origin; their ids are in the order of time. */
class Spool {
  /** @type {IDBDatabase | undefined} */
  #database;

  /** @returns whether there is one */
  async open(/** @type {string} */ name) {
    try {
      const opening = indexedDB.open(name);
      opening.onupgradeneeded = () => opening.result.createObjectStore('events', { keyPath: 'id' });
      this.#database = await result(opening);
    } catch {}
    return !!this.#database;
  }

  /** Does `work` on the store in one transaction. Undefined without a store. */
  #on(/** @type {(store: IDBObjectStore) => any} */ work) {
    const store = this.#database?.transaction('events', 'readwrite').objectStore('events');
    if (!store) return;
    const done = work(store);
    store.transaction.commit?.();
    return done;
  }

  /** The number of events. */
  async count() {
    return (await this.#on((store) => result(store.count()))) ?? 0;
  }

  /** The oldest events. @returns {Promise<Item[]>} */
  async first() {
    return (await this.#on((store) => result(store.getAll(null, BATCH_EVENTS_MAX)))) ?? [];
  }

  /** Keeps events; `until` that time other pages leave them alone. Raises when there is no room. */
  put(/** @type {Item[]} */ items, until = 0) {
    return this.#on((store) => Promise.all(items.map((item) => result(store.put({ ...item, until, tab })))));
  }

  remove(/** @type {Item[]} */ items) {
    return this.#on((store) => Promise.all(items.map((item) => result(store.delete(item.id)))));
  }
}

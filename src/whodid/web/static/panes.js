// Activity and Usage of an entity or a user, as elements of any page:
//
//   <script type="module" src="https://whodid.example/panes.js"></script>
//   <whodid-activity entity="query:q-17" token-url="/whodid-token?entity=query:q-17"></whodid-activity>
//   <whodid-usage user="erika" since="30d"></whodid-usage>
//
// Attributes: entity or user; since (7d unless said: 24h, 30d, 2026-11-01), until; token, or token-url, an address of
// the page's own server that answers a fresh token; server, by default where this file came from; theme (light, dark).
// Instead of token-url an element takes a function: element.tokens = async () => token.

const HOME = new URL(import.meta.url).origin;
const DAY_MS = 86_400_000;
const PAGE_ROWS = 50;
const RENEW_MS = 30_000;
const RANGES = [['24h', '24 hours'], ['7d', '7 days'], ['30d', '30 days'], ['90d', '90 days']];

const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
:host { --w-text: #1c2024; --w-quiet: #5c6570; --w-line: #d8dce1; --w-raised: #fff; --w-accent: #2158c9; --w-bad: #b3261e;
  display: block; color: var(--w-text); background: var(--w-raised); border: 1px solid var(--w-line); border-radius: 6px;
  font: 400 13px/1.45 system-ui, sans-serif; container-type: inline-size; color-scheme: light; }
@media (prefers-color-scheme: dark) { :host(:not([theme=light])) { --w-text: #e6e8eb; --w-quiet: #a0a8b2; --w-line: #363c44;
  --w-raised: #1b1f24; --w-accent: #8ab4ff; --w-bad: #ff8f85; color-scheme: dark; } }
:host([theme=dark]) { --w-text: #e6e8eb; --w-quiet: #a0a8b2; --w-line: #363c44; --w-raised: #1b1f24; --w-accent: #8ab4ff;
  --w-bad: #ff8f85; color-scheme: dark; }
:host([hidden]) { display: none; }
.head { display: flex; align-items: center; gap: 8px; padding: 8px 12px; border-bottom: 1px solid var(--w-line); }
h2 { flex: 1; min-width: 0; margin: 0; font-size: 13px; font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
h3 { margin: 0; padding: 8px 12px 4px; font-size: 12px; font-weight: 600; color: var(--w-quiet); }
select, button { font: inherit; color: inherit; background: var(--w-raised); border: 1px solid var(--w-line); border-radius: 6px; padding: 2px 8px; }
button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--w-accent); outline-offset: 1px; }
.body { max-height: var(--whodid-height, 420px); overflow: auto; }
p { margin: 0; padding: 12px; color: var(--w-quiet); }
.bad { color: var(--w-bad); }
ol { margin: 0; padding: 0 0 8px; list-style: none; }
li { display: grid; grid-template-columns: 64px minmax(0, 1fr) auto; gap: 0 12px; padding: 3px 12px; }
li time, li .took { color: var(--w-quiet); font-variant-numeric: tabular-nums; }
li b { font-weight: 600; }
li span { overflow-wrap: anywhere; }
li .took { white-space: nowrap; }
li .why { grid-column: 2 / -1; }
.more { display: block; margin: 0 12px 12px; }
dl { display: flex; flex-wrap: wrap; gap: 4px 24px; margin: 0; padding: 12px; }
dt { color: var(--w-quiet); font-size: 12px; }
dd { margin: 0; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; }
.days { display: block; width: calc(100% - 24px); height: 72px; margin: 0 12px; overflow: visible; }
.days rect { fill: var(--w-accent); }
.axis { display: flex; justify-content: space-between; padding: 2px 12px 4px; color: var(--w-quiet); font-size: 12px; }
table { width: calc(100% - 24px); margin: 0 12px 12px; border-collapse: collapse; }
th, td { padding: 3px 0; border-bottom: 1px solid var(--w-line); text-align: left; font-weight: 400; overflow-wrap: anywhere; }
thead th { color: var(--w-quiet); font-size: 12px; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
details { padding: 0 12px 8px; } details table { width: 100%; margin: 4px 0 0; } summary { color: var(--w-quiet); cursor: pointer; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
`);

/** An element with text and children; never markup. */
function make(name, given = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (key === 'text') made.textContent = value;
    else if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

const count = (value) => (value ?? 0).toLocaleString();

function duration(ms) {
  if (ms === null || ms === undefined) return '';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A description with its @placeholders filled from the parameters. */
function told(event) {
  const parameters = event.parameters ?? {};
  return (event.description ?? '').replace(/@(\w+)/g, (all, name) => {
    const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    return value === undefined || value === null || typeof value === 'object' ? all : String(value);
  });
}

/** When a token ends (ms), as it says itself; 0 when it cannot be read. */
function endOf(token) {
  try {
    const claims = token.slice('whodid_pane_'.length).split('.')[0].replaceAll('-', '+').replaceAll('_', '/');
    return JSON.parse(atob(claims)).exp * 1000;
  } catch {
    return 0;
  }
}

class Pane extends HTMLElement {
  static observedAttributes = ['entity', 'user', 'since', 'until', 'token', 'server'];

  /** Answers a fresh token; set it instead of `token-url`. */
  tokens = null;
  #token = null;
  #turn = 0;
  #waiting = false;

  constructor() {
    super();
    this.attachShadow({ mode: 'open' }).adoptedStyleSheets = [STYLE];
  }

  connectedCallback() {
    this.#frame();
    this.reload();
  }

  attributeChangedCallback(name, before, after) {
    if (name === 'token') this.#token = after;
    if (this.isConnected && before !== after) this.reload();
  }

  /** Read again; changes in the same moment are read once. */
  reload() {
    if (this.#waiting) return;
    this.#waiting = true;
    queueMicrotask(() => {
      this.#waiting = false;
      if (this.isConnected) this.load();
    });
  }

  get what() {
    return this.getAttribute('entity') ?? this.getAttribute('user') ?? '';
  }

  get words() {
    const since = this.getAttribute('since') ?? '7d';
    const known = RANGES.find(([name]) => name === since);
    if (known && !this.hasAttribute('until')) return `the last ${known[1]}`;
    return this.hasAttribute('until') ? `${since} – ${this.getAttribute('until')}` : `since ${since}`;
  }

  /** Put what is shown in place of what was. */
  show(...children) {
    this.body.setAttribute('aria-busy', 'false');
    this.body.replaceChildren(...children);
    if (this.hasAttribute('framed')) tell({ whodid: 'height', height: this.offsetHeight });
  }

  async load() {
    const turn = (this.#turn += 1);
    this.heading.textContent = `${this.title_} · ${this.what}`;
    this.body.setAttribute('aria-busy', 'true');
    if (!this.body.hasChildNodes()) this.body.append(make('p', { text: 'Loading …' }));
    try {
      const found = await this.ask();
      if (turn === this.#turn) this.draw(found);
    } catch (error) {
      if (turn !== this.#turn) return;
      const again = make('button', { type: 'button', text: 'Try again' });
      again.addEventListener('click', () => this.load());
      this.show(make('p', { role: 'alert', class: 'bad', text: error.message }), make('p', {}, again));
    }
  }

  /** The pane's answer; a token that ended meanwhile is renewed once. */
  async ask(more = {}, again = true) {
    const [kind, ...rest] = (this.getAttribute('entity') ?? '').split(':');
    const names = this.hasAttribute('user') ? ['users', this.getAttribute('user')] : ['entities', kind, rest.join(':')];
    if (names.some((name) => !name)) throw new Error('Say what to show: entity="type:id" or user="login".');
    const url = new URL(`/v1/${names.map(encodeURIComponent).join('/')}/${this.part}`, this.getAttribute('server') ?? HOME);
    const given = { since: this.getAttribute('since') ?? '7d', until: this.getAttribute('until'), ...more };
    for (const [name, value] of Object.entries(given)) if (value !== null) url.searchParams.set(name, value);
    const token = await this.token();
    const answer = await fetch(url, {
      headers: token ? { authorization: `Bearer ${token}` } : {},
      credentials: token ? 'omit' : 'same-origin',
    }).catch(() => {
      throw new Error('The audit trail cannot be reached.');
    });
    if (answer.status === 401 && again && this.renews) {
      this.#token = null;
      return this.ask(more, false);
    }
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(body.error?.message ?? `The audit trail answered ${answer.status}.`);
    return body;
  }

  get renews() {
    return Boolean(this.tokens || this.hasAttribute('token-url') || this.hasAttribute('framed'));
  }

  /** A token that does not end in the next moment, if there is a way to get one. */
  async token() {
    const lasts = this.#token && endOf(this.#token) - Date.now() > RENEW_MS;
    if (lasts || (this.#token && !this.renews)) return this.#token;
    if (this.tokens) this.#token = await this.tokens();
    else if (this.hasAttribute('token-url')) this.#token = await fetched(this.getAttribute('token-url'));
    else if (this.hasAttribute('framed')) this.#token = await framedToken();
    return this.#token;
  }

  #frame() {
    if (this.body) return;
    this.heading = make('h2');
    const choice = make('select', { 'aria-label': 'Time range' });
    const since = this.getAttribute('since') ?? '7d';
    const listed = RANGES.some(([name]) => name === since) && !this.hasAttribute('until');
    if (!listed) choice.append(make('option', { value: '', text: 'As given' }));
    for (const [value, text] of RANGES) choice.append(make('option', { value, text }));
    choice.value = listed ? since : '';
    const given = [this.getAttribute('since'), this.getAttribute('until')];
    choice.addEventListener('change', () => {
      const [from, to] = choice.value ? [choice.value, null] : given;
      for (const [name, value] of [['since', from], ['until', to]]) {
        if (value === null) this.removeAttribute(name);
        else this.setAttribute(name, value);
      }
    });
    this.body = make('div', { class: 'body', 'aria-live': 'polite', tabindex: '0', role: 'region', 'aria-label': this.title_ });
    this.shadowRoot.append(make('div', { class: 'head' }, this.heading, choice), this.body);
  }
}

class Activity extends Pane {
  part = 'activity';
  title_ = 'Activity';

  ask(more = {}, again = true) {
    return super.ask({ limit: PAGE_ROWS, ...more }, again);
  }

  draw(found) {
    if (!found.events.length) {
      this.show(make('p', { text: `Nothing happened in ${this.words}.` }));
      return;
    }
    this.show();
    this.#add(found);
  }

  #add(found) {
    for (const event of found.events) {
      const at = new Date(event.time);
      const day = at.toLocaleDateString(undefined, { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
      if (this.body.lastElementChild?.dataset.day !== day) {
        this.body.append(make('h3', { text: day }), make('ol', { 'data-day': day }));
      }
      this.body.lastElementChild.append(this.#line(event, at));
    }
    if (found.next_cursor) this.body.append(this.#more(found.next_cursor));
    if (this.hasAttribute('framed')) tell({ whodid: 'height', height: this.offsetHeight });
  }

  #line(event, at) {
    const failed = event.level === 'error' || event.error_message;
    const thing = this.hasAttribute('user') ? (event.entity_name ?? event.entity_id ?? '') : '';
    const who = event.acting_for ?? event.user ?? 'unknown';
    const clock = at.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
    const what = make('span', { class: failed ? 'bad' : null }, make('b', { text: who }), ` ${event.type} ${thing}`);
    const line = make('li', {},
      make('time', { datetime: event.time, title: at.toLocaleString(), text: clock }), what,
      make('span', { class: 'took', text: duration(event.duration_ms) }));
    const more = event.error_message ?? told(event);
    if (more) line.append(make('span', { class: failed ? 'why bad' : 'why', text: more }));
    return line;
  }

  #more(cursor) {
    const button = make('button', { type: 'button', class: 'more', text: 'Earlier' });
    button.addEventListener('click', async () => {
      button.disabled = true;
      try {
        const found = await this.ask({ cursor });
        button.remove();
        this.#add(found);
      } catch (error) {
        button.disabled = false;
        button.textContent = `${error.message} Try again`;
      }
    });
    return button;
  }
}

class Usage extends Pane {
  part = 'usage';
  title_ = 'Usage';

  draw(found) {
    const numbers = found.numbers;
    if (!numbers.events) {
      this.show(make('p', { text: `Nobody used it in ${this.words}.` }));
      return;
    }
    const cards = [['people', numbers.people], ['events', numbers.events], ['runs', numbers.runs], ['errors', numbers.errors]];
    const list = make('dl');
    for (const [name, value] of cards) {
      list.append(make('div', {}, make('dt', { text: name }),
        make('dd', { class: name === 'errors' && value ? 'bad' : null, text: count(value) })));
    }
    if (numbers.duration_ms_median !== null) {
      list.append(make('div', {}, make('dt', { text: 'median run' }), make('dd', { text: duration(numbers.duration_ms_median) })));
    }
    this.show(list, ...this.#days(found), this.#people(found));
  }

  #days(found) {
    const known = new Map(found.by_day.map((row) => [row.day, row]));
    const first = Date.parse(found.since.slice(0, 10));
    const days = [];
    for (let at = first; at < Date.parse(found.until) && days.length < 400; at += DAY_MS) {
      days.push(new Date(at).toISOString().slice(0, 10));
    }
    const top = Math.max(1, ...found.by_day.map((row) => row.events));
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    const given = { class: 'days', viewBox: `0 0 ${days.length} 100`, preserveAspectRatio: 'none', role: 'img' };
    for (const [name, value] of Object.entries(given)) svg.setAttribute(name, value);
    svg.setAttribute('aria-label', `Events a day, at most ${count(top)}; the table below has them all.`);
    days.forEach((day, place) => {
      const height = (100 * (known.get(day)?.events ?? 0)) / top;
      const bar = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
      for (const [name, value] of Object.entries({ x: place + 0.1, y: 100 - height, width: 0.8, height })) {
        bar.setAttribute(name, value);
      }
      svg.append(bar);
    });
    const axis = make('div', { class: 'axis' }, make('span', { text: days[0] }),
      make('span', { text: `events a day (UTC), top ${count(top)}` }), make('span', { text: days.at(-1) }));
    const rows = found.by_day.map((row) => [row.day, count(row.events), count(row.people), count(row.errors)]);
    const table = tableOf(['Day (UTC)', 'Events', 'People', 'Errors'], rows);
    return [svg, axis, make('details', {}, make('summary', { text: 'As a table' }), table)];
  }

  #people(found) {
    const rows = found.top_users.slice(0, 10).map((row) => [row.user, count(row.events), count(row.errors)]);
    if (!rows.length) return '';
    const of = found.top_users[0].of;
    const title = of > rows.length ? `Who (${rows.length} of ${count(of)})` : 'Who';
    return tableOf([title, 'Events', 'Errors'], rows);
  }
}

function tableOf(titles, rows) {
  const cells = (name, row) => row.map((text, place) =>
    make(place ? name : 'th', { text, class: place ? 'number' : null, scope: name === 'th' ? 'col' : place ? null : 'row' }));
  const body = make('tbody', {}, ...rows.map((row) => make('tr', {}, ...cells('td', row))));
  return make('table', {}, make('thead', {}, make('tr', {}, ...cells('th', titles))), body);
}

/** A token from an address of the page's own server: as text, or as JSON with `token`. */
async function fetched(url) {
  const answer = await fetch(url, { credentials: 'same-origin', cache: 'no-store' }).catch(() => null);
  if (!answer?.ok) throw new Error('You may not see this here, or your sign-in has ended.');
  const text = (await answer.text()).trim();
  return text.startsWith('{') ? JSON.parse(text).token : text;
}

/** To the page that shows this one in a frame. It holds no secret, so that any may read it. */
function tell(message) {
  if (window.parent !== window) window.parent.postMessage(message, '*');
}

let first = true;

/** In a frame: the token of the address at first, later one that the page around sends when it is asked. */
function framedToken() {
  const given = first ? new URLSearchParams(location.hash.slice(1)).get('token') : null;
  first = false;
  if (given) return given;
  return new Promise((resolve, reject) => {
    const wait = setTimeout(() => reject(new Error('The application gave no fresh token.')), 10_000);
    window.addEventListener('message', function taken(event) {
      if (event.source !== window.parent || event.data?.whodid !== 'token') return;
      clearTimeout(wait);
      window.removeEventListener('message', taken);
      resolve(String(event.data.token));
    });
    tell({ whodid: 'token-wanted' });
  });
}

customElements.define('whodid-activity', Activity);
customElements.define('whodid-usage', Usage);
if (document.querySelector('[framed]')) document.body.style.margin = '0';

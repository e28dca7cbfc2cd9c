// @ts-check
/* The events page: rows that open in place, the next rows, help as one types, the live tail. */
(() => {
  "use strict";
  const { $, $$, element, told } = window.whodid;
  const rows = $("#rows");

  // Rows that open in place

  async function toggle(row, link) {
    const open = row.nextElementSibling;
    if (open?.matches("tr.opened")) {
      open.remove();
      row.classList.remove("is-open");
      link.setAttribute("aria-expanded", "false");
      return;
    }
    const cell = element("td", { colSpan: 6 }, element("p", { className: "quiet", textContent: "Reading …" }));
    row.after(element("tr", { className: "opened" }, cell));
    row.classList.add("is-open");
    link.setAttribute("aria-expanded", "true");
    try {
      const answer = await fetch(`/events/${row.dataset.event}/detail`, { credentials: "same-origin" });
      if (!answer.ok) throw await told(answer);
      cell.replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.childNodes);
    } catch (error) {
      cell.replaceChildren(element("p", { className: "bad", role: "alert", textContent: error.message }));
    }
  }

  async function more(link) {
    const answer = await fetch(link.href, { credentials: "same-origin" });
    if (!answer.ok) { link.textContent = `${(await told(answer)).message} Try again`; return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    $("tbody", rows).append(...$$("tbody tr", page));
    link.parentElement.replaceWith($(".cut", page) ?? "");
  }

  rows?.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const link = target.closest("a, button");
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    if (link?.matches("[data-more]")) {
      event.preventDefault();
      more(link);
      return;
    }
    const row = target.closest("tr[data-event]");
    if (!row || (link && !link.matches("[data-open]")) || String(getSelection())) return;
    event.preventDefault();
    toggle(row, $("[data-open]", row));
  });

  // Help as one types: the words that fit what stands before the cursor, then values of a field.

  const search = $("#search");
  const help = $("#search-help");
  const words = $$("[data-word]", help);
  let at = -1;
  let shown = words;
  let waiting = 0;

  function term() {
    const before = search.value.slice(0, search.selectionStart);
    return /\S*$/.exec(before)[0];
  }

  function offer(options) {
    help.replaceChildren(...options);
    shown = options;
    at = -1;
    search.removeAttribute("aria-activedescendant");
    help.hidden = !options.length;
    search.setAttribute("aria-expanded", String(!help.hidden));
  }

  function option(text, field, place) {
    const made = element("div", { role: "option", id: `value-${place}`, ariaSelected: "false" }, element("code", { textContent: text }));
    made.dataset.word = `${field}${/\s/.test(text) ? JSON.stringify(text) : text} `;
    return made;
  }

  function suggest() {
    clearTimeout(waiting);
    const typed = term();
    const field = /^-?([a-z_]+):"?(.*)$/.exec(typed);
    if (!field) {
      const start = typed.replace(/^-/, "").toLowerCase();
      offer(words.filter((word) => word.dataset.word.startsWith(start)));
      return;
    }
    waiting = setTimeout(async () => {
      const query = new URLSearchParams({ field: field[1], text: field[2] });
      const answer = await fetch(`/suggest?${query}`, { credentials: "same-origin" });
      if (!answer.ok || document.activeElement !== search) return;
      const { values } = await answer.json();
      const minus = typed.startsWith("-") ? "-" : "";
      offer(values.filter((value) => value !== field[2]).map((value, place) => option(value, `${minus}${field[1]}:`, place)));
    }, 100);
  }

  function choose(chosen) {
    const typed = term();
    const end = search.selectionStart;
    const minus = typed.startsWith("-") && !chosen.dataset.word.startsWith("-") ? "-" : "";
    search.setRangeText(minus + chosen.dataset.word, end - typed.length, end, "end");
    search.focus();
    suggest();
  }

  function move(step) {
    if (help.hidden) return suggest();
    at = (at + step + shown.length) % shown.length;
    shown.forEach((one, place) => one.setAttribute("aria-selected", String(place === at)));
    search.setAttribute("aria-activedescendant", shown[at].id);
    shown[at].scrollIntoView({ block: "nearest" });
  }

  search?.addEventListener("input", suggest);
  search?.addEventListener("focus", () => { if (!search.value) suggest(); });
  search?.addEventListener("blur", () => setTimeout(() => offer([]), 150));
  search?.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if ((event.key === "Enter" || event.key === "Tab") && !help.hidden && at >= 0) {
      event.preventDefault();
      choose(shown[at]);
    } else if (event.key === "Escape") {
      offer([]);
    }
  });
  help?.addEventListener("mousedown", (event) => {
    const chosen = /** @type {Element} */ (event.target).closest("[data-word]");
    event.preventDefault();
    if (chosen) choose(chosen);
  });
  if (new URLSearchParams(location.search).has("focus")) search?.focus();

  // The live tail

  const button = $("#live");
  const state = $("#live-state");
  const KEPT = 500;
  let stream = null;
  let came = 0;

  function cell(kind, ...children) {
    return element("td", { className: kind }, ...children);
  }

  function link(href, text) {
    return element("a", { href, textContent: text });
  }

  // The page of what these names say; browsers take . and .. for a way, so that such names stay text.
  function page(text, kind, ...names) {
    return names.some((name) => name === "." || name === "..") ? text : link(`/${[kind, ...names.map(encodeURIComponent)].join("/")}`, text);
  }

  function row(event) {
    const failed = event.level === "error" || event.error_message;
    const name = who(event);
    const time = link(`/events/${event.id}`, new Date(event.time).toLocaleTimeString());
    time.dataset.open = "";
    const kind = element("th", { scope: "row", className: "name" }, failed ? element("span", { className: "tag bad", textContent: event.type }) : event.type);
    const thing = event.entity_id ? page(event.entity_name || event.entity_id, "entities", event.entity_type, event.entity_id) : "";
    const made = element("tr", { className: "came" },
      cell("time", time), cell("name", name ? page(name, "users", name) : "–"), kind, cell("name", thing),
      cell("text", event.error_message || described(event) || event.function || event.status || ""),
      cell("number", event.duration_ms == null ? "" : event.duration_ms < 1000 ? `${Math.round(event.duration_ms)} ms` : `${(event.duration_ms / 1000).toFixed(1)} s`));
    made.dataset.event = event.id;
    return made;
  }

  // A description with its parameters in place of their names.
  function described(event) {
    const known = { user: who(event), ...event.parameters };
    return event.description?.replace(/@([A-Za-z_]\w*)/g, (all, name) => known[name] ?? all);
  }

  function who(event) {
    return event.acting_for || event.user;
  }

  function start() {
    stream = new EventSource(button.dataset.stream);
    state.textContent = "Connecting …";
    stream.addEventListener("open", () => { state.textContent = came ? soFar() : "Waiting for events …"; });
    stream.addEventListener("event", (message) => {
      const body = $("tbody", rows);
      if (!body) { location.reload(); return; }
      body.prepend(row(JSON.parse(message.data)));
      came += 1;
      state.textContent = soFar();
      while (body.rows.length > KEPT) body.lastElementChild.remove();
    });
    stream.addEventListener("skipped", () => { state.textContent = "More came than is shown."; });
    stream.addEventListener("error", () => { if (stream) state.textContent = "The connection is lost; trying again …"; });
    turn(true);
  }

  function soFar() {
    return `${came.toLocaleString("en")} came`;
  }

  function stop() {
    stream?.close();
    stream = null;
    if (came) state.textContent = `Paused after ${came.toLocaleString("en")}`;
    else state.textContent = "Paused";
    turn(false);
  }

  function turn(on) {
    button.setAttribute("aria-pressed", String(on));
    $("span", button).textContent = on ? "Pause" : "Live";
  }

  if (button) {
    button.hidden = false;
    button.addEventListener("click", () => (stream ? stop() : start()));
    addEventListener("pagehide", () => stream?.close());
  }
})();

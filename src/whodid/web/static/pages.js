// @ts-check
/* The pages' own script: fetches tiles, sorts tables in place, opens cards and help, keeps theme and time zone. */
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const YEAR_S = 31536000;

  function keep(name, value) {
    document.cookie = `${name}=${value}; Path=/; SameSite=Strict; Max-Age=${YEAR_S}`;
  }

  function element(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  // The time zone goes along as a cookie, so that the server counts days as the reader does; the first page comes twice.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  let leaving = false;
  if (zone && document.body.dataset.zone !== zone) {
    const isNew = !document.cookie.includes("whodid_zone=");
    keep("whodid_zone", zone);
    leaving = isNew && Boolean($(".lead")) && document.cookie.includes("whodid_zone=");
    if (leaving) location.reload();
  }

  // Tiles

  async function load(content) {
    const source = content.dataset.source;
    content.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(source, { headers: { accept: "text/html" }, credentials: "same-origin" });
      if (content.dataset.source !== source) return;
      if (!answer.ok) throw await told(answer);
      fill(content, await answer.text());
    } catch (error) {
      failed(content, error);
    }
    content.setAttribute("aria-busy", "false");
  }

  async function told(answer) {
    if (answer.status === 401) return { message: "You are signed out.", hint: "Load the page again to sign in." };
    try {
      return (await answer.json()).error;
    } catch {
      return { message: `The server answered ${answer.status}.`, hint: "" };
    }
  }

  function fill(content, html) {
    const parsed = new DOMParser().parseFromString(html, "text/html");
    content.replaceChildren(...parsed.body.childNodes);
    content.dispatchEvent(new CustomEvent("whodid:filled", { bubbles: true }));
  }

  function failed(content, error) {
    if (!content.matches(".content")) { content.textContent = ""; return; }
    const retry = element("button", { type: "button", className: "button", textContent: "Try again" });
    retry.addEventListener("click", () => load(content));
    const message = error instanceof TypeError ? "The server does not answer." : error.message;
    content.replaceChildren(
      element("div", { className: "failed", role: "alert" },
        element("p", {}, element("b", { textContent: message })),
        element("p", { className: "quiet", textContent: error.hint || "" }), retry),
    );
  }

  function again(content, changes) {
    const address = new URL(content.dataset.source, location.origin);
    for (const [name, value] of Object.entries(changes)) address.searchParams.set(name, value);
    content.dataset.source = address.pathname + address.search;
    return load(content);
  }

  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      near.unobserve(entry.target);
      load(entry.target);
    }
  }, { rootMargin: "600px" });
  if (!leaving) for (const content of $$("[data-source]")) near.observe(content);

  // The live tile looks again every few seconds, while it is seen and not paused.

  const LIVE_MS = 5000;
  setInterval(async () => {
    const list = $("[data-live]");
    const content = list?.closest(".content");
    const pause = content && $("[data-pause]", content);
    if (!list || document.hidden || pause.getAttribute("aria-pressed") === "true" || list.matches(":hover, :focus-within")) return;
    const answer = await fetch(content.dataset.source, { headers: { accept: "text/html" }, credentials: "same-origin" }).catch(() => null);
    if (!answer?.ok) { pause.textContent = "The server does not answer"; return; }
    const known = new Set($$("[data-event]", list).map((row) => row.dataset.event));
    const found = $("tbody", new DOMParser().parseFromString(await answer.text(), "text/html"));
    if (!found) return;
    for (const row of $$("[data-event]", found)) if (!known.has(row.dataset.event)) row.className = "came";
    $("tbody", list)?.replaceWith(found);
    pause.textContent = "Pause";
  }, LIVE_MS);
  document.addEventListener("whodid:filled", (event) => {
    const pause = $("[data-pause]", /** @type {Element} */ (event.target));
    if (!pause) return;
    pause.hidden = false;
    pause.addEventListener("click", () => {
      const paused = pause.getAttribute("aria-pressed") !== "true";
      pause.setAttribute("aria-pressed", String(paused));
      pause.textContent = paused ? "Go on" : "Pause";
    });
  });

  // Graphs begin where the thing they are about is seen, and what comes next.

  const BESIDE_PX = 260;
  document.addEventListener("whodid:filled", (event) => {
    for (const graph of $$(".graph", /** @type {Element} */ (event.target))) {
      const subject = $(".subject", graph)?.getBoundingClientRect(), box = graph.getBoundingClientRect();
      if (!subject) continue;
      const across = subject.right - box.left + BESIDE_PX - box.width, down = subject.top - box.top - box.height / 2;
      graph.scrollTo(Math.max(0, across), Math.max(0, down));
    }
  });

  // Lists that are here as a whole sort by their headings.

  function sortable(root) {
    for (const head of $$("table.listed thead th, table.sorts thead th", root)) {
      if (!head.textContent.trim() || $(".unseen, button", head)) continue;
      const button = element("button", { type: "button", className: "sort" }, ...head.childNodes);
      head.setAttribute("aria-sort", "none");
      head.append(button);
    }
  }
  sortable(document);
  document.addEventListener("whodid:filled", (event) => sortable(event.target));

  // What a cell is sorted by: times by their moment, numbers by what they are, all else by its text.
  function key(cell) {
    const text = cell.textContent.trim();
    if (cell.matches(".quiet") || text === "" || text === "–") return null;
    if (cell.matches(".time")) return cell.title || $("[title]", cell)?.title || text;
    if (!cell.matches(".number")) return text;
    const number = Number(text.replace(/,/g, ""));
    return Number.isNaN(number) ? parseFloat(text.replace(/,/g, "")) * (UNITS[text.replace(/^[\d.,]+ /, "").split(" ")[0]] ?? 1) : number;
  }
  const UNITS = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, ms: 1, s: 1e3, min: 6e4, h: 3.6e6, d: 8.64e7 };

  document.addEventListener("click", (event) => {
    const head = /** @type {Element} */ (event.target).closest("button.sort")?.closest("th");
    if (!head) return;
    const body = $("tbody", head.closest("table")), isNumber = head.matches(".number");
    const down = head.getAttribute("aria-sort") === "none" ? isNumber : head.getAttribute("aria-sort") === "ascending";
    for (const other of $$("[aria-sort]", head.parentElement)) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...body.rows].map((row) => ({ row, value: key(row.cells[head.cellIndex]) }));
    rows.sort((one, other) => {
      if (one.value === null || other.value === null) return (one.value === null) - (other.value === null);
      const found = typeof one.value === "number" ? one.value - other.value : one.value.localeCompare(other.value);
      return down ? -found : found;
    });
    body.append(...rows.map((one) => one.row));
  });

  // Clicks: sorting in place, showing all, copying a link, closing what is open

  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    for (const open of $$("details.pop[open]")) if (!open.contains(target)) open.open = false;
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    const link = target.closest("a");
    const content = target.closest(".content[data-source]");
    if (link?.matches("[data-sort]") && content) {
      event.preventDefault();
      again(content, { sort: new URL(link.href).searchParams.get("sort") });
    } else if (link?.matches("[data-all]") && content) {
      event.preventDefault();
      again(content, { all: "1" });
    } else if (link?.matches("[data-copy]") && navigator.clipboard) {
      event.preventDefault();
      navigator.clipboard.writeText(link.href).then(() => {
        link.textContent = "Copied";
        setTimeout(() => { link.textContent = "Link"; }, 1500);
      });
    }
  });

  for (const details of $$("details.pop")) {
    details.addEventListener("toggle", () => {
      if (details.open) $("input:not([type=hidden]), .choices a", details)?.focus();
    });
  }

  // Keys

  const GO = { o: "/", u: "/users", g: "/groups", f: "/functions", e: "/events", r: "/errors", s: "/security", c: "/compute" };
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const open of $$("details.pop[open]")) { open.open = false; $("summary", open).focus(); }
      hide();
      return;
    }
    const target = /** @type {Element} */ (event.target);
    if (event.metaKey || event.ctrlKey || event.altKey || target.matches("input, textarea, select")) return;
    if (event.key === "/") {
      event.preventDefault();
      const search = $("#search");
      if (search) search.focus(); else location.href = "/events?focus=1";
    } else if (event.key === "?") {
      $("#help").showModal();
    } else if (event.key === "t" && $('[data-pop="range"]')) {
      $('[data-pop="range"]').open = true;
    } else if (event.key === "g") {
      going = Date.now();
    } else if (Date.now() - going < 1000 && event.key in GO) {
      location.href = GO[event.key];
    }
  });

  for (const button of $$("[data-help]")) {
    button.hidden = false;
    button.addEventListener("click", () => $("#help").showModal());
  }

  // Light and dark

  for (const button of $$("[data-theme-switch]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const dark = getComputedStyle(document.documentElement).colorScheme.includes("dark");
      document.documentElement.dataset.theme = dark ? "light" : "dark";
      keep("whodid_theme", dark ? "light" : "dark");
    });
  }

  // Cards beside names, and the tooltips of charts

  const beside = element("div", { className: "beside", hidden: true, role: "tooltip" });
  document.body.append(beside);
  const cards = new Map();
  let waiting = 0;

  function show(children, x, y) {
    beside.replaceChildren(...children);
    beside.hidden = false;
    const box = beside.getBoundingClientRect();
    beside.style.left = `${Math.max(4, Math.min(x, innerWidth - box.width - 8))}px`;
    beside.style.top = `${y + box.height + 8 > innerHeight ? Math.max(4, y - box.height - 28) : y}px`;
  }

  function hide() {
    clearTimeout(waiting);
    beside.hidden = true;
  }

  async function card(link) {
    const address = new URL(link.href);
    const key = address.pathname;
    if (!cards.has(key)) {
      cards.set(key, fetch(`/card${key}`, { credentials: "same-origin" }).then((a) => (a.ok ? a.text() : "")));
    }
    const html = await cards.get(key);
    if (!html || !link.matches(":hover, :focus")) return;
    const box = link.getBoundingClientRect();
    show([...new DOMParser().parseFromString(html, "text/html").body.childNodes], box.left, box.bottom + 6);
  }

  for (const [on, off] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
    document.addEventListener(on, (event) => {
      const link = /** @type {Element} */ (event.target).closest?.("a[data-card]");
      if (!link) return;
      clearTimeout(waiting);
      waiting = setTimeout(() => card(link), 250);
    });
    document.addEventListener(off, (event) => {
      if (/** @type {Element} */ (event.target).closest?.("a[data-card]")) hide();
    });
  }

  // Suggestions in the filter bar

  for (const input of $$("input[data-suggest]")) {
    const list = element("datalist", { id: `suggest-${input.dataset.suggest}` });
    input.after(list);
    input.setAttribute("list", list.id);
    let asked = 0;
    const ask = () => {
      clearTimeout(asked);
      asked = setTimeout(async () => {
        const text = input.value.replace(/^!/, "");
        const query = new URLSearchParams({ field: input.dataset.suggest, text });
        const answer = await fetch(`/suggest?${query}`, { credentials: "same-origin" });
        if (!answer.ok) return;
        const not = input.value.startsWith("!") ? "!" : "";
        const { values } = await answer.json();
        list.replaceChildren(...values.map((value) => element("option", { value: not + value })));
      }, 120);
    };
    // What is pasted may have spaces around it; a name that has them is chosen from the list.
    input.addEventListener("change", () => {
      if (![...list.children].some((one) => one.value === input.value)) input.value = input.value.trim();
    });
    input.addEventListener("focus", ask, { once: true });
    input.addEventListener("input", ask);
  }

  window.whodid = { element, load, again, show, hide, told, $, $$ };
})();

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
    input.addEventListener("focus", ask, { once: true });
    input.addEventListener("input", ask);
  }

  window.whodid = { element, load, again, show, hide, told, $, $$ };
})();

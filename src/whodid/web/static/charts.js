// @ts-check
/* Charts: draws the Vega-Lite specifications of tiles, without eval, in the colours of the style sheet. */
(() => {
  "use strict";
  const { $$, element, show, hide } = window.whodid;
  const library = document.currentScript.dataset.vega;
  let loading = null;

  // The library comes when the first chart does.
  function loaded() {
    loading ??= new Promise((done, fail) => {
      const script = element("script", { src: library, onload: done, onerror: () => fail(new Error("The chart library does not come.")) });
      document.head.append(script);
    });
    return loading;
  }

  const CONFIG = {
    background: "transparent",
    font: "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', sans-serif",
    view: { stroke: "transparent" },
    axis: {
      domainColor: "var(--line)", tickColor: "var(--line)", gridColor: "var(--grid)", labelColor: "var(--quiet)",
      titleColor: "var(--quiet)", labelFontSize: 12, titleFontSize: 12, titleFontWeight: 400, labelPadding: 6, tickSize: 4,
    },
    axisY: { domain: false, ticks: false },
    legend: { labelColor: "var(--text)", labelFontSize: 12, symbolType: "circle", symbolSize: 60, offset: 4, padding: 0 },
    selection: { interval: { mark: { fill: "var(--accent)", fillOpacity: 0.12, stroke: "var(--accent)" } } },
  };

  const days = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  const hours = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

  function words(value, step) {
    const at = typeof value === "number" ? value : Date.parse(value);
    if (typeof value === "string" && !/^\d{4}-\d\d-\d\dT/.test(value)) return value;
    return step && !["hour", "moment"].includes(step) ? days.format(at) : hours.format(at);
  }

  async function draw(holder) {
    const spec = JSON.parse(holder.dataset.spec);
    try {
      await loaded();
      const result = await window.vegaEmbed(holder, spec, {
        ast: true, actions: false, renderer: "svg", defaultStyle: false, config: CONFIG,
        tooltip: (_handler, event, _item, value) => tip(event, value, spec),
      });
      // The holder says what it is; its marks one by one would only be noise to listen to.
      holder.querySelector("svg")?.setAttribute("aria-hidden", "true");
      watch(result.view, spec, holder);
    } catch (error) {
      // The table says the same.
      holder.hidden = true;
      holder.nextElementSibling?.classList.add("shown");
      console.warn(error);
    }
  }

  function tip(event, value, spec) {
    if (value == null || value === "") return hide();
    const rows = Object.entries(value).flatMap(([name, text], place) => [
      element("dt", { textContent: name }),
      element("dd", { textContent: place === 0 ? words(text, spec.usermeta?.step) : text }),
    ]);
    show([element("dl", {}, ...rows)], event.clientX + 12, event.clientY + 12);
  }

  // A range that is brushed becomes the page's time range; a mark that is clicked leads to its events.
  function watch(view, spec, holder) {
    view.addEventListener("click", (_event, item) => {
      if (item?.datum?.href) location.href = item.datum.href;
    });
    const step = spec.usermeta?.step;
    if (!step) return;
    // The library's weeks begin on Sundays: the Monday of a bar is the day after.
    const late = step === "week" && spec.mark.type === "bar" ? LENGTHS.day : 0;
    let range = null;
    view.addSignalListener("brush", (_name, value) => { range = times(value) ?? null; });
    let from = 0;
    holder.addEventListener("pointerdown", (event) => { from = event.clientX; });
    addEventListener("pointerup", (event) => {
      if (!holder.isConnected || !from) return;
      const moved = Math.abs(event.clientX - from);
      from = 0;
      if (moved <= 6 || !range) return;
      // A bar stands in the middle of its period's beginning.
      const [begin, end] = range.map((at) => +at + late + (spec.mark.type === "bar" ? LENGTHS[step] / 2 : 0));
      setTimeout(() => go(new URL(location.href), period(step, begin), period(step, end - 1, 1)), 0);
    });
    view.addEventListener("click", (_event, item) => {
      const at = times(item?.datum);
      if (at == null || item.datum.href) return;
      const begin = typeof at === "number" ? at : Date.parse(at);
      if (!Number.isFinite(begin)) return;
      const target = new URL(holder.dataset.drill ?? `/events${location.search}`, location.origin);
      if (item.datum.c === "errors") target.searchParams.set("kind", "error");
      if (spec.usermeta.by && item.datum.c && item.datum.c !== "others") target.searchParams.set(spec.usermeta.by, item.datum.c);
      go(target, period(step, begin + late), period(step, begin + late, 1));
    });
  }

  // The axis of time of a mark or a brush: of bars it is named by their period.
  function times(value) {
    return value?.x ?? Object.entries(value ?? {}).find(([name]) => /^utc.*_x$/.test(name))?.[1];
  }

  const LENGTHS = { moment: 60e3, hour: 3600e3, day: 86400e3, week: 7 * 86400e3, month: 30.4 * 86400e3 };
  // 1970 began on a Thursday.
  const MONDAY = 4 * LENGTHS.day;

  // When the period of a moment begins, or the one that comes `later`: as in pages/axes.py, weeks on Mondays, months on their first.
  function period(step, at, later = 0) {
    const day = new Date(at);
    if (step === "month") return Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + later);
    const [length, first] = [LENGTHS[step], step === "week" ? MONDAY : 0];
    return (Math.floor((at - first) / length) + later) * length + first;
  }

  // To an address with another time range.
  function go(target, begin, end) {
    for (const name of ["range", "full", "cursor"]) target.searchParams.delete(name);
    target.searchParams.set("since", plain(begin));
    target.searchParams.set("until", plain(end));
    location.href = target.href;
  }

  // Without zone: the reader's own time.
  function plain(at) {
    return new Date(at).toISOString().slice(0, 16);
  }

  function drawAll(root) {
    for (const holder of $$(".chart[data-spec]", root)) draw(holder);
  }
  document.addEventListener("whodid:filled", (event) => drawAll(event.target));
  drawAll(document);
})();

// @ts-check
/* The console: runs in place, can be stopped, sorts its answer, takes names of the schema into the statement. */
(() => {
  "use strict";
  const { $, element, load, told } = window.whodid;
  const form = $("#ask"), sql = $("#sql"), answer = $("#answer"), stop = $("#stop"), running = $("#running");
  const run = $("#run");
  let leaving = false;

  async function ask() {
    const name = crypto.randomUUID?.() ?? String(Math.random());
    $("input[name=run]", form).value = name;
    const begun = performance.now();
    const ticking = setInterval(() => { running.textContent = `running, ${((performance.now() - begun) / 1000).toFixed(0)} s`; }, 500);
    stop.hidden = false;
    run.disabled = true;
    let going = true;
    stop.onclick = async () => {
      running.textContent = "stopping";
      // It may not have begun yet: asked again until it has.
      while (going && await (await send("/console/stop", new URLSearchParams({ run: name }))).text() !== "stopped") {
        await new Promise((done) => setTimeout(done, 300));
      }
    };
    try {
      const got = await send("/console/answer", new URLSearchParams(new FormData(form)));
      if (!got.ok) throw await told(got);
      const parsed = new DOMParser().parseFromString(await got.text(), "text/html");
      answer.replaceChildren(...parsed.body.childNodes);
      answer.dispatchEvent(new CustomEvent("whodid:filled", { bubbles: true }));
      sql.setAttribute("aria-invalid", String(Boolean($(".b-text.bad", answer))));
    } catch (error) {
      const words = error instanceof TypeError ? "The server does not answer." : error.message;
      answer.replaceChildren(element("p", { className: "wrong", role: "alert", textContent: words }));
    }
    going = false;
    clearInterval(ticking);
    // What was asked stands in the audit a moment later.
    const past = $(".history-of");
    if (past) setTimeout(() => load(past), 2500);
    running.textContent = "";
    stop.hidden = true;
    run.disabled = false;
  }

  function send(path, body) {
    return fetch(path, { method: "POST", body, credentials: "same-origin", headers: { accept: "text/html" } });
  }

  form.addEventListener("submit", (event) => {
    if (event.submitter && event.submitter !== run) return;
    event.preventDefault();
    ask();
  });

  sql.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (!run.disabled) ask();
    } else if (event.key === "Escape") {
      leaving = true;
      return;
    } else if (event.key === "Tab" && !leaving && !event.shiftKey) {
      event.preventDefault();
      insert("  ");
    }
    leaving = false;
  });

  // Takes the place of what is chosen, in a way that can be undone.
  function insert(text) {
    sql.focus();
    if (!document.execCommand("insertText", false, text)) sql.setRangeText(text, sql.selectionStart, sql.selectionEnd, "end");
  }

  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const name = target.closest("[data-insert]");
    const whole = target.closest("a[data-sql]");
    if (name) {
      const before = sql.value.slice(0, sql.selectionStart);
      insert((before && !/[\s(,.]$/.test(before) ? " " : "") + name.dataset.insert);
    } else if (whole && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      sql.select();
      insert(whole.dataset.sql);
      scrollTo({ top: 0 });
    }
  });
})();

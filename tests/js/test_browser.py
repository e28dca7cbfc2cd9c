"""The JavaScript Logger in real Chromium, before a real server: nothing is lost when pages go and networks fail."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from support.gate import Gate
from support.javascript import Platform

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

LOG = """([name, count, size]) => {
    for (let i = 0; i < count; i++) logger.audit('x'.repeat(size), { test: name, i });
}"""


@pytest.fixture
def name() -> str:
    """What the events of a test are found by."""
    return uuid.uuid4().hex


def opened(context: BrowserContext, gate: Gate, path: str = "/app") -> Page:
    page = context.new_page()
    page.goto(gate.url + path)
    page.wait_for_function("window.logger")
    return page


def wait_until(page: Page, ready: Callable[[], object], timeout_s: float = 20.0) -> None:
    """Let the browser work until `ready`."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < deadline, "it did not come about"
        page.wait_for_timeout(20)


def spooled(page: Page, gate: Gate) -> int:
    """The number of events that wait in IndexedDB."""
    return int(
        page.evaluate(
            """async (name) => {
                const opening = indexedDB.open(name);
                const database = await new Promise((done) => (opening.onsuccess = () => done(opening.result)));
                const counting = database.transaction('events').objectStore('events').count();
                return new Promise((done) => (counting.onsuccess = () => (database.close(), done(counting.result))));
            }""",
            f"whodid {gate.url}/",
        )
    )


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [event["parameters"]["i"] for event in events if "i" in event["parameters"]]


def test_a_page_logs_and_its_events_have_a_session(
    context: BrowserContext, gate: Gate, platform: Platform, name: str
) -> None:
    for _ in range(2):
        page = opened(context, gate)
        page.evaluate(LOG, [name, 5, 10])
        assert page.evaluate("logger.flush()") is True
    rows = platform.stored(name, 10)
    assert len({row["session"] for row in rows}) == 1
    assert uuid.UUID(rows[0]["session"]).version == 7


def test_a_page_that_goes_away_in_mid_batch_loses_nothing(
    context: BrowserContext, gate: Gate, platform: Platform, name: str
) -> None:
    page = opened(context, gate)
    page.evaluate(f"(given) => {{ ({LOG})(given); location.href = '/other'; }}", [name, 60, 100])
    page.wait_for_url("**/other")
    assert numbers(platform.stored(name, 60)) == list(range(60))
    # No other page had to send them.
    assert page.evaluate("typeof logger") == "undefined"


def test_neither_does_one_that_is_closed(context: BrowserContext, gate: Gate, platform: Platform, name: str) -> None:
    page = opened(context, gate)
    page.evaluate(LOG, [name, 60, 100])
    page.close()
    assert numbers(platform.stored(name, 60)) == list(range(60))


def test_nor_one_that_is_closed_while_a_batch_is_on_its_way(
    context: BrowserContext, gate: Gate, platform: Platform, name: str
) -> None:
    page = opened(context, gate)
    gate.delay_s = 0.5
    page.evaluate(LOG, [name, 30, 400])
    page.evaluate("void logger.flush()")
    wait_until(page, lambda: "POST /v1/events" in gate.arrived)
    page.evaluate(LOG, [name, 20, 400])
    page.close()
    assert len(platform.stored(name, 50)) == 50


def test_a_page_that_is_hidden_sends_what_it_has_and_goes_on(
    context: BrowserContext, gate: Gate, platform: Platform, name: str
) -> None:
    page = opened(context, gate)
    page.evaluate(
        f"""(given) => {{
            ({LOG})(given);
            Object.defineProperty(document, 'hidden', {{ value: true }});
            document.dispatchEvent(new Event('visibilitychange'));
        }}""",
        [name, 30, 100],
    )
    wait_until(page, lambda: numbers(gate.events) == list(range(30)))
    wait_until(page, lambda: spooled(page, gate) == 0)
    page.evaluate("(name) => logger.info('later', { test: name, i: 30 })", name)
    assert numbers(platform.stored(name, 31)) == list(range(31))
    assert numbers(gate.events) == list(range(31))


def test_without_indexeddb_memory_keeps_what_waits(
    context: BrowserContext, gate: Gate, platform: Platform, name: str
) -> None:
    refuse = "Object.defineProperty(window, 'indexedDB', { get() { throw new DOMException('SecurityError'); } })"
    context.add_init_script(refuse)
    page = opened(context, gate)
    gate.away = True
    page.evaluate(LOG, [name, 30, 100])
    assert page.evaluate("logger.flush(500)") is False
    gate.away = False
    assert page.evaluate("logger.flush()") is True
    assert numbers(gate.events) == list(range(30))
    page.evaluate("(name) => logger.info('last', { test: name, i: 30 })", name)
    page.close()
    assert len(platform.stored(name, 31)) == 31


def test_a_spool_that_is_taken_away_costs_nothing(
    context: BrowserContext, gate: Gate, platform: Platform, name: str
) -> None:
    page = opened(context, gate)
    # As if the person cleared the site's data: from here on every transaction fails.
    page.evaluate("void (IDBDatabase.prototype.transaction = () => { throw new DOMException('InvalidStateError'); })")
    gate.away = True
    page.evaluate(LOG, [name, 30, 100])
    assert page.evaluate("logger.flush(500)") is False
    gate.away = False
    assert page.evaluate("logger.flush()") is True
    assert numbers(platform.stored(name, 30)) == list(range(30))


def test_a_worker_logs_too(context: BrowserContext, gate: Gate, platform: Platform, name: str) -> None:
    page = opened(context, gate)
    page.evaluate(
        """([name, key]) => new Promise((done) => {
            const text = `import { Logger } from '${location.origin}/logger.js';
                const logger = new Logger(null, { key: '${key}' });
                logger.info('from a worker', { test: '${name}' });
                postMessage(await logger.flush());`;
            const address = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
            const worker = new Worker(address, { type: 'module' });
            worker.onmessage = ({ data }) => done(data);
        })""",
        [name, platform.key],
    )
    assert platform.stored(name, 1)[0]["description"] == "from a worker"


def test_what_is_too_much_for_the_last_request_is_sent_by_the_next_page(
    context: BrowserContext, gate: Gate, platform: Platform, name: str
) -> None:
    page = opened(context, gate)
    # The logger's IndexedDB is open when one that is asked for later is.
    assert spooled(page, gate) == 0
    page.evaluate(f"(given) => {{ ({LOG})(given); location.href = '/other'; }}", [name, 300, 1000])
    page.wait_for_url("**/other")
    opened(context, gate)
    rows = platform.stored(name, 300)
    assert numbers(rows) == list(range(300))
    page.wait_for_timeout(300)
    assert len(platform.stored(name, 300)) == 300


def test_offline_and_back(context: BrowserContext, gate: Gate, platform: Platform, name: str) -> None:
    page = opened(context, gate)
    context.set_offline(True)
    page.evaluate(LOG, [name, 50, 100])
    wait_until(page, lambda: spooled(page, gate) == 50)
    page.evaluate("(name) => logger.info('later', { test: name, i: 50 })", name)
    context.set_offline(False)
    assert numbers(platform.stored(name, 51)) == list(range(51))
    assert numbers(gate.events) == list(range(51)), "in order, and once"
    wait_until(page, lambda: spooled(page, gate) == 0)
    assert page.evaluate("logger.stats.accepted") == 51


def test_what_was_logged_offline_is_sent_by_a_later_page(
    context: BrowserContext, gate: Gate, platform: Platform, name: str
) -> None:
    page = opened(context, gate)
    gate.away = True
    page.evaluate(LOG, [name, 50, 100])
    wait_until(page, lambda: spooled(page, gate) == 50)
    page.close()
    gate.away = False
    opened(context, gate)
    assert numbers(platform.stored(name, 50)) == list(range(50))


def test_two_tabs_send_no_event_twice(context: BrowserContext, gate: Gate, platform: Platform, name: str) -> None:
    tabs = [opened(context, gate), opened(context, gate)]
    gate.away = True
    for tab in tabs:
        tab.evaluate(LOG, [name, 200, 300])
    wait_until(tabs[0], lambda: spooled(tabs[0], gate) == 400)
    gate.away = False
    gate.delay_s = 0.05
    for tab in tabs:
        tab.evaluate("void logger.flush()")
    platform.stored(name, 400)
    ids = [event["id"] for event in gate.events]
    assert len(ids) == len(set(ids)) == 400
    assert ids == sorted(ids), "the oldest first, whichever tab it is of"
    wait_until(tabs[0], lambda: spooled(tabs[0], gate) == 0)
    assert sum(tab.evaluate("logger.stats.duplicates") for tab in tabs) == 0


@pytest.fixture
def elsewhere(context: BrowserContext, gate: Gate, platform: Platform) -> Page:
    """A page of another origin than the server's."""
    gate.pages["/elsewhere"] = f"""<!doctype html><title>App</title>
        <script type="module">
        import {{ Logger }} from '{platform.url}/logger.js';
        window.logger = new Logger((m) => m.params['persistent'] = 'value', {{ key: '{platform.key}' }});
        </script>"""
    return opened(context, gate, "/elsewhere")


def test_a_page_of_another_origin(elsewhere: Page, platform: Platform, name: str) -> None:
    elsewhere.evaluate(LOG, [name, 5, 10])
    assert elsewhere.evaluate("logger.flush()") is True
    rows = platform.stored(name, 5)
    assert {row["parameters"]["persistent"] for row in rows} == {"value"}


def test_a_page_of_another_origin_that_goes_away_at_once(elsewhere: Page, platform: Platform, name: str) -> None:
    """The browser has to ask first whether it may send a key there, when the page is gone already."""
    elsewhere.evaluate(f"(given) => {{ ({LOG})(given); location.href = '/other'; }}", [name, 10, 100])
    elsewhere.wait_for_url("**/other")
    assert len(platform.stored(name, 10)) == 10


def test_uncaught_errors_and_unhandled_rejections(
    context: BrowserContext, gate: Gate, platform: Platform, name: str
) -> None:
    page = opened(context, gate)
    page.evaluate("(name) => { logger.params.test = name; }", name)
    page.evaluate("setTimeout(function broken() { throw new RangeError('nobody caught this'); })")
    page.evaluate("void Promise.reject(new TypeError('nor this'))")
    page.evaluate("void Promise.reject('a text')")
    rows = {row["error_message"]: row for row in platform.stored(name, 3)}
    thrown = rows["nobody caught this"]
    assert (thrown["level"], thrown["type"]) == ("error", "error")
    assert thrown["error_stack_trace"].startswith("RangeError: nobody caught this\n    at broken")
    assert thrown["parameters"]["uncaught"] == "error"
    assert rows["nor this"]["parameters"]["error_type"] == "TypeError"
    assert rows["a text"]["parameters"]["uncaught"] == "unhandledrejection"


def test_the_policy_is_asked_for_and_followed(
    context: BrowserContext, gate: Gate, platform: Platform, name: str
) -> None:
    gate.pages["/v1/policy"] = '{"version": "1", "max_age_s": 1, "switched_off": ["click"], "only": null}'
    page = opened(context, gate)
    log = "(name) => { for (const type of ['click', 'navigate']) logger.usage('x', { test: name }, type); }"
    page.evaluate(log, name)
    assert page.evaluate("logger.flush()") is True
    assert [row["type"] for row in platform.stored(name, 1)] == ["navigate"]
    gate.pages["/v1/policy"] = '{"version": "2", "max_age_s": 1, "switched_off": [], "only": null}'
    changed_at = time.monotonic()
    while "click" not in {event["type"] for event in gate.events}:
        page.evaluate(log, name)
        page.evaluate("logger.flush()")
        assert time.monotonic() - changed_at < 5

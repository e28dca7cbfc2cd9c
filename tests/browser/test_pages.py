"""Every page in a real browser: it complains of nothing, keeps still, is readable in light, dark and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browser.conftest import Watched
from whodid.demo.story import COSTLY_NOTEBOOK, FADING_USER, MOVED_DATASET, PROBED_ACCOUNT, UNUSED_MENU_ITEM

if TYPE_CHECKING:
    from playwright.sync_api import Page

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1400, "height": 900}
SHIFT_MAX = 0.05
PAGES = {
    "overview": "/",
    "users": "/users",
    "groups": "/groups",
    "functions": "/functions",
    "interface": "/interface",
    "entities": "/entities",
    "errors": "/errors",
    "security": "/security",
    "api-nodes": "/api-nodes",
    "compute": "/compute",
    "events": "/events",
    "user": f"/users/{FADING_USER.login}?range=90d",
    "group": "/groups/Chemistry",
    "entity": f"/entities/dataset/{MOVED_DATASET.id}?range=90d",
    "function": "/functions/Chem:Descriptors?range=90d",
    "event-search": "/events?range=90d&level=error&type=!login-*",
    "table": "/tiles/users/people/table",
    "nothing-here": "/users?since=2001-01-01&until=2001-01-02",
    "no-such-page": "/no-such-page",
}
# Notes how far things jump while a page loads, as browsers measure it.
_WATCH_SHIFTS = """() => {
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifted += one.value;
  }).observe({ type: 'layout-shift', buffered: true });
}"""


def accessible(page: Page) -> None:
    """No violation that axe-core knows of."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    told = [(one["id"], one["help"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found]
    assert not told


def fits(page: Page) -> None:
    """Nothing but tables is wider than the window."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), "the page scrolls sideways"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound_in_light_and_dark_on_desk_and_phone(
    visit: Callable[..., Watched], pictures: Path, name: str
) -> None:
    watched = visit(color_scheme="light")
    page = watched.open(PAGES[name])
    page.evaluate(_WATCH_SHIFTS)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for size, box in (("desktop", DESKTOP), ("phone", PHONE)):
            page.set_viewport_size(box)  # type: ignore[arg-type]
            watched.settle()
            fits(page)
            page.screenshot(path=pictures / f"{name}-{scheme}-{size}.png", full_page=True)
            accessible(page)
    assert not page.locator(".failed").all_inner_texts()
    if name != "no-such-page":
        assert not watched.complaints


@pytest.mark.parametrize("name", ["overview", "security", "entity"])
def test_nothing_jumps_while_tiles_come(visit: Callable[..., Watched], name: str) -> None:
    watched = visit()
    watched.page.add_init_script(f"({_WATCH_SHIFTS})()")
    page = watched.open(PAGES[name])
    assert page.evaluate("window.shifted") <= SHIFT_MAX


def shown(watched: Watched, path: str, tile: str) -> str:
    """What a tile says."""
    return watched.open(path).locator(f"#tile-{tile}").inner_text()


def test_the_story_is_told_by_the_pages(visit: Callable[..., Watched]) -> None:
    watched = visit()
    assert UNUSED_MENU_ITEM in shown(watched, "/interface?range=90d", "unused")
    assert PROBED_ACCOUNT.login in shown(watched, "/security", "probed")
    assert FADING_USER.login in shown(watched, "/users", "fading")
    watched.open("/compute")
    first = watched.page.locator("#tile-things tbody tr").first.inner_text()
    assert COSTLY_NOTEBOOK.name in first and COSTLY_NOTEBOOK.by in first
    moved = shown(watched, f"/entities/dataset/{MOVED_DATASET.id}?range=90d", "changes")
    assert MOVED_DATASET.by in moved
    assert MOVED_DATASET.connection_before in moved and MOVED_DATASET.connection_after in moved
    assert "2.4.0" in shown(watched, "/errors?range=30d", "groups")
    assert "drifted" in shown(watched, "/api-nodes", "drift")


def test_without_scripts_pages_are_whole_as_tables(visit: Callable[..., Watched]) -> None:
    watched = visit(java_script_enabled=False)
    watched.page.goto(f"{watched.url}/")
    watched.page.wait_for_url("**/?full=1")
    assert watched.page.locator("table").count() >= 6
    watched.page.goto(f"{watched.url}/events")
    watched.page.wait_for_url("**/events?full=1")
    assert watched.page.locator("tr[data-event]").count() == 100

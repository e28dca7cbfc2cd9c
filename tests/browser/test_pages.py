"""Every page in a real browser: it complains of nothing, keeps still, is readable in light, dark and on a phone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from browser.conftest import Watched
from support.looking import DESKTOP, LAPTOP, PHONE, accessible, fits, unclipped
from support.posting import wait_until_stored
from support.serving import ServerProcess
from whodid.demo.story import (
    COSTLY_NOTEBOOK,
    DRIFT,
    FADING_USER,
    FORGOTTEN_NOTEBOOK,
    MASS_EXPORT,
    MOVED_DATASET,
    PROBED_ACCOUNT,
    RELEASE,
    UNUSED_MENU_ITEM,
)

SHIFT_MAX = 0.05
PAPER = {"width": 720, "height": 1000}
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
    "hour": "/hours/Tuesday/9?range=90d",
    "entity": f"/entities/dataset/{MOVED_DATASET.id}?range=90d",
    "function": "/functions/Chem:Descriptors?range=90d",
    "api-service": f"/api-nodes/{DRIFT.service}",
    "nodes": "/nodes",
    "node": "/nodes/dss-design",
    "event-search": "/events?range=90d&level=error&type=!login-*",
    "table": "/tiles/users/people/table",
    "nothing-here": "/users?since=2001-01-01&until=2001-01-02",
    "no-such-page": "/no-such-page",
}
# Notes how far things jump while a page loads, as browsers measure it, and which tiles do.
_WATCH_SHIFTS = """() => {
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) if (!one.hadRecentInput) {
      const jumped = one.sources.map((source) => source.node?.closest?.('[id]')?.id ?? source.node?.nodeName);
      window.shifts.push([one.value, one.startTime, ...jumped]);
    }
  }).observe({ type: 'layout-shift', buffered: true });
}"""

# Tiles at whose middle there is room beside them. The gap above a tile belongs to it.
_HOLES = """() => {
  const boxes = [...document.querySelectorAll('.tile')].map((one) => [one.id, one.getBoundingClientRect()]);
  const wide = document.querySelector('.tiles').getBoundingClientRect().width;
  return boxes.filter(([, box]) => {
    const middle = (box.top + box.bottom) / 2;
    const beside = boxes.filter(([, other]) => other.top - 12 < middle && middle <= other.bottom);
    return beside.reduce((sum, [, other]) => sum + other.width + 12, -12) < wide - 1;
  }).map(([id]) => id);
}"""

# How wide the narrowest of the places is where long words are broken.
_NARROWEST = """() => Math.min(innerWidth, ...[...document.querySelectorAll('.history .what, .terms dd, .tile p')]
  .filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect().width))"""


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound_in_light_and_dark_on_desk_and_phone(
    visit: Callable[..., Watched], pictures: Path, name: str
) -> None:
    watched = visit(color_scheme="light")
    page = watched.open(PAGES[name])
    page.set_viewport_size(LAPTOP)  # type: ignore[arg-type]
    watched.settle()
    unclipped(page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for size, box in (("desktop", DESKTOP), ("phone", PHONE)):
            page.set_viewport_size(box)  # type: ignore[arg-type]
            watched.settle()
            fits(page)
            if size == "desktop":
                unclipped(page)
            page.screenshot(path=pictures / f"{name}-{scheme}-{size}.png", full_page=True)
            accessible(page)
    assert not page.locator(".failed").all_inner_texts()
    if name != "no-such-page":
        assert not watched.complaints


def test_on_a_phone_a_timeline_has_room_for_words(visit: Callable[..., Watched], story: ServerProcess) -> None:
    _, found = story.request("GET", "/v1/events?type=query-start&limit=1&format=json")
    page = visit(viewport=PHONE).open(f"/requests/{found['events'][0]['request_id']}")
    heads = [one.bounding_box() for one in page.locator(".timeline th").all() if one.is_visible()]
    client, server = heads[1], heads[2]
    assert client and server and min(client["width"], server["width"]) > 120
    fits(page)


def test_on_a_phone_all_sections_of_the_settings_are_seen(visit: Callable[..., Watched]) -> None:
    page = visit(viewport=PHONE).open("/settings/status")
    for link in page.locator(".sections a").all():
        box = link.bounding_box()
        assert box and box["x"] + box["width"] <= PHONE["width"], link.inner_text()


@pytest.mark.parametrize("name", ["overview", "users", "functions", "security", "compute", "user", "group", "entity"])
@pytest.mark.parametrize("width", [1024, 1440])
def test_tiles_leave_no_holes_beside_them(visit: Callable[..., Watched], name: str, width: int) -> None:
    page = visit(viewport={"width": width, "height": 900}).open(PAGES[name])
    assert page.evaluate(_HOLES) == []


def test_all_groups_of_somebody_are_seen(visit: Callable[..., Watched]) -> None:
    page = visit(viewport={"width": 1024, "height": 900}).open(PAGES["user"])
    groups = page.locator("#tile-who dd:has(a)")
    assert groups.locator("a").count() > 2, "more than fit on two lines"
    assert groups.evaluate("one => one.scrollHeight <= one.clientHeight")


def test_an_empty_picture_of_origin_leaves_no_hole(visit: Callable[..., Watched]) -> None:
    page = visit().open("/entities/project/SALES?range=90d")
    assert "No run is known" in page.inner_text("#tile-origin")
    box = page.locator("#tile-origin").bounding_box()
    assert box and box["height"] < 200


def test_a_printed_page_has_its_tiles_one_under_the_other(visit: Callable[..., Watched]) -> None:
    page = (watched := visit()).open(PAGES["entity"])
    page.emulate_media(media="print")
    page.set_viewport_size(PAPER)  # type: ignore[arg-type]
    watched.settle()
    fits(page)
    wide = [box["width"] for one in page.locator(".tile").all() if (box := one.bounding_box())]
    assert len(set(wide)) == 1, "one under the other"
    chart = page.locator("#tile-days").bounding_box()
    assert chart and chart["height"] < PAPER["height"] / 3


def test_a_page_in_the_dark_is_printed_dark_on_light(visit: Callable[..., Watched]) -> None:
    page = visit(color_scheme="dark").open("/groups")
    for theme in ("", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(26, 31, 40)"


def test_long_texts_of_tables_give_way(visit: Callable[..., Watched], story: ServerProcess) -> None:
    story.request("POST", "/v1/events", [{"type": "x", "time": "a long text of what was meant, which is no time"}])
    story.request("POST", "/v1/groups", {"name": "People of a group with a long name, which is the thing that changed"})
    wait_until_stored(story)
    watched = visit(viewport=LAPTOP)
    for path, tile in (("/security", "changes"), ("/nodes", "rejects")):
        # An answer that another test was given is remembered for some seconds.
        deadline = time.monotonic() + 30
        while "long" not in (page := watched.open(path)).locator(f"#tile-{tile}").inner_text():
            assert time.monotonic() < deadline
        unclipped(page)
    assert page.locator("#tile-rejects td[title*='cannot be read']").count(), "the pointer shows it whole"


def test_no_page_of_a_thing_with_a_long_name_scrolls_sideways(
    visit: Callable[..., Watched], story: ServerProcess
) -> None:
    user, thing, node = ("user" * 50, "thing" * 40, "node" * 50)
    failed = {
        "type": "query-error", "level": "error", "user": user, "node": node, "status": "status" * 20, "duration_ms": 99,
        "entities": [{"type": "query", "id": thing, "name": thing}], "parameters": {"parameter" * 20: "value" * 50},
        "error_message": f"No answer from https://host.example/{'path' * 50}",
    }  # fmt: skip
    story.request("POST", "/v1/events", [failed])
    wait_until_stored(story)
    (event,) = story.request("GET", f"/v1/events?user={user}")[1]["events"]
    paths = [f"/users/{user}", f"/entities/query/{thing}", f"/nodes/{node}", f"/events?user={user}"]
    paths += [f"/events/{event['id']}", f"/errors/{event['error_hash']}"]
    watched = visit()
    for path in paths:
        page = watched.open(path)
        for box in (DESKTOP, PHONE):
            page.set_viewport_size(box)  # type: ignore[arg-type]
            fits(page)
            narrow = page.evaluate(_NARROWEST)
            assert narrow > 60, f"{path}: words are not one letter a line"


@pytest.mark.parametrize("name", ["overview", "security", "entity"])
def test_nothing_jumps_while_tiles_come(visit: Callable[..., Watched], name: str) -> None:
    watched = visit()
    watched.page.add_init_script(f"({_WATCH_SHIFTS})()")
    page = watched.open(PAGES[name])
    shifts = page.evaluate("window.shifts")
    assert sum(far for far, *_ in shifts) <= SHIFT_MAX, shifts


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
    idle = watched.page.locator("#tile-idle tbody").inner_text()
    assert FORGOTTEN_NOTEBOOK.name in idle and FORGOTTEN_NOTEBOOK.by in idle
    moved = shown(watched, f"/entities/dataset/{MOVED_DATASET.id}?range=90d", "changes")
    assert MOVED_DATASET.by in moved
    assert MOVED_DATASET.connection_before in moved and MOVED_DATASET.connection_after in moved
    assert RELEASE.version in shown(watched, "/errors?range=30d", "groups")
    assert MASS_EXPORT.login in shown(watched, "/security", "mass")
    assert "drifted" in shown(watched, f"/api-nodes/{DRIFT.service}", "drift")
    assert DRIFT.feature in watched.page.locator("#tile-distributions").inner_text()
    right = watched.open("/api-nodes?range=90d").locator("#tile-quality tbody tr").all_inner_texts()
    assert len(right) == 2, "each version is judged by what really happened"


def test_the_two_ways_of_working_are_told_apart_by_what_people_do(visit: Callable[..., Watched]) -> None:
    watched = visit()
    watched.open("/users?range=90d")
    ways = watched.page.locator("#tile-ways tbody th").all_inner_texts()
    # The story has two, of which a small one may be told in parts.
    writing, looking = (next(way for way in ways if one in way) for one in ("notebook-start", "dashboard"))
    assert writing != looking


def test_the_error_after_the_release_is_new_and_says_its_version(visit: Callable[..., Watched]) -> None:
    watched = visit()
    row = watched.open("/errors?range=30d").locator("#tile-groups tbody tr", has_text=RELEASE.version)
    assert "new" in row.inner_text()
    row.locator("th a").click()
    watched.page.wait_for_selector("text=Why these are one group")
    assert RELEASE.version in watched.page.inner_text(".facts")
    assert RELEASE.viewer in watched.page.inner_text("main"), "what was done right before"


def test_without_scripts_pages_are_whole_as_tables(visit: Callable[..., Watched]) -> None:
    watched = visit(java_script_enabled=False)
    watched.page.goto(f"{watched.url}/")
    watched.page.wait_for_url("**/?full=1")
    assert watched.page.locator("#tile-days table").is_visible(), "a chart is its table"
    assert watched.page.locator(".tile table:visible").count() >= 8
    watched.page.goto(f"{watched.url}/events")
    watched.page.wait_for_url("**/events?full=1")
    assert watched.page.locator("tr[data-event]").count() == 100

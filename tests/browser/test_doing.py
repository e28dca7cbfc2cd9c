"""What people do on the pages: narrow, sort, drill, brush, search, follow; with a mouse and with keys."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from browser.conftest import Watched
from support.posting import wait_until_stored
from support.serving import ServerProcess
from whodid.demo.story import FADING_USER, MOVED_DATASET
from whodid.web.pages.event_shape import events_over_time

if TYPE_CHECKING:
    from playwright.sync_api import Page


def asked(watched: Watched) -> dict[str, list[str]]:
    """What the address states."""
    return parse_qs(urlsplit(watched.page.url).query)


def test_a_filter_is_added_turned_round_and_taken_off(visit: Callable[..., Watched]) -> None:
    watched = visit()
    page = watched.open("/?range=90d")
    page.click('[data-pop="filter"] > summary')
    page.fill('input[name="group"]', "Chemistry")
    page.press('input[name="group"]', "Enter")
    watched.settle()
    assert asked(watched) == {"range": ["90d"], "group": ["Chemistry"]}
    assert "Where group is Chemistry" in page.inner_text(".lead")
    page.click(".chip .turn")
    assert asked(watched)["group"] == ["!Chemistry"]
    page.click(".chip .off")
    assert asked(watched) == {"range": ["90d"]}


def test_spaces_around_a_name_go_unless_somebody_is_called_so(
    visit: Callable[..., Watched], story: ServerProcess
) -> None:
    story.request("POST", "/v1/events", [{"type": "x", "user": "spaced "}])
    wait_until_stored(story)
    watched = visit()
    page = watched.open("/")
    page.click('[data-pop="filter"] > summary')
    page.fill('input[data-suggest="user"]', " erika.brandt ")
    page.press('input[data-suggest="user"]', "Enter")
    watched.settle()
    assert asked(watched) == {"user": ["erika.brandt"]}
    page.click('[data-pop="filter"] > summary')
    page.fill('input[data-suggest="user"]', "spaced ")
    page.wait_for_selector('#suggest-user option[value="spaced "]', state="attached")
    page.press('input[data-suggest="user"]', "Enter")
    watched.settle()
    assert asked(watched) == {"user": ["erika.brandt", "spaced "]}
    assert page.locator(".chip b").all_inner_texts() == ["erika.brandt", "spaced␣"]


def test_the_range_is_chosen_by_its_words(visit: Callable[..., Watched]) -> None:
    watched = visit()
    page = watched.open("/users")
    page.keyboard.press("t")
    page.click("text=Last 7 days")
    assert asked(watched) == {"range": ["7d"]}


def test_a_table_sorts_in_place_and_shows_all(visit: Callable[..., Watched]) -> None:
    watched = visit()
    page = watched.open("/?range=90d")
    tile = page.locator("#tile-people")
    tile.locator("thead a", has_text="person").click()
    page.wait_for_selector('#tile-people th[aria-sort="ascending"]')
    names = tile.locator("tbody th").all_inner_texts()
    assert names == sorted(names) and len(names) == 10
    tile.locator("[data-all]").click()
    page.wait_for_function("() => document.querySelectorAll('#tile-people tbody tr').length > 10")
    assert urlsplit(page.url).path == "/"


def test_a_name_leads_to_its_page_and_shows_a_card(visit: Callable[..., Watched]) -> None:
    watched = visit()
    page = watched.open("/?range=90d")
    link = page.locator("#tile-people tbody th a").first
    name = link.inner_text()
    link.hover()
    page.wait_for_selector(".beside:not([hidden])")
    assert name in page.inner_text(".beside") and "last seen" in page.inner_text(".beside")
    link.click()
    page.wait_for_url(f"**/users/{name}*")
    assert page.inner_text("h1") == name


def brush(page: Page, chart: str, begin: float = 0.4, end: float = 0.6) -> None:
    """Drag over a chart, from one part of its width to another."""
    box = page.locator(chart).bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * begin, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, middle, steps=8)
    with page.expect_navigation():
        page.mouse.up()


@pytest.mark.parametrize("path", ["/", "/errors"], ids=["lines", "bars"])
def test_brushing_a_chart_chooses_the_time(visit: Callable[..., Watched], path: str) -> None:
    watched = visit()
    page = watched.open(f"{path}?range=30d")
    brush(page, "#tile-days .chart")
    assert urlsplit(page.url).path == path
    given = asked(watched)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT00:00", given["since"][0]) and given["since"] < given["until"]


@pytest.mark.parametrize(("path", "kind"), [("/errors", "error"), ("/functions", "run"), ("/entities", "use")])
def test_a_mark_leads_to_its_events(visit: Callable[..., Watched], path: str, kind: str) -> None:
    watched = visit()
    page = watched.open(f"{path}?range=90d")
    bar = page.locator("#tile-days .mark-rect.marks path:not([aria-label*='y: 0;'])").first
    told = bar.get_attribute("aria-label") or ""
    counted = re.search(r"\by: ([\d,]+)", told)
    assert counted, told
    with page.expect_navigation():
        bar.click(force=True)
    assert urlsplit(page.url).path == "/events" and asked(watched)["kind"] == [kind]
    watched.settle()
    assert page.inner_text(".shape-words b") == counted[1]


def test_a_split_asks_for_a_text_where_it_needs_one(visit: Callable[..., Watched]) -> None:
    watched = visit(viewport={"width": 1024, "height": 900})
    page = watched.open("/errors?range=90d")
    page.locator("#tile-groups tbody th a").first.click(position={"x": 4, "y": 4})
    watched.settle()
    assert page.locator(".if-contains").is_hidden()
    page.select_option('select[name="by"]', "contains")
    assert page.locator(".if-contains").is_visible()
    tile, row = page.locator(".tile:has(.deciding)").bounding_box(), page.locator(".tiles").bounding_box()
    assert tile and row and tile["width"] == row["width"], "nothing is beside it"


def test_bars_of_months_are_calendar_months(visit: Callable[..., Watched], story: ServerProcess) -> None:
    months = [f"2025-{month:02}" for month in range(1, 13)] + ["2026-01", "2026-02", "2026-03"]
    story.request(
        "POST", "/v1/events", [{"type": "x", "user": "mona", "time": f"{one}-10T12:00:00Z"} for one in months]
    )
    wait_until_stored(story)
    watched = visit()
    page = watched.open("/events?range=all&user=mona")
    with page.expect_navigation():
        page.locator(".shape .mark-rect.marks path").nth(1).click(force=True)
    assert asked(watched) == {"user": ["mona"], "since": ["2025-02-01T00:00"], "until": ["2025-03-01T00:00"]}
    page = watched.open("/events?range=all&user=mona")
    brush(page, ".shape .chart")
    assert all(asked(watched)[name][0].endswith("-01T00:00") for name in ("since", "until"))


def test_bars_of_weeks_begin_on_mondays(visit: Callable[..., Watched]) -> None:
    mondays = [{"at": datetime(2026, 11, day), "events": 5, "errors": 0} for day in (2, 9, 16, 23)]
    spec = json.dumps(events_over_time(mondays, "week", None))
    watched = visit()
    drawn = f'<div class="chart" data-spec="{escape(spec)}"></div>'
    watched.page.route("**/events/shape*", lambda route: route.fulfill(content_type="text/html", body=drawn))
    page = watched.open("/events")
    with page.expect_navigation():
        page.locator(".shape .mark-rect.marks path").nth(1).click(force=True)
    assert asked(watched) == {"since": ["2026-11-09T00:00"], "until": ["2026-11-16T00:00"]}
    brush(watched.open("/events"), ".shape .chart", 0.55, 0.65)
    assert asked(watched) == {"since": ["2026-11-16T00:00"], "until": ["2026-11-23T00:00"]}


def test_a_cell_of_a_heat_map_leads_to_its_dates_or_people_and_their_events(
    visit: Callable[..., Watched],
) -> None:
    watched = visit()
    for tile, path in (("hours", r"/hours/[A-Z][a-z]+day/\d+"), ("retention", r"/retention/\d{4}-\d\d-\d\d")):
        page = watched.open("/users?range=90d")
        with page.expect_navigation():
            page.locator(f"#tile-{tile} .mark-rect.role-mark path").first.click(force=True)
        assert re.fullmatch(path, urlsplit(page.url).path)
        watched.settle()
        with page.expect_navigation():
            page.locator("tbody th a").first.click()
        assert urlsplit(page.url).path == "/events"
        watched.settle()
        assert page.locator("tr[data-event]").count() > 0


def test_a_search_becomes_the_address_and_comes_back(visit: Callable[..., Watched]) -> None:
    watched = visit()
    page = watched.open("/users")
    page.keyboard.press("/")
    page.wait_for_url("**/events*")
    page.wait_for_selector("#search-help:not([hidden])")
    page.keyboard.type("ty")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.input_value("#search") == "type:"
    page.fill("#search", f'user:{FADING_USER.login} -type:login-success "a" after:2020-01-01')
    page.keyboard.press("Escape")
    with page.expect_navigation(url="**/events?since=*"):
        page.keyboard.press("Enter")
    watched.settle()
    assert asked(watched) == {
        "since": ["2020-01-01"], "user": [FADING_USER.login], "type": ["!login-success"], "text": ["a"],
    }  # fmt: skip
    assert page.input_value("#search") == f'user:{FADING_USER.login} -type:login-success "a"'
    assert set(page.locator("tr[data-event] td:nth-child(2)").all_inner_texts()) <= {FADING_USER.login}


def test_a_field_that_is_none_is_told_with_the_one_that_was_meant(visit: Callable[..., Watched]) -> None:
    page = visit().open("/events?q=usr:erika")
    assert "Did you mean user:" in page.inner_text(".problem")
    assert page.input_value("#search") == "usr:erika"


def test_a_row_opens_in_place_to_the_full_event(visit: Callable[..., Watched]) -> None:
    watched = visit()
    page = watched.open(f"/events?range=90d&entity=dataset:{MOVED_DATASET.id}&type=dataset-save")
    page.locator("tr[data-event] td.text").last.click()
    page.wait_for_selector("tr.opened .raw")
    page.click("tr.opened .raw summary")
    raw = json.loads(page.inner_text("tr.opened .raw pre"))
    assert raw["type"] == "dataset-save"
    page.locator("tr[data-event] td.text").last.click()
    page.wait_for_selector("tr.opened", state="detached")


def test_the_next_rows_come_below(visit: Callable[..., Watched]) -> None:
    page = visit().open("/events?range=90d")
    page.click("[data-more]")
    page.wait_for_function("() => document.querySelectorAll('tr[data-event]').length === 200")


def test_the_live_tail_shows_what_comes_and_pauses(visit: Callable[..., Watched], story: ServerProcess) -> None:
    page = visit().open("/events?type=hello-*")
    page.goto(page.url.replace("hello-*", "login-success"))
    page.wait_for_selector("tr[data-event]")
    page.click("#live")
    page.wait_for_selector('#live[aria-pressed="true"]')
    page.wait_for_selector("#live-state >> text=Waiting for events")
    body = json.dumps({"type": "login-success", "user": "somebody.new"}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {story.key}"}
    urllib.request.urlopen(urllib.request.Request(f"{story.url}/v1/events", body, headers), timeout=10)
    page.wait_for_selector("tr.came >> text=somebody.new")
    page.click("#live")
    assert page.inner_text("#live-state") == "Paused after 1"


def test_the_live_tile_looks_again_and_pauses(visit: Callable[..., Watched], story: ServerProcess) -> None:
    watched = visit()
    page = watched.page
    page.clock.install()
    watched.open("/")
    tile = page.locator("#tile-live")

    def sent(user: str) -> None:
        story.request("POST", "/v1/events", {"type": "login-success", "user": user})
        page.mouse.move(0, 0)

    sent("seen.live")
    while not tile.get_by_text("seen.live").count():
        page.clock.run_for(5_000)
        page.wait_for_timeout(100)
    assert tile.locator("tbody tr").count() == 10
    tile.get_by_role("button", name="Pause").click()
    page.locator("h1").click()
    sent("not.seen")
    page.clock.run_for(20_000)
    assert not tile.get_by_text("not.seen").count()


def test_another_order_is_that_of_all_rows(visit: Callable[..., Watched], story: ServerProcess) -> None:
    page = visit().open("/entities?range=90d")
    page.click("#tile-things thead a >> text=last")
    page.wait_for_selector('#tile-things th[aria-sort="ascending"]')
    rows = story.request("GET", "/v1/reports/entities?since=90d&limit=100000")[1]["rows"]
    assert len(rows) > 100
    oldest = min(rows, key=lambda row: row["last"])
    assert (oldest["entity_name"] or oldest["entity_id"]) in page.locator("#tile-things tbody th").first.inner_text()


def test_light_and_dark_are_switched_and_kept(visit: Callable[..., Watched]) -> None:
    watched = visit(color_scheme="light")
    page = watched.open("/users")
    page.click("[data-theme-switch]")
    assert page.get_attribute("html", "data-theme") == "dark"
    page = watched.open("/errors")
    assert page.get_attribute("html", "data-theme") == "dark"


def test_help_opens_by_its_key(visit: Callable[..., Watched]) -> None:
    page = visit().open("/users")
    page.keyboard.press("?")
    page.wait_for_selector("#help[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#help[open]", state="detached")


def test_a_tile_that_fails_says_so_offers_another_try_and_leaves_the_rest(visit: Callable[..., Watched]) -> None:
    watched = visit()
    watched.may_break = True
    watched.page.route("**/tiles/users/new*", lambda route: route.abort())
    page = watched.open("/users")
    assert "The server does not answer" in page.inner_text("#tile-new")
    assert page.locator("#tile-people tbody tr").count() > 5
    page.unroute("**/tiles/users/new*")
    page.click("#tile-new button")
    page.wait_for_selector("#tile-new table, #tile-new .empty")


def test_under_900_px_the_navigation_folds(visit: Callable[..., Watched]) -> None:
    page = visit(viewport={"width": 700, "height": 900}).open("/users")
    assert not page.is_visible("#side")
    page.click(".fold")
    page.wait_for_selector("#side >> text=Errors")
    page.click("#side >> text=Errors")
    page.wait_for_url("**/errors")


def test_a_session_and_a_request_show_client_and_server(visit: Callable[..., Watched], story: ServerProcess) -> None:
    for path, column in (("sessions", "session"), ("requests", "request_id")):
        (row,) = story.query(
            f"SELECT CAST({column} AS varchar) AS id FROM events WHERE {column} IS NOT NULL"
            f" GROUP BY {column} HAVING count(DISTINCT source) = 2 ORDER BY count(*) DESC, 1 LIMIT 1"
        )
        page = visit().open(f"/{path}/{row['id']}")
        assert page.locator(".timeline tbody tr.client").count() > 0
        assert page.locator(".timeline tbody tr.server").count() > 0
        assert "lasted" in page.inner_text(".facts")


def test_a_group_of_errors_is_explained_and_its_state_is_set(visit: Callable[..., Watched]) -> None:
    watched = visit()
    page = watched.open("/errors?range=90d")
    page.locator("#tile-groups tbody th a", has_text="NoSuchMethodError").first.click()
    page.wait_for_selector("text=Why these are one group")
    watched.settle()
    assert page.locator(".frames.own").count() > 0
    until, version = (page.locator(f'form[action$="/state"] input[name="{name}"]') for name in ("until", "version"))
    for state, asked in (("open", [False, False]), ("resolved", [False, True]), ("muted", [True, False])):
        page.select_option('select[name="state"]', state)
        assert [until.is_visible(), version.is_visible()] == asked, state
    page.fill('form[action$="/state"] input[name="until"]', "2099-01-01T00:00")
    page.click('form[action$="/state"] button')
    page.wait_for_selector("dd >> text=muted")

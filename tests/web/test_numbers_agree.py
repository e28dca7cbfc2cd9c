"""A number of a table leads to as many events: what the page is about and what the tile counts goes along.

Looking at pages is an event (`audit-read`): what would count them while they are looked at is asked without.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from support.reading import event
from support.web import WebServer
from whodid import demo
from whodid.event import Event

_HEADING = re.compile(r"sort=-?(\w+)\"")
_CELL = re.compile(r"<(?:th scope=\"row\"|td)[^>]*>(.*?)</(?:th|td)>", re.DOTALL)
_LINK = re.compile(r'href="(/events\?[^"]*)"')
_TAG = re.compile(r"<[^>]+>")
ROWS_MAX = 20
SPACED = (" lin.chen", "lin.chen ")
# Queries and uses of the interface that tell what was asked and used in other ways than the demo does.
OTHERWISE: list[tuple[str, str, dict[str, Any]]] = [
    ("score", "apinode-query", {"service": "fraud", "endpoint": "score", "generation": 7}),
    ("score", "apinode-query", {"service": "fraud", "endpoint": "score", "context": {"version": "7"}}),
    ("score", "apinode-query", {"deploymentId": "fraud", "context": {"caller": "till"}}),
    ("score", "apinode-query", {}),
    ("menu-click", "generic", {"name": "File | Print"}),
    ("menu-click", "generic", {"item": "File | Print", "name": "x"}),
    ("dialog-shown", "generic", {"item": "Print"}),
    ("click", "generic", {"name": "print"}),
]
# What somebody read of the audit, and in which form.
READINGS = [("page user", "page")] * 3 + [("page overview", "page")] * 2 + [("events", "csv"), ("events", "json")]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    now = datetime.now(UTC)
    running = WebServer(tmp_path_factory.mktemp("data"))
    try:
        running.store(list(demo.generate(events=6_000, days=40, seed=1, end=now)))
        running.store(
            [event(kind, topic=topic, user="lin.chen", parameters=told, at=now) for kind, topic, told in OTHERWISE]
        )
        # Told as a warning, an error all the same.
        running.store([event("note", at=now, user="lin.chen", level="warning", error_message="Too late")])
        running.store([event("step", at=now, user=login) for login in SPACED for _ in range(2)])
        running.store([reading(what, form, at=now - timedelta(minutes=1)) for what, form in READINGS])
        yield running
    finally:
        running.close()


def reading(what: str, form: str, *, at: datetime) -> Event:
    """An event of a reading of the audit."""
    return event("audit-read", at=at, user="mona.audit", parameters={"what": what, "format": form})


def led(server: WebServer, address: str, column: str) -> list[tuple[str, str]]:
    """Where the rows of a tile lead among the events, and the number of a column in each."""
    answer = server.client.get(address)
    assert answer.status_code == 200, answer.text
    head, _, body = answer.text.partition("<tbody>")
    place = _HEADING.findall(head.rpartition("<thead>")[2]).index(column)
    found = []
    for row in body.partition("</tbody>")[0].split("<tr>")[1:]:
        link, cells = _LINK.search(row), _CELL.findall(row)
        if link is not None:
            found.append((html.unescape(link[1]), _TAG.sub("", cells[place]).strip().replace(",", "")))
    return found


def events_of(server: WebServer, address: str) -> str:
    """How many events the page of events tells of at an address."""
    answer = server.client.get(address.replace("/events?", "/events/shape?"))
    found = re.search(r"<b>([\d,]+)</b> events?,", answer.text)
    assert found or "No events." in answer.text, answer.text
    return found[1].replace(",", "") if found else "0"


@pytest.mark.parametrize(
    ("address", "column"),
    [
        ("/tiles/user/types?about=lin.chen", "events"),
        ("/tiles/user/types/table?about=lin.chen", "events"),
        ("/tiles/user/types?about=lin.chen&range=7d&user=erika.brandt", "events"),
        ("/tiles/entity/types?about=dataset&about=SALES.orders_clean", "events"),
        ("/tiles/interface/items?all=1", "uses"),
        ("/tiles/interface/followed", "uses"),
        ("/tiles/interface/unused?all=1", "uses"),
        ("/tiles/interface/items?all=1&range=today", "uses"),
        ("/tiles/api-nodes/services?all=1", "queries"),
        ("/tiles/api-nodes/services?range=today", "queries"),
        ("/tiles/api-service/versions?about=churn", "queries"),
        ("/tiles/api-nodes/callers?range=today", "queries"),
        ("/tiles/api-nodes/callers", "queries"),
        ("/tiles/api-service/callers?about=churn", "queries"),
        ("/tiles/overview/types?type=%21audit-*", "events"),
        ("/tiles/compute/families?all=1&type=%21audit-*", "events"),
        ("/tiles/nodes/unknown", "events"),
        ("/tiles/security/refusals", "refusals"),
        ("/tiles/users/features?all=1", "uses"),
        ("/tiles/security/readers?user=mona.audit", "readings"),
        ("/tiles/overview/days?type=%21audit-*", "events"),
        ("/tiles/overview/days?range=yesterday", "events"),
        ("/tiles/overview/mix?type=%21audit-*", "events"),
        ("/tiles/user/days?about=lin.chen", "events"),
        ("/tiles/api-nodes/days/table", "events"),
        ("/tiles/overview/errors-days", "errors"),
        ("/tiles/errors/days?user=lin.chen", "errors"),
        ("/tiles/entities/days?type=%21audit-*", "uses"),
        ("/tiles/entities/days?level=audit&type=%21audit-*", "uses"),
        ("/tiles/functions/days", "runs"),
        ("/tiles/functions/days?user=lin.chen&range=7d", "runs"),
        ("/tiles/functions/days?range=yesterday", "runs"),
    ],
)
def test_rows_lead_to_the_events_that_they_count(told: WebServer, address: str, column: str) -> None:
    rows = led(told, address, column)[:ROWS_MAX]
    assert rows
    assert [(link, events_of(told, link)) for link, _ in rows] == rows


def test_a_version_of_a_package_leads_to_its_uses_without_its_installation(told: WebServer) -> None:
    answer = told.client.get("/tiles/interface/packages").text
    rows = re.findall(
        r'href="(/events\?[^"]*version=[^"]*)".*?<td class="number[^>]*>.*?([\d,]+)</td>', answer, re.DOTALL
    )
    assert rows and [events_of(told, html.unescape(link)) for link, _ in rows] == [uses for _, uses in rows]


def test_others_of_a_chart_lead_to_what_none_of_its_named_types_counts(told: WebServer) -> None:
    answer = told.client.get("/tiles/overview/mix?type=%21audit-read")
    spec, drill = (html.unescape(re.findall(rf'data-{name}="([^"]*)"', answer.text)[0]) for name in ("spec", "drill"))
    others = [one["y"] for one in json.loads(spec)["data"]["values"] if one["c"] == "others"]
    assert len(others) > 1
    assert events_of(told, drill) == str(sum(others))


@pytest.mark.parametrize("login", SPACED)
def test_a_login_with_a_space_around_it_is_another_one_wherever_it_is_named(told: WebServer, login: str) -> None:
    shown, named = login.replace(" ", "␣"), quote(login)
    people = told.client.get("/tiles/users/people?all=1&range=24h").text
    assert re.search(rf'href="/users/{named}\?range=24h" data-card>{shown}<', people)
    assert f"<h1>{shown}</h1>" in told.client.get(f"/users/{named}").text
    assert told.client.get(f"/tiles/user/count?about={named}").text == "2 events"
    found = told.client.get("/events", params={"q": f'user:"{login}"'}).headers["location"]
    assert found == f"/events?user={quote_plus(login)}" and events_of(told, found) == "2"
    page = told.client.get(found).text
    assert f"<b>{shown}</b>" in page and f'value="user:&#34;{login}&#34;"' in page
    assert events_of(told, f"/events?user=%21{named}&user=lin.chen&range=24h") == events_of(
        told, "/events?user=lin.chen&range=24h"
    )

"""Each filter finds what it says, and no text of a caller is ever SQL."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from support.reading import NOW, NoGroups, event
from whodid.errors import WhodidError
from whodid.event import foreign_id
from whodid.reading import read
from whodid.reading.dialect import part_without_letters
from whodid.reading.filters import LISTS, literal, make_filter

SESSION = "0190a000-0000-7000-8000-000000000001"
HASH = "0190a000-0000-7000-8000-0000000000ff"

STORED = {
    "run": event(
        "query-start",
        user="erika",
        session=SESSION,
        entities=[("query", "q:17", "Sales by region"), ("connection", "c/1")],
        parameters={
            "table": "orders",
            "limit": 100,
            "flag": True,
            "$.x": "path",
            "/a": "pointer",
            "grüße": "ÄÖ",
            "*": "star",
            "a\\b": "back",
            "a/~b": "c",
        },
        function="Sales:byRegion",
        duration_ms=12.5,
        topic="generic",
        node="design-1",
        request_id="r-1",
        status="ok",
    ),
    "click": event("click", at=NOW - timedelta(hours=2), user="otto", level="usage", source="client"),
    "fail": event(
        "query-failed",
        at=NOW - timedelta(days=3),
        user="otto",
        level="error",
        error_message="Timeout 100% of_the time",
        error_hash=HASH,
        description="went wrong: O'Brien",
    ),
    "program": event("scenario-run", at=NOW - timedelta(days=10), user="scheduler", acting_for="erika", topic="jobs"),
    "anonymous": event("server-started", at=NOW - timedelta(days=40), source="server", session=foreign_id("s-9")),
}
NAMES = {one.id: name for name, one in STORED.items()}


class Groups:
    def group_logins(self, name: str) -> Iterable[str]:
        members = {"Chemistry": ["otto"], "Empty": []}
        if name not in members:
            raise WhodidError("not_found", f"There is no group {name!r}.")
        return members[name]


@pytest.fixture(scope="module")
def store(filled: Any) -> Any:
    return filled(list(STORED.values()))


def found(store: Any, **given: Any) -> list[str]:
    page = read.events(store, Groups(), make_filter(**given))
    return [NAMES[one] for one in page.table.column("id").to_pylist()]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["run", "click", "fail", "program", "anonymous"]),
        ({"order": "oldest", "limit": 2}, ["anonymous", "program"]),
        ({"since": NOW - timedelta(hours=2)}, ["run", "click"]),
        ({"until": NOW - timedelta(hours=2)}, ["fail", "program", "anonymous"]),
        ({"since": "2026-11-01", "until": "2026-11-18"}, ["fail", "program"]),
        ({"user": "erika"}, ["run", "program"]),
        ({"user": ["erika", "otto"]}, ["run", "click", "fail", "program"]),
        ({"user": "ERIKA"}, []),
        ({"group": "Chemistry"}, ["click", "fail"]),
        ({"group": "Chemistry", "user": "erika"}, ["run", "click", "fail", "program"]),
        ({"group": "Empty"}, []),
        ({"type": "query-*"}, ["run", "fail"]),
        ({"type": ["*-started", "click"]}, ["click", "anonymous"]),
        ({"type": "query_start"}, []),
        ({"type": "query%"}, []),
        ({"level": "error"}, ["fail"]),
        ({"level": ["error", "usage"]}, ["click", "fail"]),
        ({"topic": "jobs"}, ["program"]),
        ({"entity": "query:q:17"}, ["run"]),
        ({"entity": ("connection", "c/1")}, ["run"]),
        ({"entity": "connection:c/1", "since": NOW - timedelta(days=1)}, ["run"]),
        ({"entity": ["connection:c/1", "query:q:17"]}, ["run"]),
        ({"entity": "query:c/1"}, []),
        ({"session": SESSION}, ["run"]),
        ({"session": "s-9"}, ["anonymous"]),
        ({"error_hash": HASH}, ["fail"]),
        ({"function": "Sales:byRegion", "status": "ok", "node": "design-1", "request_id": "r-1"}, ["run"]),
        ({"parameter": "table=orders"}, ["run"]),
        ({"parameter": {"limit": 100, "flag": True}}, ["run"]),
        ({"parameter": ["table=orders", "limit=99"]}, []),
        ({"parameter": "$.x=path"}, ["run"]),
        ({"parameter": "/a=pointer"}, ["run"]),
        ({"parameter": "*=star"}, ["run"]),
        ({"parameter": "a\\b=back"}, ["run"]),
        ({"parameter": "a/~b=c"}, ["run"]),
        ({"parameter": "table=or=ders"}, []),
        ({"user": "!erika"}, ["click", "fail", "anonymous"]),
        ({"user": ["erika", "otto", "!otto"]}, ["run", "program"]),
        ({"group": "!Chemistry"}, ["run", "program", "anonymous"]),
        ({"group": "!Empty"}, ["run", "click", "fail", "program", "anonymous"]),
        ({"type": ["!query-*", "!click"]}, ["program", "anonymous"]),
        ({"level": "!error", "status": "!ok"}, ["click", "program", "anonymous"]),
        ({"entity": "!connection:c/1", "user": "erika"}, ["program"]),
        ({"parameter": "!table=orders"}, ["click", "fail", "program", "anonymous"]),
        ({"session": f"!{SESSION}", "since": "2026-11-01"}, ["click", "fail", "program"]),
        ({"error_hash": f"!{HASH}", "type": "query-*"}, ["run"]),
        ({"project": "!SALES", "type": "click"}, ["click"]),
        ({"user": literal("!erika")}, []),
        ({"kind": "run"}, ["run"]),
        ({"kind": "use"}, ["run", "click", "program", "anonymous"]),
        ({"kind": ["run", "error"]}, ["run", "fail"]),
        ({"kind": "!use"}, ["fail"]),
        ({"text": "timeout"}, ["fail"]),
        ({"text": "100%"}, ["fail"]),
        ({"text": "of_the"}, ["fail"]),
        ({"text": "100_"}, []),
        ({"text": "SALES BY"}, ["run"]),
        ({"text": "orders"}, ["run"]),
        ({"text": "ÄÖ"}, ["run"]),
        ({"text": "äö"}, ["run"]),
        ({"text": "GRÜSSE"}, []),
        ({"text": "o'brien"}, ["fail"]),
        ({"text": "A/~B"}, ["run"]),
        ({"text": "a/~c"}, []),
    ],
)
def test_a_filter_finds_what_it_says(store: Any, given: dict[str, Any], expected: list[str]) -> None:
    assert found(store, **given) == expected


@pytest.mark.parametrize(
    ("text", "part"),
    [("value > 0.5", "> 0.5"), ("a  b", ""), ("a1b22", "22"), ("a1b", ""), ("", ""), ("ä-ö_-", "_-"), ("K²", "")],
)
def test_the_part_of_a_text_that_is_the_same_in_any_case(text: str, part: str) -> None:
    assert part_without_letters(text) == part


ATTACKS = [
    "' OR 1=1 --",
    "'; DROP TABLE events; --",
    "x') OR TRUE OR ('",
    "$p0",
    "?",
    "%",
    "_",
    "\\",
    '"',
    "{source}",
    "{where}",
    "/* */",
    "*/ UNION SELECT * FROM events --",
]


@pytest.mark.parametrize("name", [*LISTS, "text"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_of_a_caller_is_sql(store: Any, name: str, attack: str) -> None:
    shaped = {"entity": f"query:{attack}", "parameter": f"{attack}={attack}", "type": f"{attack}**"}.get(name, attack)
    refused = {"level", "kind", "error_hash", "group"}
    expected = {("text", one): ["fail"] for one in "%_"} | {("text", one): ["run"] for one in "\\*"}
    if name in refused:
        with pytest.raises(WhodidError) as caught:
            found(store, **{name: shaped})
        assert caught.value.code in ("invalid", "not_found")
    else:
        assert found(store, **{name: shaped}) == expected.get((name, attack), [])
    assert len(found(store)) == len(STORED)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"since": "1d", "until": "2d"}, "after until"),
        ({"since": "soon"}, "no time"),
        ({"limit": 0}, "limit is 0"),
        ({"limit": -1}, "limit is -1"),
        ({"limit": "many"}, "limit is 'many'"),
        ({"limit": 10**12}, "10,000,000"),
        ({"order": "sideways"}, "order"),
        ({"level": "fatal"}, "no level 'fatal'"),
        ({"kind": "!walk"}, "no kind 'walk'"),
        ({"entity": "query"}, "type:id"),
        ({"entity": ":q"}, "type:id"),
        ({"parameter": "=x"}, "name=value"),
        ({"parameter": "x"}, "name=value"),
        ({"error_hash": "zz"}, "no UUID"),
        ({"text": "x" * 2_001}, "2,000 characters"),
        ({"text": "\0"}, "NUL"),
        ({"user": "\ud800"}, "surrogates"),
        ({"user": ["x"] * 1_001}, "1,001 values"),
        ({"usr": "erika"}, "no filter 'usr'"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_reason(store: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises(WhodidError) as caught:
        found(store, **given)
    assert caught.value.code == "invalid"
    assert message in str(caught.value)


def test_an_unknown_group_is_not_found(store: Any) -> None:
    with pytest.raises(WhodidError, match="no group 'Physics'"):
        found(store, group="Physics")


def test_a_directory_is_asked_for_groups_only(store: Any) -> None:
    page = read.events(store, NoGroups(), make_filter(user="otto"))
    assert page.table.num_rows == 2


TOLD: dict[str, dict[str, Any]] = {
    "plain": {"serviceId": "churn", "endpointId": "predict", "version": 3},
    "generation": {"service": "churn", "endpoint": "predict", "generation": "3", "apiKey": "k-1"},
    "context": {"deploymentId": "churn", "context": {"version": "3", "caller": "shop"}},
    "nothing": {},
}


@pytest.fixture(scope="module")
def queries(filled: Any) -> Any:
    asked = [
        event("predict", topic="apinode-query", at=NOW - timedelta(minutes=place), request_id=name, parameters=told)
        for place, (name, told) in enumerate(TOLD.items())
    ]
    other = {"serviceId": "churn", "endpointId": "predict", "version": "3"}
    outcome = event("ground-truth", topic="apinode-query", request_id="outcome", parameters=other)
    return filled([*asked, outcome, event("predict", request_id="elsewhere", parameters=other)])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"service": "churn"}, ["plain", "generation", "context"]),
        ({"service": "unknown"}, ["nothing"]),
        ({"endpoint": "predict"}, ["plain", "generation", "context", "nothing"]),
        ({"version": "3"}, ["plain", "generation", "context"]),
        ({"version": ["unknown", "4"]}, ["nothing"]),
        ({"caller": "shop"}, ["context"]),
        ({"caller": "k-1"}, ["generation"]),
        ({"service": "!churn", "topic": "apinode-query", "type": "predict"}, ["nothing"]),
    ],
)
def test_queries_are_found_whichever_way_they_tell_what_was_asked(
    queries: Any, given: dict[str, Any], expected: list[str]
) -> None:
    page = read.events(queries, Groups(), make_filter(**given))
    assert page.table.column("request_id").to_pylist() == expected


@pytest.mark.parametrize(
    ("type", "told", "item"),
    [
        ("menu click", {"item": "Save as"}, "menu:Save as"),
        ("menu-item-click", {"name": "Save: all"}, "menu:Save: all"),
        ("dialog show", {"dialog": "Export", "name": "x"}, "dialog:Export"),
        ("dialog-shown", {"item": "Export"}, "dialog:Export"),
        ("click", {"name": "Run"}, "click:Run"),
        ("command", {"command": "Run"}, "command:Run"),
        ("input", {"input": "q", "item": "x"}, "input:q"),
    ],
)
def test_an_item_of_the_interface_is_found_whichever_way_it_is_told(
    filled: Any, type: str, told: dict[str, str], item: str
) -> None:
    store = filled([event(type, parameters=told), event(type), event("step", parameters=told)])
    assert read.events(store, Groups(), make_filter(item=item)).table.column("type").to_pylist() == [type]

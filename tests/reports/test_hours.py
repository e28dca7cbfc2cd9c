"""Reports that read what is counted by the hour say what counting the events would, to the last event."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from support.reporting import ASKED, Memberships, asked, at
from support.story import END
from whodid import reports
from whodid.reading.sight import EVERYTHING, Sight
from whodid.reports import hours
from whodid.reports.common import Shift
from whodid.reports.report import Report
from whodid.stores.base import Store

COUNTED = [report for report in reports.catalogue() if any(name in report.sql for name in hours.RELATIONS)]
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kolkata", "Australia/Lord_Howe")
SIGHTS = (
    EVERYTHING,
    EVERYTHING,
    Sight(users=("erika.brandt", "jonas.keller")),
    Sight(projects=("SALES",)),
    Sight(users=("erika.brandt",), entities=(("dataset", "SALES.orders_clean"),)),
)
FILTERS: tuple[dict[str, list[str]], ...] = (
    {},
    {"users": ["erika.brandt"]},
    {"groups": ["Sales Analytics"]},
    {"projects": ["SALES", "CHURN"]},
    {"types": ["*-start", "!login*"]},
    {"levels": ["audit", "error"], "topics": ["generic"]},
    {"entities": ["project:SALES"]},
)


def some_question(report: Report, chance: random.Random) -> dict[str, Any]:
    """A span that begins and ends anywhere, seldom at a whole hour, with a filter, a zone, and what a reader sees."""
    since = END - timedelta(days=chance.uniform(1, 40))
    given: dict[str, Any] = {"since": since, "until": since + timedelta(hours=chance.choice((0.1, 5, 24, 333.3, 700)))}
    if chance.random() < 0.3:
        given = {name: moment.replace(minute=0, second=0, microsecond=0) for name, moment in given.items()}
    given |= {name: value for name, value in ASKED.get(report.name, {}).items() if name not in given}
    if report.takes_zone:
        given["zone"] = chance.choice(ZONES)
    if any(parameter.name == "by" for parameter in report.parameters):
        given["by"] = chance.choice(("hour", "day", "week"))
    given |= chance.choice(FILTERS)
    if report.keeps_to_sight:
        given["sight"] = chance.choice(SIGHTS)
    return given


@pytest.mark.parametrize("report", COUNTED, ids=[report.name for report in COUNTED])
def test_the_counts_and_the_events_give_the_same_rows(
    store: Store, memberships: Memberships, monkeypatch: pytest.MonkeyPatch, report: Report
) -> None:
    chance = random.Random(report.name)
    for _ in range(8):
        given = some_question(report, chance)
        counted = asked(store, report, memberships, **given)
        with monkeypatch.context() as patched:
            patched.setattr(hours, "relations", partial(hours.relations, whole=False))
            raw = asked(store, report, memberships, **given)
        assert counted.table.to_pylist() == raw.table.to_pylist(), given
        assert counted.total == raw.total


# When the counts are asked, and when the events

ALL = {"event_hours", "user_hours", "session_hours"}


def parts(sight: Sight = EVERYTHING, **given: Any) -> tuple[dict[str, str], dict[str, Any]]:
    return hours.relations("duckdb", **{"times": [], "sight": sight, **given})


def test_hours_in_which_a_time_lies_are_read_from_the_events() -> None:
    times = [datetime(2026, 11, 1, 9, 30), datetime(2026, 11, 1, 9, 45), datetime(2026, 11, 2)]
    found, params = parts(times=times)
    assert params == {"edge_0": datetime(2026, 11, 1, 9)}
    assert found["event_hours"].count("UNION ALL") == 1


def test_at_whole_hours_the_events_are_not_read() -> None:
    found, params = parts(times=[at(1).replace(tzinfo=None)], filters=["users", "groups"])
    assert params == {}
    assert not any("FROM events" in relation for relation in found.values())


@pytest.mark.parametrize(
    ("given", "from_events"),
    [
        ({"filters": ["entities"]}, ALL),
        ({"filters": ["topics"]}, {"session_hours"}),
        ({"filters": ["projects"]}, {"session_hours"}),
        ({"zone": (Shift(None, 19_800),)}, ALL),
        ({"zone": (Shift(None, 3_600), Shift(datetime(2026, 3, 29, 1), 7_200))}, set()),
        ({"zone": (Shift(None, 3_600), Shift(datetime(2026, 3, 29, 1, 30), 7_200))}, ALL),
        ({"sight": Sight(users=("ann",))}, set()),
        ({"sight": Sight(projects=("A",))}, {"session_hours"}),
        ({"sight": Sight(entities=(("a", "b"),))}, ALL),
    ],
)
def test_what_the_counts_do_not_tell_is_read_from_the_events(given: dict[str, Any], from_events: set[str]) -> None:
    found, _ = parts(**given)
    assert {name for name, relation in found.items() if "FROM events" in relation} == from_events


def test_people_by_project_are_read_from_what_tells_of_projects() -> None:
    found, _ = hours.relations("postgresql", times=[], sight=EVERYTHING, filters=["projects"])
    assert "FROM whodid.event_hours" in found["user_hours"]
    found, _ = hours.relations("postgresql", times=[], sight=EVERYTHING)
    assert "FROM whodid.user_hours" in found["user_hours"]

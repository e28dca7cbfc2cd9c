"""Adoption of an instance, and what the numbers rest on: hand-made events, counted by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest

from support.batches import RECEIVED_AT
from support.events import entity, event
from support.reporting import Desk, at


def test_adoption_tells_people_projects_and_types_against_the_time_before(desk: Desk) -> None:
    sales, churn = {"projectKey": "SALES"}, {"projectKey": "CHURN"}
    desk.put(
        event(time=at(1, 0), type="login", user="ann", node="design-1"),
        event(time=at(12), type="dataset-save", user="ann", parameters=sales, node="design-1"),
        event(time=at(13), type="dataset-read-data", user="bob", parameters=churn, node="design-1"),
        event(
            time=at(13), type="dataset-read-data", user="api:x", acting_for="cleo", via="scenario:A.b", parameters=churn
        ),
    )
    found = {row["measure"]: (row["value"], row["previous"]) for row in desk.rows("adoption", since=at(11, 0))}
    assert found == {
        "active people": (3, 1),
        "people at the screen": (2, 1),
        "people who make or change things": (1, 0),
        "projects touched": (2, 0),
        "projects changed": (1, 0),
        "message types": (2, 1),
        "nodes": (1, 1),
        "days with events": (2, 1),
        "events": (3, 1),
    }


@pytest.mark.parametrize(
    ("told", "is_own"),
    [
        ({"authSource": "USER_FROM_UI"}, True),
        ({}, True),
        ({"authSource": "PERSONAL_API_KEY"}, False),
        ({"authSource": "USER_FROM_UI", "scenarioId": "NIGHTLY"}, False),
        ({"authSource": "USER_FROM_UI", "jobId": "Build_1"}, False),
        ({"jobId": "Build_1"}, False),
        ({"authSource": "USER_FROM_UI", "scenarioId": "", "jobId": None}, True),
        ({"authSource": "USER_FROM_UI", "job": "Build_1", "context": {"jobId": "Build_1"}}, True),
    ],
)
def test_at_the_screen_is_what_belongs_to_no_scenario_and_no_job(
    desk: Desk, told: dict[str, object], is_own: bool
) -> None:
    """`facts/dss-audit.md`: a person's own action."""
    desk.put(event(time=at(12), type="dataset-save", user="ann", parameters=told, node_type="design"))
    desk.put(event(time=at(12), type="dataset-save", user="bob", parameters={"jobId": "of no DSS"}))
    found = {row["measure"]: row["value"] for row in desk.rows("adoption", since=at(11, 0))}
    assert found["people at the screen"] == (2 if is_own else 1)


def test_counts_are_whole_numbers(desk: Desk) -> None:
    desk.put(event(time=at(12), user="ann"))
    kinds = {str(desk.answer("adoption").table.schema.field(name).type) for name in ("value", "previous")}
    assert kinds == {"int64"}


def test_adoption_says_from_when_to_when_there_are_events(desk: Desk) -> None:
    desk.put(event(time=at(12), user="ann"), event(time=at(14), user="ann"))
    row = next(row for row in desk.rows("adoption", since=at(11, 0)) if row["measure"] == "events")
    assert (row["first"], row["last"]) == (at(12).replace(tzinfo=None), at(14).replace(tzinfo=None))
    assert row["previous"] is None


def test_types_are_counted_by_family(desk: Desk) -> None:
    project = [entity("project", "SALES")]
    desk.put(
        event(time=at(2), type="dataset-save", user="ann", entities=project),
        event(time=at(2), type="dataset-read-data", user="bob", entities=project),
        event(time=at(3), type="dataset-read-data", user="bob"),
        event(time=at(3), type="login", user="bob"),
    )
    dataset, login = desk.rows("adoption-families")
    assert (dataset["family"], dataset["types"], dataset["events"], dataset["people"]) == ("dataset", 2, 3, 2)
    assert (dataset["projects"], dataset["top_type"]) == (1, "dataset-read-data")
    assert (login["family"], login["events"]) == ("login", 1)


def test_coverage_tells_gaps_of_each_node(desk: Desk) -> None:
    times = [at(2, 9), at(2, 10), at(4, 12.5), at(4, 13)]
    desk.put(*[event(time=time, node="design-1", node_type="design") for time in times], event(time=at(2)))
    design, unknown = desk.rows("coverage")
    assert (design["node"], design["events"], design["days"], design["span_days"]) == ("design-1", 4, 2, 3)
    assert design["longest_gap_hours"] == 50.5
    assert (unknown["node"], unknown["events"], unknown["longest_gap_hours"]) == (None, 1, None)


def test_a_node_is_told_by_periods_with_its_errors(desk: Desk) -> None:
    desk.put(
        event(time=at(12, 23), node="design"), event(time=at(12), node="design", level="error"),
        event(time=at(13), node="design"), event(time=at(13), node="auto"), event(time=at(13)),
    )  # fmt: skip

    def told(**given: str) -> list[tuple[str, int, int]]:
        return [(row["period"][:10], row["events"], row["errors"]) for row in desk.rows("node-activity", **given)]

    assert told(node="design") == [("2026-11-12", 2, 1), ("2026-11-13", 1, 0)]
    assert told(node="design", zone="Europe/Berlin") == [("2026-11-12", 1, 1), ("2026-11-13", 2, 0)]
    assert told() == [("2026-11-12", 2, 1), ("2026-11-13", 3, 0)]
    assert desk.row("events", node="design") == {"events": 3, "errors": 1}


def test_coverage_tells_how_late_events_come(desk: Desk) -> None:
    late = [timedelta(seconds=90), timedelta(hours=30), timedelta(hours=40)]
    desk.put(*[event(time=RECEIVED_AT - each, node="design-1") for each in late])
    span = {"since": RECEIVED_AT - timedelta(days=3), "until": RECEIVED_AT}
    assert desk.row("coverage", **span)["late_seconds"] == 90.0, "of the last day"
    (row,) = desk.rows("nodes", **span)
    assert (row["events"], row["delay"], row["ahead"]) == (3, 90.0, 0)


def test_how_late_a_node_is_that_sent_nothing_lately_is_unknown(desk: Desk) -> None:
    desk.put(event(time=RECEIVED_AT - timedelta(days=2), node="design-1"))
    (row,) = desk.rows("nodes", since=RECEIVED_AT - timedelta(days=3), until=RECEIVED_AT)
    assert (row["events"], row["delay"], row["ahead"], row["addresses"]) == (1, None, 0, 0)

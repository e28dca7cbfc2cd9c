"""Functions and their runs: hand-made events, counted by hand."""

from __future__ import annotations

import json
from typing import Any

from support.events import entity, event
from support.reporting import Desk, at
from whodid.event import Event


def runs(function: str, day: int, *durations_ms: float, user: str = "ann", **fields: Any) -> list[Event]:
    return [
        event(time=at(day, 9, number), user=user, function=function, duration_ms=duration, **fields)
        for number, duration in enumerate(durations_ms)
    ]


def test_fractions_are_without_the_noise_of_adding_them(desk: Desk) -> None:
    desk.put(*runs("Fit", 12, 61.540500000000044), *runs("Sum", 12, 0.1 + 0.2))
    assert [row["duration_ms"] for row in desk.rows("slowest-runs")] == [61.5405, 0.3]


def test_functions_have_percentiles_and_a_share_of_failures(desk: Desk) -> None:
    desk.put(*runs("Fit", 12, 10, 20, 30), *runs("Fit", 13, 40, user="bob", status="failed"), *runs("Sum", 13, 1))
    fit, total = desk.rows("functions")
    assert (fit["function"], fit["runs"], fit["people"], fit["errors"], fit["failed_percent"]) == ("Fit", 4, 2, 1, 25.0)
    assert (fit["p50_ms"], fit["p95_ms"], fit["longest_ms"]) == (25.0, 38.5, 40.0)
    assert total["function"] == "Sum"


def test_functions_that_became_slower_come_first(desk: Desk) -> None:
    desk.put(*runs("Fit", 3, 10, 10), *runs("Fit", 12, 30, 30), *runs("Sum", 3, 10, 10), *runs("Sum", 12, 5, 5))
    found = [
        (row["function"], row["previous_p95_ms"], row["p95_ms"], row["p95_change_percent"])
        for row in desk.rows("function-changes", since=at(11, 0), at_least=2)
    ]
    assert found == [("Fit", 10.0, 30.0, 200.0), ("Sum", 10.0, 5.0, -50.0)]
    assert desk.rows("function-changes", since=at(11, 0), at_least=3) == []


def test_a_function_is_told_against_the_equal_time_before(desk: Desk) -> None:
    desk.put(
        *runs("Fit", 9, 40, 60, user="bob"), *runs("Fit", 12, 10, 20, 30), *runs("Fit", 13, 40, status="failed"),
        *runs("Sum", 12, 1), event(time=at(12), user="eve", function="Fit"),
    )  # fmt: skip
    found = desk.row("function", function="Fit", since=at(11, 0), until=at(14, 0))
    assert (found["runs"], found["people"], found["failed"], found["p50_ms"], found["p95_ms"]) == (4, 1, 1, 25.0, 38.5)
    assert (found["previous_runs"], found["previous_people"], found["previous_p50_ms"]) == (2, 1, 50.0)
    never = desk.row("function", function="Never", since=at(11, 0), until=at(14, 0))
    assert (never["runs"], never["previous_runs"], never["p50_ms"]) == (0, 0, None)
    assert desk.row("function", since=at(11, 0), until=at(14, 0))["runs"] == 5


def test_what_is_run_without_a_function_is_told_by_its_type(desk: Desk) -> None:
    done = [event(type="flow-job-done", time=at(12, hour), user="ann", duration_ms=10.0 * hour) for hour in (1, 2, 3)]
    desk.put(*done, *runs("Fit", 12, 10))
    asked = {"function": "flow-job-done", "since": at(11, 0), "until": at(14, 0)}
    told, listed = desk.row("function", **asked), desk.rows("runs", **asked)
    assert (told["runs"], told["people"], told["p50_ms"], len(listed)) == (3, 1, 20.0, 3)


def test_runs_tell_who_when_with_what_and_what_came_of_it(desk: Desk) -> None:
    told = event(
        time=at(12),
        user="api:web",
        acting_for="ann",
        function="Fit",
        duration_ms=12.0,
        status="done",
        request_id="r-1",
        entities=[entity("script", "s-1", "Fit"), entity("dataset", "d-1", role="input")],
        parameters={"alpha": 0.5},
    )
    desk.put(told, *runs("Sum", 13, 5), event(time=at(14), user="ann"))
    assert [row["function"] for row in desk.rows("runs")] == ["Sum", "Fit"]
    found = desk.row("runs", function="Fit")
    assert (found["person"], found["status"], found["request_id"], found["id"]) == ("ann", "done", "r-1", told.id)
    assert json.loads(found["parameters"]) == {"alpha": 0.5}
    assert json.loads(found["entities"])[1]["role"] == "input"


def test_the_slowest_runs_come_first_and_say_of_how_many(desk: Desk) -> None:
    desk.put(*runs("Fit", 12, 10, 90, 50))
    answer = desk.answer("slowest-runs", limit=2)
    assert answer.table.column("duration_ms").to_pylist() == [90.0, 50.0]
    assert (answer.total, answer.truncated) == (3, True)

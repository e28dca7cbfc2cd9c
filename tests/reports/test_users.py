"""Users and groups: hand-made events, counted by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from support.events import event
from support.reporting import Desk, at
from whodid.event import Event


def work(person: str, day: int, times: int = 1, **fields: Any) -> list[Event]:
    return [event(time=at(day, 9, number), user=person, **fields) for number in range(times)]


def test_users_tell_when_they_were_last_seen_and_on_how_many_days(desk: Desk) -> None:
    desk.put(*work("ann", 2, 3), *work("ann", 4), *work("bob", 3, 2, level="error"), *work("api:etl", 3))
    ann, bob = desk.rows("users")
    assert (ann["person"], ann["events"], ann["active_days"], ann["errors"]) == ("ann", 4, 2, 0)
    assert ann["last"] == at(4).replace(tzinfo=None)
    assert (bob["person"], bob["uses"], bob["errors"]) == ("bob", 0, 2)


def test_who_does_half_of_their_own_past_is_fading(desk: Desk) -> None:
    desk.put(
        *work("ann", 1, 40), *work("ann", 8, 40), *work("ann", 16, 4),
        *work("bob", 1, 20), *work("bob", 8, 20), *work("bob", 16, 20),
        *work("cleo", 1, 3), *work("dan", 16, 30),
    )  # fmt: skip
    found = desk.row("fading-users", since=at(15, 9), until=at(22, 9))
    assert (found["person"], found["usual_per_week"], found["per_week"]) == ("ann", 40.0, 4.0)
    assert found["change_percent"] == pytest.approx(-90)
    assert found["weeks_active"] == 2


def test_what_is_no_use_neither_makes_a_past_nor_a_week_of_it(desk: Desk) -> None:
    desk.put(
        *work("ann", 1, 3, level="error"), *work("ann", 8, 20), *work("ann", 8, 9, level="error"), *work("ann", 16, 4),
        *work("bob", 8, 40, level="error"), *work("bob", 16),
    )  # fmt: skip
    found = desk.row("fading-users", since=at(15, 9), until=at(22, 9))
    assert (found["person"], found["usual_per_week"], found["per_week"], found["weeks_active"]) == ("ann", 20.0, 4.0, 1)


def test_a_new_user_is_one_whose_first_event_of_all_lies_in_the_time(desk: Desk) -> None:
    desk.put(*work("ann", 1), *work("ann", 12), *work("bob", 12, 2), *work("bob", 13))
    found = desk.row("new-users", since=at(10, 0))
    assert (found["person"], found["events"], found["active_days"]) == ("bob", 3, 2)


def test_retention_counts_who_of_a_week_comes_back_in_later_ones(desk: Desk) -> None:
    desk.put(*work("ann", 2), *work("bob", 3), *work("ann", 10), *work("cleo", 11), *work("ann", 17), *work("cleo", 18))
    found = [
        (row["cohort"][:10], row["week"], row["users"], row["active"], row["active_percent"])
        for row in desk.rows("retention")
    ]
    assert found == [
        ("2026-11-02", 0, 2, 2, 100.0),
        ("2026-11-02", 1, 2, 1, 50.0),
        ("2026-11-02", 2, 2, 1, 50.0),
        ("2026-11-09", 0, 1, 1, 100.0),
        ("2026-11-09", 1, 1, 1, 100.0),
    ]


def test_hours_of_the_week_are_the_readers(desk: Desk) -> None:
    desk.put(event(time=at(2, 23.5), user="ann"), event(time=at(9, 23.6), user="bob"), event(time=at(2, 23.5)))
    assert [(row["weekday"], row["hour"], row["users"]) for row in desk.rows("hours")] == [(1, 23, 2)]
    berlin = desk.rows("hours", zone="Europe/Berlin")
    assert [(row["weekday"], row["hour"], row["users"]) for row in berlin] == [(2, 0, 2)]


def test_an_hour_of_the_week_is_told_by_its_dates(desk: Desk) -> None:
    desk.put(
        event(time=at(2, 23.5), user="ann"), event(time=at(9, 23.6), user="bob"), event(time=at(9, 22.9), user="b")
    )
    found = desk.rows("hour-of-week", day="Tuesday", hour=0, zone="Europe/Berlin")
    assert [(row["begins"], row["users"]) for row in found] == [("2026-11-10 00:00:00", 1), ("2026-11-03 00:00:00", 1)]
    assert found[0]["ends"] == "2026-11-10 01:00:00"
    assert {row["day"] for row in desk.rows("hours", zone="Europe/Berlin")} == {"Monday", "Tuesday"}


def test_the_people_of_a_cell_of_retention_are_told(desk: Desk) -> None:
    desk.put(*work("ann", 2), *work("bob", 3), *work("ann", 10, 2), *work("cleo", 11), *work("cleo", 18))
    for cell in desk.rows("retention", zone="Europe/Berlin"):
        span = {"since": f"{cell['begins']}+01:00", "until": f"{cell['ends']}+01:00"}
        people = desk.rows("returning-users", cohort=cell["cohort"][:10], zone="Europe/Berlin", **span)
        assert len(people) == cell["active"]
    [ann] = desk.rows("returning-users", cohort="2026-11-05", since=at(9), until=at(16))
    assert (ann["person"], ann["events"], ann["arrived"]) == ("ann", 2, at(2, 9).replace(tzinfo=None))


def test_groups_stand_beside_the_whole_organisation(desk: Desk) -> None:
    desk.put(*work("ann", 2, 6), *work("cleo", 2, 2), *work("dan", 2, 1))
    found = {row["group"]: row for row in desk.rows("groups")}
    assert list(found) == [None, "Everyone", "Chemistry", "Sales"]
    everybody, chemistry = found[None], found["Chemistry"]
    assert (everybody["members"], everybody["active"], everybody["uses"], everybody["uses_per_user"]) == (4, 3, 9, 3.0)
    assert (chemistry["members"], chemistry["active"], chemistry["active_percent"]) == (2, 1, 50.0)
    assert (chemistry["uses_per_user"], chemistry["against_organisation"]) == (6.0, 2.0)


def test_what_a_group_uses_is_compared_with_all_users(desk: Desk) -> None:
    desk.put(
        *work("ann", 2, 3, function="Fit"), *work("bob", 2, function="Fit"), *work("cleo", 2, function="Sum"),
        *work("dan", 2, function="Fit"), *work("dan", 2, function="Sum"), *work("eve", 2, function="Sum"),
    )  # fmt: skip
    found = {(row["group"], row["feature"]): row for row in desk.rows("group-features", at_least=1)}
    fit = found["Chemistry", "Fit"]
    assert (fit["users"], fit["group_percent"], fit["all_percent"]) == (2, 100.0, 60.0)
    assert fit["lift"] == pytest.approx(1 / 0.6)
    assert fit["kind"] == "function"
    # Of 5 users 2 are in the group, 3 use it, 2 do both.
    assert fit["correlation"] == pytest.approx((2 * 5 - 3 * 2) / math.sqrt(3 * 2 * 2 * 3))
    assert ("Chemistry", "Sum") not in found
    assert desk.rows("group-features", at_least=3) == []


def test_features_are_functions_else_types(desk: Desk) -> None:
    desk.put(*work("ann", 12, 2, function="Fit"), *work("bob", 12, type="login"), *work("ann", 3, function="Fit"))
    fit, login = desk.rows("features", since=at(11, 0))
    assert (fit["feature"], fit["kind"], fit["users"], fit["previous_users"], fit["uses"]) == (
        "Fit",
        "function",
        1,
        1,
        2,
    )
    assert (login["feature"], login["kind"], login["user_percent"]) == ("login", "type", 50.0)

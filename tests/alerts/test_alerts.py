"""What alerts find, on real parts: an engine and a clock that is turned by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.alerting import failed, failures, look, rule
from support.beside import Clock, House
from support.reading import event
from support.webhooks import Receiver
from whodid.analysis.group_settings import set_state
from whodid.directory.nodes import NodeSeen


def test_failed_logins_beyond_a_number_are_told_once_and_end_by_themselves(
    house: House, clock: Clock, hook: Receiver
) -> None:
    rule(house, "failed-logins", options={"above": 3}, severity="critical")
    house.store([*failures(clock, "admin", 5), *failures(clock, "erika", 2)])
    look(house)
    (posted,) = hook.posted
    told = posted.json
    assert (told["alert"], told["state"], told["severity"]) == ("it", "firing", "critical")
    assert told["title"] == "5 failed logins of account admin"
    assert told["text"].startswith(
        "[critical] 5 failed logins of account admin\n5 failed logins of account admin between"
    )
    assert told["details"]["limit"] == 3
    look(house)
    look(house)
    assert len(hook.posted) == 1
    (firing,) = house.beside.alerts.firings.found()
    assert (firing.fingerprint, firing.findings) == ("account=admin", 3)
    look(house, minutes=20)
    assert [posted.json["state"] for posted in hook.posted] == ["firing", "ended"]
    assert house.beside.alerts.firings.found() == []
    assert [row["type"] for row in house.recorded("alert-fired") + house.recorded("alert-ended")] == [
        "alert-fired", "alert-ended",
    ]  # fmt: skip


def test_what_lasts_is_told_again_after_a_while(house: House, clock: Clock, hook: Receiver) -> None:
    rule(house, "failed-logins", options={"above": 3, "window_minutes": 600}, renotify_minutes=60)
    house.store(failures(clock, "admin", 5))
    look(house)
    look(house, minutes=30)
    assert len(hook.posted) == 1
    look(house, minutes=31)
    assert [posted.json["what"] for posted in hook.posted] == ["fired", "again"]


def test_what_is_usual_at_this_time_of_the_week_is_not_told(house: House, clock: Clock, hook: Receiver) -> None:
    rule(house, "failed-logins", options={"compare": "usual", "window_minutes": 60})
    past = [
        one
        for week in range(1, 5)
        for hour in (-2, -1, 0, 1, 2)
        for one in failures(clock, "robot", 20 + week, ago=timedelta(weeks=week, hours=hour, minutes=30))
    ]
    house.store([*past, event("query-start", at=clock.at - timedelta(weeks=5))])
    house.store([*failures(clock, "robot", 25), *failures(clock, "erika", 4)])
    look(house)
    assert hook.posted == []
    house.store(failures(clock, "robot", 60))
    look(house)
    (posted,) = hook.posted
    assert posted.json["details"]["key"] == "robot"
    assert "Usual at this time of the week is" in posted.json["message"]
    assert len(posted.json["details"]["samples"]) == 12


def test_without_a_past_nothing_is_unusual(house: House, clock: Clock, hook: Receiver) -> None:
    rule(house, "failed-logins", options={"compare": "usual"})
    house.store(failures(clock, "admin", 500))
    look(house)
    assert hook.posted == []


def test_the_share_of_errors_by_function(house: House, clock: Clock, hook: Receiver) -> None:
    rule(house, "error-rate", options={"per": "function", "above": 50, "at_least": 5})
    at = clock.at - timedelta(minutes=1)
    house.store([event("run", at=at, function="Sales:bad", level="error") for _ in range(6)])
    house.store([event("run", at=at, function="Sales:good") for _ in range(6)])
    house.store([event("run", at=at, function="Sales:few", level="error") for _ in range(4)])
    look(house)
    (posted,) = hook.posted
    assert posted.json["title"] == "6 errors of 6 events of function Sales:bad"
    assert "100 %" in posted.json["message"]


def test_an_error_is_told_when_it_is_new_and_when_it_is_back(house: House, clock: Clock, hook: Receiver) -> None:
    house.store([failed(clock, "known", kind="KeyError")])
    clock.at = datetime.now(UTC)
    rule(house, "new-error-group")
    look(house)
    house.store([failed(clock, "known", kind="KeyError"), failed(clock, "no column amount")])
    look(house)
    house.store([failed(clock, "no column price", line=3)])
    look(house)
    (posted,) = hook.posted
    assert posted.json["title"].startswith("New error: ValueError")
    assert posted.json["url"] == f"https://audit.example.com/errors/{posted.json['details']['group']}"
    set_state(house.engine.directory, posted.json["details"]["group"], "resolved", by="admin")
    clock.turn(seconds=60)
    house.store([failed(clock, "no column cost")])
    look(house)
    assert hook.posted[-1].json["title"].startswith("Error is back")


def test_an_event_is_told_exactly_once_however_late_it_comes(house: House, clock: Clock, hook: Receiver) -> None:
    house.store([event("role-granted", at=clock.at - timedelta(minutes=5), user="admin")])
    clock.at = datetime.now(UTC)
    rule(house, "event", options={"types": ["role-*", "target-paused"], "per": "event"})
    look(house)
    assert hook.posted == []
    late = event("role-granted", at=clock.at - timedelta(hours=3), user="admin", entities=[("user", "otto", "Otto")])
    house.store([late, event("query-start", user="admin", at=clock.at)])
    for _ in range(3):
        look(house)
    house.store([event("target-paused", at=clock.at, entities=[("target", "siem")])])
    for _ in range(3):
        look(house)
    assert [posted.json["title"] for posted in hook.posted] == [
        "role-granted of user Otto",
        "target-paused of target siem",
    ]
    assert hook.posted[0].json["url"] == f"https://audit.example.com/events/{late.id}"


def test_alerts_on_everything_do_not_alert_on_themselves(house: House, clock: Clock, hook: Receiver) -> None:
    rule(house, "event", options={"types": ["*"], "per": "type"})
    house.store([event("query-start", at=clock.at)])
    for _ in range(4):
        look(house)
    assert not [one for one in house.beside.alerts.firings.found() if one.fingerprint.startswith("alert-")]


def test_a_silent_node_is_told_until_it_is_back(house: House, clock: Clock, hook: Receiver) -> None:
    rule(house, "node-silent")
    node = [("node", "design-1", "design-1")]
    house.store([event("node-silent", at=clock.at, level="warning", source="server", entities=node)])
    look(house)
    look(house)
    assert [posted.json["title"] for posted in hook.posted] == ["Node design-1 is silent"]
    assert len(house.beside.alerts.firings.found()) == 1
    house.store([event("node-back", at=clock.at, source="server", entities=node)])
    look(house)
    assert hook.posted[-1].json["state"] == "ended"
    assert house.beside.alerts.firings.found() == []


def test_a_node_that_was_silent_before_the_alert_was_made_is_told(house: House, clock: Clock, hook: Receiver) -> None:
    directory, long_ago = house.engine.directory, datetime.now(UTC) - timedelta(hours=1)
    directory.note_nodes([NodeSeen(node="api-1", at=long_ago), NodeSeen(node="design-1", at=long_ago)])
    assert directory.tell_silent(0, 60) == ["api-1", "design-1"]
    directory.note_nodes([NodeSeen(node="api-1", at=datetime.now(UTC))])
    house.engine.flush()
    clock.turn(minutes=5)
    rule(house, "node-silent")
    look(house)
    look(house)
    assert [posted.json["title"] for posted in hook.posted] == ["Node design-1 is silent"]


def test_a_user_who_fades_is_told(house: House, clock: Clock, hook: Receiver) -> None:
    past = [
        event("query-start", at=clock.at - timedelta(days=day, minutes=n), user=user)
        for day in range(16, 60)
        for user in ("erika", "otto")
        for n in range(3)
    ]
    house.store([*past, *(event("query-start", at=clock.at - timedelta(days=d), user="otto") for d in range(14))] * 1)
    house.store(
        [
            event("query-start", at=clock.at - timedelta(days=d, minutes=n), user="otto")
            for d in range(14)
            for n in (1, 2)
        ]
    )
    rule(house, "fading-user", options={"users": ["erika", "otto"]})
    look(house)
    (posted,) = hook.posted
    assert posted.json["title"] == "erika fades"
    look(house)
    assert len(hook.posted) == 1


def test_a_column_of_any_report_beyond_a_number(house: House, clock: Clock, hook: Receiver) -> None:
    house.store(
        [event("query-start", at=clock.at - timedelta(hours=1), user=user) for user in ("erika",) * 9 + ("otto",)]
    )
    rule(house, "report", options={"report": "users", "parameters": {"since": "1d"}, "column": "events", "value": 5})
    look(house)
    (posted,) = hook.posted
    assert posted.json["title"] == "Users: erika: events is 9"
    look(house, minutes=10)
    assert house.beside.alerts.firings.found()[0].findings == 1
    look(house, minutes=51)
    assert house.beside.alerts.firings.found()[0].findings == 2


@pytest.mark.parametrize(
    ("measure", "options"),
    [
        ("disk_free_bytes", {"value": 1}),
        ("lag_seconds", {"value": 0, "comparison": "below"}),
        ("rejects", {"value": 0}),
    ],
)
def test_how_whodid_itself_stands(house: House, hook: Receiver, measure: str, options: dict[str, Any]) -> None:
    rule(house, "self", options={"measure": measure, **options})
    look(house)
    told = [posted.json["details"]["measure"] for posted in hook.posted]
    assert told == (["disk_free_bytes"] if measure == "disk_free_bytes" else [])


def test_every_server_looks_at_itself_and_one_at_everything_else(house: House, clock: Clock, hook: Receiver) -> None:
    rule(house, "self", "own", options={"measure": "disk_free_bytes", "value": 1})
    rule(house, "failed-logins", options={"above": 3})
    second = house.another("server-2")
    house.store(failures(clock, "admin", 5))
    look(house)
    second.do_due()
    titles = [posted.json["title"] for posted in hook.posted]
    assert titles.count("5 failed logins of account admin") == 1
    assert {one.fingerprint for one in house.beside.alerts.firings.found(rule="own")} == {
        "disk_free_bytes@server-1", "disk_free_bytes@server-2",
    }  # fmt: skip
    # The one that looks goes away: the other does so when its time is over, and tells nothing twice.
    clock.turn(seconds=301)
    house.store(failures(clock, "otto", 5))
    second.do_due()
    titles = [posted.json["title"] for posted in hook.posted]
    assert titles.count("5 failed logins of account admin") == 1
    assert titles.count("5 failed logins of account otto") == 1

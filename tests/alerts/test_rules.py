"""Rules of alerts: what makes no sense, what stays secret, who looks."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.alerting import SECRET, failures, look, rule
from support.beside import Clock, House
from support.webhooks import Receiver
from whodid.alerts.kinds import KINDS
from whodid.alerts.row import AlertFields, until_of
from whodid.errors import WhodidError

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "options", "more", "complaint"),
    [
        ("nothing", {}, {}, "no kind of alert"),
        ("event", {}, {}, "needs types"),
        ("failed-logins", {"above": "many"}, {}, "above is"),
        ("failed-logins", {"window_minutes": 0}, {}, "window_minutes is"),
        ("failed-logins", {"per": "moon"}, {}, "per is"),
        ("failed-logins", {"nothing": 1}, {}, "no option"),
        ("report", {"report": "users", "column": "person", "value": 1}, {}, "no number"),
        ("report", {"report": "users", "column": "events", "value": 1, "parameters": {"x": 1}}, {}, "no parameter"),
        ("event", {"types": ["x"]}, {"webhooks": ["nowhere"]}, "no webhook"),
        ("event", {"types": ["x"], "groups": ["nowhere"]}, {}, "no group"),
        ("event", {"types": ["x"]}, {"mail": ["a@example.com\r\nBcc: b@example.com"]}, "no mail address"),
        ("event", {"types": ["x"]}, {"name": "firing"}, "cannot be the name"),
        ("event", {"types": ["x"]}, {"renotify_minutes": -1}, "renotify_minutes"),
    ],
)
def test_what_makes_no_sense_is_refused(
    house: House, kind: str, options: dict[str, Any], more: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(WhodidError, match=complaint):
        rule(house, kind, options=options, **more)
    assert house.beside.alerts.all() == []


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("failed-logins", {"window_minutes": 43_200}, "It takes whole numbers from 1 to 1,440."),
        ("failed-logins", {"at_least": 0}, "It takes whole numbers from 1 on."),
        ("report", {"report": "users", "column": "events", "value": "many"}, "It takes numbers."),
    ],
)
def test_who_gives_a_number_out_of_bounds_is_told_the_bounds(
    house: House, kind: str, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(WhodidError, check=lambda error: error.hint == told):
        rule(house, kind, options=options)


@pytest.mark.parametrize("text", ["2x", "999999w", "9999-01-01", "2020-01-01", "", "2h" * 5_000])
def test_who_mutes_until_no_time_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(WhodidError, match="until is") as caught:
        until_of(text, NOW)
    assert caught.value.hint == "Write how long, such as 2h or 3d, or until when: 2026-12-01."


@pytest.mark.parametrize(
    ("text", "at"), [("2h", NOW + timedelta(hours=2)), ("2026-12-01", datetime(2026, 12, 1, tzinfo=UTC))]
)
def test_how_long_is_muted(text: str, at: datetime) -> None:
    assert until_of(text, NOW) == at


def test_no_secret_is_in_events_settings_or_answers(house: House, clock: Clock, hook: Receiver) -> None:
    rule(house, "failed-logins", options={"above": 3})
    house.store(failures(clock, "admin", 5))
    look(house)
    house.beside.alerts.change("it", AlertFields(severity="info"), by="admin")
    text = house.everything() + repr(house.beside.outlets.webhooks()) + repr(house.beside.alerts.shown())
    assert SECRET not in text and "the-secret-of-the-url" not in text
    assert house.beside.outlets.webhooks() == [{"name": "ops", "host": "127.0.0.1", "signed": True}]


def test_every_kind_has_what_finds_it() -> None:
    from whodid.alerts.finding import FINDERS

    assert {kind.find for kind in KINDS.values()} == FINDERS.keys()


def test_it_runs_by_itself_and_ends_at_once(house: House, clock: Clock, hook: Receiver) -> None:
    rule(house, "failed-logins", options={"above": 3})
    house.store(failures(clock, "admin", 5))
    house.beside.start()
    deadline = time.monotonic() + 20
    while not hook.posted and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(hook.posted) == 1
    began = time.monotonic()
    house.beside.close()
    assert time.monotonic() - began < 4

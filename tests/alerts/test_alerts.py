"""Alerts on real parts: an engine, SMTP, a receiver of webhooks, and a clock that is turned by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.beside import Clock, House
from support.mail import MailBox, mail_server
from support.reading import event
from support.webhooks import Receiver, receiver
from whodid.alerts.kinds import KINDS
from whodid.alerts.row import AlertFields, NewAlert
from whodid.analysis.group_settings import set_state
from whodid.delivery.mail import MailServer
from whodid.delivery.webhook import Webhook
from whodid.errors import WhodidError

SECRET = "the-secret-of-the-webhook"
TRACE = 'Traceback (most recent call last):\n  File "/app/sales.py", line {}, in total\n    x()\n{}: {}'


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailBox]:
    with mail_server(tmp_path_factory.mktemp("mail")) as started:
        yield started


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as started:
        yield started


@pytest.fixture
def clock() -> Clock:
    # Reports and receivers know the real time only.
    return Clock(datetime.now(UTC))


@pytest.fixture
def house(tmp_path: Path, clock: Clock, box: MailBox, hook: Receiver) -> Iterator[House]:
    box.mails.clear()
    box.refuse = ""
    made = House(tmp_path / "data", clock)
    made.beside.outlets.set_mail(msgspec.convert(box.settings(), MailServer))
    made.beside.outlets.set_webhook(Webhook(name="ops", url=hook.url, secret=SECRET))
    yield made
    made.close()


def rule(house: House, kind: str, name: str = "it", *, options: dict[str, Any] | None = None, **more: Any) -> None:
    given = {"webhooks": ["ops"], **more}
    house.beside.alerts.create(NewAlert(name=name, kind=kind, options=options or {}, **given), by="admin")


def look(house: House, **span: float) -> None:
    house.clock.turn(**(span or {"seconds": 60}))
    house.beside.do_due()


def failures(clock: Clock, account: str, count: int, *, ago: timedelta = timedelta(seconds=30)) -> list[Any]:
    at = clock.at - ago
    return [event("login-failed", at=at, user=None, parameters={"login": account}) for _ in range(count)]


def failed(clock: Clock, message: str, line: int = 1, kind: str = "ValueError", **more: Any) -> Any:
    trace = TRACE.format(line, kind, message)
    given = {"user": "erika", "level": "error", "error_message": message, "error_stack_trace": trace, **more}
    return event("query-failed", at=clock.at - timedelta(seconds=5), **given)


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


def test_a_muted_firing_is_quiet_until_then(house: House, clock: Clock, hook: Receiver) -> None:
    rule(house, "failed-logins", options={"above": 3, "window_minutes": 600}, renotify_minutes=10)
    house.store(failures(clock, "admin", 5))
    look(house)
    (firing,) = house.beside.alerts.firings.found()
    house.beside.alerts.mute_firing(firing.id[:8], "2h", by="admin")
    look(house, minutes=90)
    assert len(hook.posted) == 1
    assert house.beside.alerts.firings.found()[0].shown(clock.at)["state"] == "muted"
    look(house, minutes=31)
    assert len(hook.posted) == 2
    (muted,) = house.recorded("alert-muted")
    assert (muted["user"], muted["entity_id"]) == ("admin", "it")


def test_a_muted_rule_notes_what_it_finds_and_tells_nobody(house: House, clock: Clock, hook: Receiver) -> None:
    rule(house, "failed-logins", options={"above": 3, "window_minutes": 600})
    house.beside.alerts.mute("it", "1h", by="admin")
    house.store(failures(clock, "admin", 5))
    look(house)
    assert hook.posted == [] and len(house.beside.alerts.firings.found()) == 1
    look(house, minutes=61)
    assert [posted.json["what"] for posted in hook.posted] == ["again"]


def test_what_was_resolved_while_it_lasts_is_new_only_after_it_was_over(
    house: House, clock: Clock, hook: Receiver
) -> None:
    rule(house, "failed-logins", options={"above": 3})
    house.store(failures(clock, "admin", 5))
    look(house)
    (firing,) = house.beside.alerts.firings.found()
    resolved = house.beside.alerts.resolve(firing.id, by="erika")
    assert (resolved.state, resolved.ended_by) == ("resolved", "erika")
    with pytest.raises(WhodidError, match="resolved already"):
        house.beside.alerts.resolve(firing.id, by="erika")
    look(house)
    assert [posted.json["what"] for posted in hook.posted] == ["fired", "resolved"]
    assert hook.posted[-1].json["text"].startswith("[warning] resolved: 5 failed logins")
    look(house, minutes=20)
    house.store(failures(clock, "admin", 5))
    look(house)
    assert [posted.json["what"] for posted in hook.posted] == ["fired", "resolved", "fired"]
    assert house.recorded("alert-resolved")[0]["user"] == "erika"


def test_an_alert_goes_by_mail_too(house: House, clock: Clock, box: MailBox) -> None:
    rule(house, "failed-logins", options={"above": 3}, mail=["ops@example.com"], webhooks=[], description="Call <Otto>")
    house.store(failures(clock, "<script>alert(1)</script>\r\nBcc: all@example.com", 5))
    look(house)
    (mail,) = box.mails
    assert str(mail["Subject"]).strip().startswith("[warning] 5 failed logins of account <script>alert(1)</script>")
    assert mail["Bcc"] is None
    html = mail.get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content() and "Call &lt;Otto&gt;" in html.get_content()
    assert "whodid alert resolve" in html.get_content()


def test_a_name_calls_nobody_in_a_chat(house: House, clock: Clock, hook: Receiver) -> None:
    rule(house, "failed-logins", options={"above": 3})
    house.store(failures(clock, "<!channel> & co", 5))
    look(house)
    assert "&lt;!channel&gt; &amp; co" in hook.posted[0].json["text"]


def test_a_webhook_that_fails_is_tried_again_and_given_up(house: House, clock: Clock, hook: Receiver) -> None:
    rule(house, "failed-logins", options={"above": 3, "window_minutes": 1440}, renotify_minutes=0)
    house.store(failures(clock, "admin", 5))
    hook.status = 503
    look(house)
    look(house, minutes=2)
    assert len(hook.posted) == 2
    assert len({posted.headers["whodid-id"] for posted in hook.posted}) == 1
    hook.status = 410
    look(house, minutes=10)
    (given_up,) = house.recorded("alert-not-told")
    assert "410" in given_up["error_message"] and "the-secret-of-the-url" not in repr(given_up)
    look(house, minutes=10)
    assert len(hook.posted) == 3


def test_one_that_cannot_be_looked_for_says_why_and_stops_no_other(house: House, clock: Clock, hook: Receiver) -> None:
    directory = house.engine.directory
    directory.create_user("auditor")
    grant = directory.grant("auditor", user="auditor")
    options = {"report": "users", "column": "events", "value": 1, "as_user": "auditor", "every_minutes": 1}
    rule(house, "report", "a-broken", options=options)
    rule(house, "failed-logins", options={"above": 3})
    directory.revoke_grant(grant.id)
    house.store(failures(clock, "admin", 5))
    look(house)
    assert len(hook.posted) == 1
    shown = {one["name"]: one for one in house.beside.alerts.shown()}
    assert "may see nothing" in shown["a-broken"]["problem"] and shown["it"]["problem"] is None


def test_a_rule_that_is_gone_leaves_nothing_firing(house: House, clock: Clock) -> None:
    rule(house, "failed-logins", options={"above": 3})
    house.store(failures(clock, "admin", 5))
    look(house)
    house.beside.alerts.delete("it", by="admin")
    assert house.beside.alerts.firings.found() == []
    look(house)
    rule(house, "failed-logins", options={"above": 3})
    look(house)
    assert len(house.beside.alerts.firings.found(all=True)) == 2


def test_trying_a_rule_out_tells_nobody(house: House, clock: Clock, hook: Receiver) -> None:
    house.store([*failures(clock, "admin", 5), event("role-granted", at=clock.at, user="admin")])
    tried = house.beside.alerts.try_out(NewAlert(name="t", kind="failed-logins", options={"above": 3}))
    assert [one.title for one in tried] == ["5 failed logins of account admin"]
    tried = house.beside.alerts.try_out(NewAlert(name="t", kind="event", options={"types": ["role-*"]}))
    assert [one.title for one in tried] == ["role-granted by admin"] or len(tried) == 1
    assert hook.posted == [] and house.beside.alerts.all() == [] and house.beside.alerts.firings.found(all=True) == []


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

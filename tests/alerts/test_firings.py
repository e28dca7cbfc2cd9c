"""What becomes of a finding: told by webhook and mail, muted, resolved, given up."""

from __future__ import annotations

import pytest

from support.alerting import failures, look, rule
from support.beside import Clock, House
from support.mail import MailBox
from support.reading import event
from support.webhooks import Receiver
from whodid.alerts.row import AlertFields, NewAlert
from whodid.errors import WhodidError


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


def test_a_rule_that_names_nobody_has_told_nobody(house: House, clock: Clock, hook: Receiver) -> None:
    rule(house, "failed-logins", options={"above": 3, "window_minutes": 600}, webhooks=[])
    house.store(failures(clock, "admin", 5))
    look(house)
    (firing,) = house.beside.alerts.firings.found()
    assert firing.told_at is None and len(house.recorded("alert-fired")) == 1
    house.beside.alerts.change("it", AlertFields(webhooks=["ops"]), by="admin")
    look(house)
    look(house)
    assert len(hook.posted) == 1
    assert house.beside.alerts.firings.found()[0].told_at is not None


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

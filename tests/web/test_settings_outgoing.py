"""The pages of what goes out by itself: scheduled reports, alerts, webhooks, mail, the audit as files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import httpx
import pytest

from support.mail import PASSWORD, MailBox
from support.reading import event
from support.web import WebServer
from support.webhooks import Receiver
from whodid.directory.sign_in import COOKIE

SECRET = "the-secret-of-the-webhook"
LOGINS = {"option_per": "account", "option_compare": "above"}


@pytest.fixture
def admin(server: WebServer) -> Iterator[httpx.Client]:
    """The browser of an administrator."""
    directory = server.engine.directory
    if not any(one.login == "root" for one in directory.users(text="root")):
        directory.create_user("root", by="test")
        directory.grant("admin", user="root", by="test")
    _, secret = directory.open_browser("root", way="password")
    headers = {"origin": server.url, "referer": f"{server.url}/settings"}
    with httpx.Client(base_url=server.url, cookies={COOKIE: secret}, headers=headers, timeout=60) as client:
        yield client


def done(client: httpx.Client, path: str, /, **fields: str) -> str:
    """The page that a form which was taken leads to."""
    answer = client.post(path, data=fields)
    assert answer.status_code == 303, answer.text
    return page(client, answer.headers["location"])


def page(client: httpx.Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


def test_an_alert_is_tried_made_fires_is_muted_and_resolved_on_its_pages(
    admin: httpx.Client, server: WebServer, hook: Receiver
) -> None:
    assert "ops is added" in done(admin, "/settings/add/webhooks", name="ops", url=hook.url, secret=SECRET)
    assert "The other side answered 200" in unescape(admin.post("/settings/webhooks/ops/test").text)
    at = datetime.now(UTC) - timedelta(seconds=5)
    server.store([event("login-failed", at=at, parameters={"login": "admin"}) for _ in range(3)])
    form = {**LOGINS, "name": "probes", "option_above": "2", "severity": "critical", "webhooks.ops": "on"}
    tried = admin.post("/settings/add/alerts/failed-logins", data={**form, "do": "try"}).text
    assert "It would fire 1 time now" in tried and "3 failed logins of account admin" in tried
    assert "probes is added" in done(admin, "/settings/add/alerts/failed-logins", **form)
    server.services.beside.do_due()
    listed = page(admin, "/settings/alerts")
    assert "3 failed logins of account admin" in listed
    (firing,) = set(re.findall(r"/settings/alerts/firing/([0-9a-f-]{36})/resolve", listed))
    assert "Quiet until" in done(admin, f"/settings/alerts/firing/{firing}/mute", until="4h")
    assert "It is told again" in done(admin, f"/settings/alerts/firing/{firing}/mute")
    assert "Resolved: 3 failed logins" in done(admin, f"/settings/alerts/firing/{firing}/resolve")
    assert "resolved" in page(admin, f"/settings/alerts/firing/{firing}")
    server.services.beside.do_due()
    assert [posted.json.get("what") for posted in hook.posted] == ["test", "fired", "resolved"]
    assert [
        len(server.recorded(kind)) for kind in ("alert-fired", "alert-muted", "alert-unmuted", "alert-resolved")
    ] == [1] * 4
    assert "probes is quiet until" in done(admin, "/settings/alerts/probes/mute", until="1d")
    assert re.search(r"muted until [-0-9]+ [:0-9]+ UTC<", admin.get("/settings/alerts").text)
    changed = {**LOGINS, "option_above": "9", "severity": "info", "enabled": "on"}
    assert "Kept." in done(admin, "/settings/alerts/probes", **changed)
    rule = server.services.beside.alerts.get("probes")
    assert (rule.options["above"], rule.options["per"], rule.severity, rule.webhooks) == (9, "account", "info", [])
    assert "0 firings that go on end" in page(admin, "/settings/alerts/probes/delete")
    assert "probes is deleted" in done(admin, "/settings/alerts/probes/delete")
    assert SECRET not in page(admin, "/settings/webhooks/ops") and hook.url not in page(admin, "/settings/webhooks/ops")
    assert "ops is forgotten" in done(admin, "/settings/webhooks/ops/delete")


@pytest.mark.parametrize(
    "kind",
    [
        "new-error-group",
        "error-rate",
        "failed-logins",
        "event-count",
        "event",
        "node-silent",
        "fading-user",
        "report",
        "self",
    ],
)
def test_every_kind_of_alert_has_its_form(admin: httpx.Client, kind: str) -> None:
    assert 'name="name"' in page(admin, f"/settings/add/alerts/{kind}")


def test_what_is_wrong_with_an_alert_stands_beside_its_field(admin: httpx.Client) -> None:
    form = {**LOGINS, "name": "wrong name!", "severity": "info"}
    answer = admin.post("/settings/add/alerts/failed-logins", data=form)
    assert answer.status_code == 400 and 'id="f1-name-wrong"' in answer.text
    form = {
        "name": "report",
        "severity": "info",
        "option_report": "users",
        "option_column": "nothing",
        "option_comparison": "above",
        "option_value": "1",
    }
    assert 'id="f1-option_column-wrong"' in admin.post("/settings/add/alerts/report", data=form).text
    form = {"name": "mails", "severity": "info", "mail": "no address"}
    assert 'id="f1-mail-wrong"' in admin.post("/settings/add/alerts/node-silent", data=form).text


def test_a_schedule_is_tried_made_run_paused_and_deleted_on_its_pages(
    admin: httpx.Client, server: WebServer, tmp_path: Path
) -> None:
    done(admin, "/settings/add/connections/folder", name="lake", option_path=str(tmp_path))
    form = {
        "name": "weekly", "report": "users", "cron": "0 7 * * MON", "zone": "Europe/Berlin", "connection": "lake",
        "path": "users", "format": "csv", "parameters": "since = 7d\nusers = erika\nusers = otto",
    }  # fmt: skip
    tried = admin.post("/settings/add/schedules", data={**form, "do": "dry-run"}).text
    assert "would go to lake:users/weekly_" in tried
    assert "weekly is added" in done(admin, "/settings/add/schedules", **form)
    made = server.services.beside.schedules.get("weekly")
    assert made.parameters == {"since": "7d", "users": ["erika", "otto"]} and made.as_user is None
    assert "went to lake:users/weekly_" in done(admin, "/settings/schedules/weekly/run")
    assert "lake:users/weekly_" in page(admin, "/settings/schedules/weekly")
    assert [path.suffix for path in (tmp_path / "users").iterdir()] == [".csv"]
    assert "would go to" in admin.post("/settings/schedules/weekly/dry-run").text
    assert "Kept" in done(admin, "/settings/schedules/weekly", **{**form, "parameters": "since = 7d\nlimit = 1"})
    assert re.search(
        r"1 of \d rows \(cut at its limit\) would go to", admin.post("/settings/schedules/weekly/dry-run").text
    )
    assert re.search(r"1 of \d rows \(cut at its limit\) went to", done(admin, "/settings/schedules/weekly/run"))
    assert re.search(r'number">1 <small class="quiet">of \d</small>', page(admin, "/settings/schedules/weekly"))
    assert "is paused" in done(admin, "/settings/schedules/weekly/pause")
    assert "goes on" in done(admin, "/settings/schedules/weekly/resume")
    answer = admin.post("/settings/schedules/weekly", data={**form, "cron": "every monday"})
    assert answer.status_code == 400 and 'id="f3-cron-wrong"' in answer.text
    assert "weekly" in page(admin, "/settings/schedules")
    assert "the notes of 2 runs are forgotten" in page(admin, "/settings/schedules/weekly/delete")
    assert "is deleted" in done(admin, "/settings/schedules/weekly/delete")


def test_the_mail_server_is_set_tested_and_forgotten_on_its_page(admin: httpx.Client, box: MailBox) -> None:
    settings = {name: str(value) for name, value in box.settings().items() if value}
    assert "Send a test" in done(admin, "/settings/mail", **settings)
    shown = page(admin, "/settings/mail")
    assert settings["host"] in shown and PASSWORD not in shown
    assert "took a test for erika@example.com" in done(admin, "/settings/mail/test", to="erika@example.com")
    assert str(box.mails[-1]["Subject"]) == "whodid: a test"
    assert 'id="f2-to-wrong"' in admin.post("/settings/mail/test", data={"to": "nobody"}).text
    assert 'id="f1-sender-wrong"' in admin.post("/settings/mail", data={**settings, "sender": "nobody"}).text
    assert "that go by mail will fail" in page(admin, "/settings/mail/delete")
    assert "No mail is sent any more" in done(admin, "/settings/mail/delete")


def test_the_audit_as_files_is_switched_on_and_off_on_its_page(admin: httpx.Client, server: WebServer) -> None:
    assert "dku-audit-log" in page(admin, "/settings/connections")
    assert "is on" in done(admin, "/settings/extensions/dku-audit-log", start="now")
    assert "/settings/targets/dku-audit-log" in page(admin, "/settings/extensions/dku-audit-log")
    assert "stay" in page(admin, "/settings/extensions/dku-audit-log/off")
    assert "is off" in done(admin, "/settings/extensions/dku-audit-log/off")
    assert not server.services.extensions.shown_one("dku-audit-log")["on"]

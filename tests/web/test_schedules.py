"""Scheduled reports, alerts, mail and webhooks over HTTP."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.mail import PASSWORD, MailBox
from support.reading import event
from support.web import WebServer
from support.webhooks import Receiver

SECRET = "the-secret-of-the-webhook"


def test_a_schedule_from_its_making_to_its_end(server: WebServer, tmp_path: Path) -> None:
    client = server.client
    options = {"path": str(tmp_path)}
    assert (
        client.post("/v1/connections", json={"name": "lake", "kind": "folder", "options": options}).status_code == 201
    )
    new = {
        "name": "weekly", "report": "users", "cron": "0 7 * * MON", "zone": "Europe/Berlin",
        "parameters": {"since": "7d"}, "to": {"connection": "lake", "path": "users"}, "as_user": None,
    }  # fmt: skip
    shown = client.post("/v1/schedules/dry-run", json=new).json()
    assert shown["rows"] >= 1 and shown["to"].startswith("lake:users/weekly_")
    made = client.post("/v1/schedules", json=new)
    assert made.status_code == 201 and made.json()["next"] > datetime.now(UTC).isoformat()
    assert client.post("/v1/schedules", json=new).status_code == 409
    assert client.post("/v1/schedules", json=new | {"name": "other", "cron": "* * * * * *"}).status_code == 400
    run = client.post("/v1/schedules/weekly/run").json()
    assert run["state"] == "done" and (tmp_path / run["to"].removeprefix("lake:")).is_file()
    assert client.get("/v1/schedules/weekly/runs").json()["runs"][0]["to"] == run["to"]
    assert client.post("/v1/schedules/weekly/pause").json()["enabled"] is False
    assert client.get("/v1/schedules").json()["schedules"][0]["next"] is None
    assert client.post("/v1/schedules/weekly/resume").json()["enabled"] is True
    assert client.patch("/v1/schedules/weekly", json={"cron": "@daily"}).json()["cron"] == "0 0 * * *"
    assert client.delete("/v1/schedules/weekly").status_code == 200
    assert client.get("/v1/schedules/weekly").status_code == 404
    (sent,) = server.recorded("report-sent")
    assert json.loads(sent["parameters"])["what"] == "report users"
    report = client.get("/v1/reports/audit-readers?since=1d").json()
    assert "report users" in json.dumps(report) or report["rows"]


def test_the_mail_server_keeps_its_password_to_itself(server: WebServer, box: MailBox) -> None:
    client = server.client
    answer = client.put("/v1/mail", json=box.settings())
    assert answer.status_code == 200 and answer.json()["mail"]["password"] == "***"
    assert client.post("/v1/mail/test", json={"to": "erika@example.com"}).status_code == 200
    assert str(box.mails[-1]["Subject"]) == "whodid: a test"
    kept = client.put("/v1/mail", json=box.settings(password=""))
    assert kept.status_code == 200
    assert client.post("/v1/mail/test", json={"to": "erika@example.com"}).status_code == 200
    stolen = client.put("/v1/mail", json=box.settings(password="", host="127.0.0.1"))
    assert stolen.status_code == 400, "a password goes to the host that it was given for"
    for bad in (
        {"host": "a b"},
        {"sender": "x\r\nBcc: y@example.com"},
        {"security": "none", "host": "mail.example.com"},
    ):
        assert client.put("/v1/mail", json=box.settings(**bad)).status_code == 400
    assert PASSWORD not in client.get("/v1/mail").text
    server.engine.flush()
    everything = server.engine.store.query("SELECT * FROM events", limit=10_000, trusted=True).table.to_pylist()
    assert PASSWORD not in repr(everything)


def test_an_alert_from_its_making_to_its_end(server: WebServer, hook: Receiver) -> None:
    client = server.client
    kinds = {kind["name"]: kind for kind in client.get("/v1/alerts/kinds").json()["kinds"]}
    assert {"new-error-group", "failed-logins", "report", "self"} <= kinds.keys()
    made = client.put("/v1/webhooks/ops", json={"url": hook.url, "secret": SECRET})
    assert made.json() == {"name": "ops", "host": "127.0.0.1", "signed": True}
    assert client.post("/v1/webhooks/ops/test").json() == {"webhook": "ops", "status": 200}
    assert client.put("/v1/webhooks/bad", json={"url": "file:///etc/passwd"}).status_code == 400
    new = {"name": "logins", "kind": "failed-logins", "options": {"above": 2}, "webhooks": ["ops"]}
    at = datetime.now(UTC) - timedelta(seconds=5)
    server.store([event("login-failed", at=at, parameters={"login": "admin"}) for _ in range(3)])
    (found,) = client.post("/v1/alerts/dry-run", json=new).json()["findings"]
    assert found["title"] == "3 failed logins of account admin"
    assert client.post("/v1/alerts", json=new).status_code == 201
    server.services.beside.do_due()
    assert hook.posted[-1].json["title"] == found["title"]
    assert "whodid-signature" in hook.posted[-1].headers
    (firing,) = client.get("/v1/alerts/firing").json()["firings"]
    muted = client.post(f"/v1/alerts/firing/{firing['id']}/mute", json={"until": "2h"}).json()
    assert muted["state"] == "muted"
    assert client.post(f"/v1/alerts/firing/{firing['id']}/mute", json={"until": "2020-01-01"}).status_code == 400
    assert client.post(f"/v1/alerts/firing/{firing['id'][:6]}/resolve").json()["state"] == "resolved"
    assert client.post(f"/v1/alerts/firing/{firing['id']}/resolve").status_code == 409
    assert client.get("/v1/alerts/firing").json()["firings"] == []
    assert len(client.get("/v1/alerts/firing?all=true&rule=logins").json()["firings"]) == 1
    assert client.post("/v1/alerts/logins/mute", json={"until": "1d"}).json()["muted_until"]
    assert client.patch("/v1/alerts/logins", json={"options": {"above": 9}}).json()["options"] == {"above": 9}
    told = client.get("/metrics").text
    assert 'whodid_alert_notices_total{outcome="sent"} 1' in told and "whodid_alerts_firing" in told
    assert client.delete("/v1/alerts/logins").status_code == 200
    assert client.delete("/v1/webhooks/ops").status_code == 200
    assert SECRET not in told + client.get("/v1/webhooks").text


def test_another_address_of_a_webhook_is_not_told_its_secret(server: WebServer, hook: Receiver) -> None:
    server.client.put("/v1/webhooks/moves", json={"url": "http://127.0.0.1:9/", "secret": SECRET})
    moved = server.client.put("/v1/webhooks/moves", json={"url": hook.url})
    assert moved.json()["signed"] is False

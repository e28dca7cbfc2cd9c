"""What is in use is not deleted by mistake, and the refusal names what uses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.web import WebServer


def post(server: WebServer, path: str, **body: Any) -> Any:
    answer = server.client.post(path, json=body)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def refusal(server: WebServer, path: str) -> str:
    answer = server.client.delete(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    return str(answer.json()["error"]["message"])


@pytest.fixture
def archive(server: WebServer, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    post(server, "/v1/connections", name="archive", kind="folder", options={"path": str(tmp_path / "archive")})


@pytest.mark.usefixtures("archive")
def test_a_connection_that_a_schedule_writes_to_stays(server: WebServer) -> None:
    to = {"connection": "archive", "path": "reports"}
    post(server, "/v1/schedules", name="weekly", report="users", cron="0 6 * * 1", to=to, as_user=None)
    assert refusal(server, "/v1/connections/archive") == "archive is used: schedule 'weekly'."
    assert server.client.get("/v1/connections/archive").status_code == 200
    assert server.client.delete("/v1/schedules/weekly").status_code == 200
    assert server.client.delete("/v1/connections/archive").status_code == 200


def test_a_webhook_that_alerts_tell_stays(server: WebServer) -> None:
    server.client.put("/v1/webhooks/ops", json={"url": "http://127.0.0.1:9/"}).raise_for_status()
    post(server, "/v1/alerts", name="logins", kind="failed-logins", options={"above": 2}, webhooks=["ops"])
    assert refusal(server, "/v1/webhooks/ops") == "ops is used: alert 'logins'."
    assert server.client.delete("/v1/alerts/logins").status_code == 200
    assert server.client.delete("/v1/webhooks/ops").status_code == 200


@pytest.mark.usefixtures("archive")
def test_a_group_that_is_meant_by_settings_stays(server: WebServer, tmp_path: Path) -> None:
    post(server, "/v1/users", login="ada")
    post(server, "/v1/groups", name="team")
    post(server, "/v1/groups/team/members", user="ada")
    post(server, "/v1/grants", role="auditor", group="team")
    post(server, "/v1/policies", name="quiet", group="team", left_out=["secret"])
    post(server, "/v1/alerts", name="logins", kind="event-count",
         options={"types": ["login"], "above": 2, "groups": ["team"]})  # fmt: skip
    post(server, "/v1/captures", name="look", reason="a test", group="team", types=["login"], duration_s=600)
    server.client.patch("/v1/connections/archive", json={"groups": ["team"]}).raise_for_status()
    post(server, "/v1/targets", name="files", kind="files", options={"path": str(tmp_path / "out")},
         selection={"groups": ["team"]})  # fmt: skip
    assert refusal(server, "/v1/groups/team") == (
        "team is used: policy rule 'quiet', capture 'look', connection 'archive', target 'files', alert 'logins'."
    )
    assert server.engine.directory.group_logins("team") == ["ada"]
    # An identity provider decides by itself: then nobody is in the group, and what names it goes on.
    server.engine.directory.delete_group("team")
    assert not server.services.datasets.connections.may_use("archive", "ada", is_admin=False)

"""The policy holds at the doors of other clients too, and what it leaves out is no error for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.clients import ClientServer
from whodid.policy.rule import RuleFields


@pytest.fixture
def quiet(server: ClientServer) -> Iterator[None]:
    policies = server._server.engine.policies
    policies.create("quiet", RuleFields(level="verbose", switched_off=["Button Clicked"]), accept_unknown=True)
    yield
    policies.delete("quiet")


def test_a_segment_client_hears_success(server: ClientServer, quiet: None) -> None:
    batch = [
        {"type": "track", "userId": "ada", "event": name, "messageId": f"m-{name}", "timestamp": "2026-05-01T12:00:00Z"}
        for name in ("Button Clicked", "Report Opened")
    ]
    answer = server.http.post("/v1/batch", json={"batch": batch})
    assert answer.status_code == 200, answer.text
    assert [row["type"] for row in server.stored("segment")] == ["Report Opened"]
    all_of_it = server.http.post("/v1/batch", json={"batch": batch[:1]})
    assert all_of_it.status_code == 200


def test_the_plain_door_tells_how_many(server: ClientServer, quiet: None) -> None:
    answer = server.http.post("/log", json={"type": "Button Clicked", "message": "x"})
    assert answer.status_code == 200, answer.text

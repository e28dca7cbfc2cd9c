"""Receivers over HTTP, on the page of the status and in metrics: who is there, who is missed, what was lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from support.web import WebServer
from whodid.directory import tables
from whodid.directory.receivers import Sign
from whodid.event import new_id


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebServer]:
    """This server, one that is there, and one that fell silent with 30 events."""
    server = WebServer(tmp_path / "data")
    server.engine.presence.start(server.url)
    note(server, 'here"', problems=["The disk is full: 1 byte is left."])
    gone = note(
        server,
        "gone",
        acknowledged=130,
        settled=100,
        targets=[{"name": "siem", "state": "running", "waiting_events": 12, "dead_letters": 0, "lost": 0}],
    )
    rows = tables.receivers
    with server.engine.directory.writing() as connection:
        old = datetime.now(UTC) - timedelta(minutes=5)
        connection.execute(update(rows).where(rows.c.receiver == gone).values(last_seen=old))
    server.engine.directory.tell_silent_receivers(30)
    yield server
    server.close()


def note(server: WebServer, name: str, *, acknowledged: int = 0, settled: int = 0, **standing: Any) -> str:
    told = {
        "ready": True,
        "problems": [],
        "lag_seconds": 0.5,
        "events_per_second": 7.0,
        "disk_free_bytes": 9,
        **standing,
    }
    sign = Sign(
        receiver=new_id(), name=name, host=name, folder="/data", address=f"http://{name}:8400", version="0.0.9",
        journal="disk", state="serving", started_at=datetime.now(UTC), acknowledged=acknowledged, settled=settled,
        standing=told,
    )  # fmt: skip
    server.engine.directory.note_receiver(sign)
    return sign.receiver


def test_all_are_listed_with_what_follows(web: WebServer) -> None:
    receivers = {one["name"]: one for one in web.client.get("/v1/receivers").json()["receivers"]}
    assert len(receivers) == 3
    gone = receivers["gone"]
    assert (gone["state"], gone["said"], gone["unsettled_events"], gone["lost_events"]) == ("silent", "serving", 30, 0)
    own = web.client.get(f"/v1/receivers/{web.engine.presence.receiver}").json()
    assert (own["state"], own["address"], own["standing"]["ready"]) == ("serving", web.url, True)
    assert web.client.get("/v1/receivers/nobody").status_code == 404
    assert [one["name"] for one in web.client.get("/v1/status").json()["receivers"]] == list(receivers)


def test_one_that_is_gone_is_given_up_with_what_it_held(web: WebServer) -> None:
    assert web.client.delete("/v1/receivers/here%22").status_code == 409
    reader = web.as_caller(web.engine.directory.create_key("reader", ["read"])[1])
    assert reader.delete("/v1/receivers/gone").status_code == 403
    given_up = web.client.delete("/v1/receivers/gone").json()
    assert (given_up["state"], given_up["lost_events"]) == ("retired", 30)
    assert (given_up["lost_first"], given_up["lost_last"]) == (101, 130)
    assert "gone" not in [one["name"] for one in web.client.get("/v1/receivers").json()["receivers"]]
    assert "gone" in [one["name"] for one in web.client.get("/v1/receivers?retired=true").json()["receivers"]]
    (lost,) = web.recorded("receiver-lost")
    (retired,) = web.recorded("receiver-retired")
    assert (lost["entity_name"], retired["user"]) == ("gone", "api:owner of the data folder")


def test_those_that_hold_nothing_are_forgotten_after_a_day(web: WebServer) -> None:
    directory, rows = web.engine.directory, tables.receivers
    stopped, holding, stateless = (note(web, name, acknowledged=9, settled=9) for name in ("stopped", "held", "kafka"))
    for receiver, values in (
        (stopped, {"state": "stopped"}),
        (holding, {"state": "stopped", "settled": 8}),
        (stateless, {"journal": "kafka", "settled": 0}),
    ):
        with directory.writing() as connection:
            connection.execute(update(rows).where(rows.c.receiver == receiver).values(**values))
    for age_h, gone in ((23, set()), (25, {"stopped", "kafka"})):
        with directory.writing() as connection:
            old = datetime.now(UTC) - timedelta(hours=age_h)
            ours = rows.c.receiver == web.engine.presence.receiver
            connection.execute(update(rows).where(~ours).values(last_seen=old))
        web.engine.presence.look()
        assert {one.name for one in directory.receivers(retired=True) if one.now_is == "retired"} == gone
    assert directory.receiver("gone").now_is == "silent"


def test_metrics_tell_each(web: WebServer) -> None:
    text = web.client.get("/metrics").text
    lines = {line.partition(" ")[0]: line.rpartition(" ")[2] for line in text.splitlines() if not line.startswith("#")}
    of = {
        one["name"]: f'{{receiver="{one["receiver"]}",name="{one["name"].replace(chr(34), chr(92) + chr(34))}"}}'
        for one in web.client.get("/v1/receivers").json()["receivers"]
    }
    assert lines[f"whodid_receiver_silent{of['gone']}"] == "1"
    assert lines[f"whodid_receiver_silent{of['here' + chr(34)]}"] == "0"
    assert lines[f"whodid_receiver_ready{of['gone']}"] == "0"
    assert lines[f"whodid_receiver_lag_seconds{of['gone']}"] == "0.5"


def test_the_page_says_what_is_wrong(web: WebServer) -> None:
    page = web.client.get("/settings/status").text
    assert "The receiver gone is silent for" in page
    assert "Up to 30 events may wait in its journal." in page
    assert "The receiver here&#34;: The disk is full: 1 byte is left." in page
    lost = web.engine.directory.receiver("gone")
    web.engine.directory.lose_receiver(lost, 110)
    page = web.client.get("/settings/status").text
    assert "20 events that it had acknowledged: numbers 111 to 130" in page
    assert "Up to 12 stored events of the receiver gone did not reach the target siem" in page


def test_readiness_is_asked_for_what_there_is(web: WebServer) -> None:
    assert web.stranger.get("/readyz?for=receiving").status_code == 200
    assert web.stranger.get("/readyz?for=all").status_code == 200
    assert web.stranger.get("/readyz?for=fun").status_code == 400
    web.engine.presence.drain()
    assert web.stranger.get("/readyz?for=receiving").status_code == 503

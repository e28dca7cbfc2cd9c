"""What is logged arrives, once, whatever the server does meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from support.logging_server import Events, Scripted, spooled_files, wait_until
from support.serving import ServerProcess
from whodid.client import Logger
from whodid.errors import WhodidError

MakeLogger = Callable[..., Logger]


def test_events_arrive_in_batches(logger: Logger, events: Events) -> None:
    for number in range(2_500):
        logger.usage("step", {"number": number})
    found = events.of(logger)
    assert [row["parameters"]["number"] for row in found] == list(range(2_500))
    assert logger.stats().sent == 2_500


def test_a_few_events_are_sent_after_the_interval(shared_server: ServerProcess, make_logger: MakeLogger) -> None:
    logger = make_logger(shared_server.url, flush_interval_ms=50)
    logger.audit("alone")
    wait_until(lambda: logger.stats().sent == 1, "the interval passed without sending")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 507])
def test_temporary_refusals_are_tried_again_with_the_same_ids(status: int, make_logger: MakeLogger) -> None:
    with Scripted((status, {}, {}), (status, {}, {})) as server:
        logger = make_logger(server.url)
        identifier = logger.audit("again")
        assert logger.flush(10)
        assert server.ids == [identifier] * 3
        assert (logger.stats().sent, logger.stats().retries) == (1, 2)


def test_retry_after_is_honoured_even_by_flush(make_logger: MakeLogger) -> None:
    with Scripted((429, {"Retry-After": "1"}, {})) as server:
        logger = make_logger(server.url, retry_min_ms=1)
        logger.audit("later")
        assert logger.flush(10)
        assert server.times[1] - server.times[0] >= 1.0


def test_waits_between_tries_grow_and_are_not_all_alike(make_logger: MakeLogger) -> None:
    with Scripted(*[(503, {}, {})] * 6) as server:
        logger = make_logger(server.url, retry_min_ms=20, flush_interval_ms=10)
        logger.audit("later")
        wait_until(lambda: logger.stats().sent == 1, "never sent")
        waits = [after - before for before, after in zip(server.times, server.times[1:], strict=False)]
        assert 0.01 <= waits[0] < 0.25
        assert waits[5] > waits[0] * 4


@pytest.mark.parametrize("status", [401, 403, 404, 302])
def test_a_refused_key_keeps_events_and_does_not_hammer(
    status: int, make_logger: MakeLogger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Scripted() as server:
        server.then = (status, {}, {"error": {"code": "unauthorized", "message": "This key is unknown."}})
        logger = make_logger(server.url, flush_interval_ms=10)
        for number in range(30):
            logger.audit("kept", {"number": number})
            time.sleep(0.01)
        wait_until(lambda: logger.stats().spooled == 30, "not on disk")
        assert len(server.requests) == 1, "a refused client has to wait"
        assert [record.message.count("This key is unknown.") for record in caplog.records] == [1]
        logger.close()
        refused = len(server.requests)
        server.then = (200, {}, None)
        successor = make_logger(server.url, "a better key")
        successor.audit("new")
        wait_until(lambda: successor.stats().sent == 31, "the kept events were not sent")
        sent = [event for request in server.requests[refused:] for event in request]
        kept = [event["parameters"]["number"] for event in sent if event["description"] == "kept"]
        assert kept == list(range(30))
        assert sent[-1]["description"] == "new", "older ones go first"
    assert not spooled_files(tmp_path / "spool")


def test_a_request_that_is_too_large_is_halved(make_logger: MakeLogger) -> None:
    def at_most_ten(events: list[object]) -> tuple[int, dict[str, str], dict[str, object] | None]:
        return (200, {}, None) if len(events) <= 10 else (413, {}, {})

    with Scripted() as server:
        server.then = at_most_ten
        logger = make_logger(server.url)
        identifiers = [logger.audit("part", {"number": number}) for number in range(100)]
        assert logger.flush(10)
        taken = [event["id"] for request in server.requests if len(request) <= 10 for event in request]
        assert taken == identifiers
        assert logger.stats().sent == 100


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_what_can_never_be_taken_is_kept_apart_and_reported_once(
    status: int, make_logger: MakeLogger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Scripted() as server:
        server.then = (status, {}, {"error": {"message": "No."}})
        logger = make_logger(server.url)
        for _ in range(2):
            logger.audit("hopeless")
            assert logger.flush(10)
        assert logger.stats().dead == 2
        assert len(server.requests) == 2
    assert len(list((tmp_path / "spool").rglob("dead/*.ndjson.gz"))) == 2
    assert len(caplog.records) == 1
    assert "whodid import" in caplog.records[0].message


def test_rejected_events_are_counted_and_not_sent_again(logger: Logger, caplog: pytest.LogCaptureFixture) -> None:
    logger.audit("bad", id="00000000-0000-7000-8000-000000000001", duration_ms=-1.0)
    logger.audit("good")
    assert logger.flush(10)
    stats = logger.stats()
    assert (stats.sent, stats.rejected, stats.waiting) == (1, 1, 0)
    assert "duration_ms" in caplog.text


def test_nothing_is_lost_in_a_restart(free_port: int, tmp_path: Path, make_logger: MakeLogger) -> None:
    server = ServerProcess(tmp_path / "data", port=free_port).start()
    logger = make_logger(server.url, topic="restart", flush_interval_ms=20)
    ended = threading.Event()
    logged: list[str] = []

    def log() -> None:
        while not ended.is_set():
            logged.append(logger.audit("step", {"number": len(logged)}))
            time.sleep(0.0005)

    thread = threading.Thread(target=log)
    thread.start()
    try:
        for stop in (server.stop, server.kill):
            time.sleep(0.3)
            stop()
            time.sleep(0.3)
            server.start()
    finally:
        ended.set()
        thread.join()
    found = Events(server, "restart").of(logger, len(logged))
    assert [row["id"] for row in found] == logged
    assert logger.stats().dropped == 0
    server.kill()


def test_audit_sync_returns_when_it_is_on_disk(free_port: int, tmp_path: Path, make_logger: MakeLogger) -> None:
    server = ServerProcess(tmp_path / "data", port=free_port).start()
    logger = make_logger(server.url, topic="sync")
    identifiers = [logger.audit_sync("paid", {"amount": number}) for number in range(20)]
    server.kill()
    server.start()
    assert [row["id"] for row in Events(server, "sync").stored(20)] == identifiers
    server.kill()
    with pytest.raises(WhodidError) as raised:
        logger.audit_sync("paid", timeout_s=0.3)
    assert raised.value.code == "unavailable"
    assert logger.stats().waiting == 0


def test_audit_sync_says_why_the_server_refuses(make_logger: MakeLogger) -> None:
    with Scripted((401, {}, {"error": {"code": "unauthorized", "message": "This key is unknown."}})) as server:
        with pytest.raises(WhodidError, match="This key is unknown") as raised:
            make_logger(server.url).audit_sync("no")
        assert raised.value.code == "unauthorized"


def test_an_answer_of_somebody_else_is_no_yes(make_logger: MakeLogger, caplog: pytest.LogCaptureFixture) -> None:
    with Scripted() as server:
        server.then = (200, {}, {"welcome": "to our hotel"})
        logger = make_logger(server.url)
        logger.audit("kept")
        assert not logger.flush(0.5)
        assert logger.stats().spooled == 1
        assert "leads somewhere else" in caplog.text


def test_a_retry_after_of_zero_is_no_reason_to_hammer(make_logger: MakeLogger) -> None:
    with Scripted() as server:
        server.then = (429, {"Retry-After": "0"}, {})
        logger = make_logger(server.url, retry_min_ms=100)
        logger.audit("later")
        assert not logger.flush(0.5)
        assert 2 <= len(server.requests) <= 6


def test_a_close_that_runs_out_of_time_leaves_one_sender(make_logger: MakeLogger) -> None:
    def hang(events: list[object]) -> tuple[int, dict[str, str], None]:
        time.sleep(1)
        return 200, {}, None

    with Scripted(hang) as server:
        logger = make_logger(server.url, flush_interval_ms=10)
        first = logger.audit("first")
        wait_until(lambda: bool(server.requests), "nothing was posted")
        assert not logger.close(0.1)
        second = logger.audit("second")
        assert logger.flush(10)
        wait_until(lambda: second in server.ids, "not sent")
        assert set(server.ids) == {first, second}
        third = logger.audit("third")
        assert logger.flush(10)
        assert server.ids[-1] == third


def test_times_of_the_callers_own_arrive_in_utc(logger: Logger, events: Events) -> None:
    early = datetime(2020, 5, 6, 7, 8, 9, tzinfo=timezone(timedelta(hours=2)))
    logger.audit("early", time=early)
    assert events.of(logger)[0]["time"].startswith("2020-05-06T05:08:09")


def test_a_logger_goes_on_after_close(logger: Logger, events: Events) -> None:
    logger.audit("first")
    assert logger.close()
    logger.audit("second")
    assert [row["description"] for row in events.of(logger)] == ["first", "second"]

"""Every stored event is offered to each target once, in order, whatever the others do."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from support.targets import DoubleTarget, Watched, event, wait_until, watched
from whodid.dispatch.management import TargetFields
from whodid.dispatch.row import Selection
from whodid.errors import WhodidError
from whodid.targets.base import Gather


def test_events_arrive_in_order_from_the_moment_the_target_is_made(running: Watched) -> None:
    running.post(5)
    other = running.create("siem")
    sent = [identifier for _ in range(30) for identifier in running.post(3)]
    running.settled()
    assert [one for one in other.ids if one in set(sent)] == sent
    assert max(other.sizes) <= 10
    status = running.status("siem")
    assert (status.state, status.refused, status.lost) == ("running", 0, 0)
    assert status.sent == len(other.ids)
    assert status.bytes == sum(map(len, other.lines))


def test_the_making_of_the_target_is_the_first_event_it_gets(running: Watched) -> None:
    other = running.create("siem")
    running.settled()
    assert [json.loads(line)["type"] for line in other.lines] == ["target-created"]


@pytest.mark.parametrize("kind", ["double", "whole"])
def test_a_target_gets_what_is_stored_and_no_repeats(running: Watched, kind: str) -> None:
    other = running.create("siem", kind=kind)
    events = [event() for _ in range(10)]
    running.post(events)
    running.engine.flush()
    running.post([*events[3:6], fresh := event()])
    running.settled()
    assert other.ids[1:] == [one.id for one in [*events, fresh]]


def test_whole_segments_are_handed_over_as_files(running: Watched) -> None:
    other = running.create("lake", kind="whole")
    running.settled()
    running.post(2_000)
    running.settled()
    assert 2_000 in other.sizes
    assert all(path is not None and path.suffix == ".stored" for path in other.paths)


def test_a_target_may_wait_until_much_has_come_together(running: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    gather = Gather(size_bytes=1, wait_s=0.0)
    monkeypatch.setattr(DoubleTarget, "gathers", lambda _: gather)
    other = running.create("logs", kind="whole")
    # What was stored before the target was known is not kept for it: that comes from the store, and at once.
    running.settled()
    before, deliveries = len(other.ids), len(other.sizes)
    gather = Gather(size_bytes=10**9, wait_s=60.0)
    sent = []
    for _ in range(5):
        sent += running.post(10)
        running.engine.flush()
    # A batch is stored a moment before it is kept.
    wait_until(lambda: len(running.engine.journal.kept()) >= 5)
    assert (len(other.ids), running.status("logs").state) == (before, "running")
    # So much has come together: the next look takes all of it at once.
    gather = Gather(size_bytes=3_000, wait_s=60.0)
    wait_until(lambda: len(other.sizes) > deliveries)
    at_once = other.sizes[deliveries]
    assert other.ids[before : before + at_once] == sent[:at_once]
    gather = Gather(size_bytes=10**9, wait_s=0.05)
    running.settled()
    assert other.ids[before:] == sent
    assert at_once > 10


def test_what_waits_to_come_together_is_not_lost_with_its_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DoubleTarget, "gathers", lambda _: Gather(size_bytes=10**9, wait_s=60.0))
    with watched(tmp_path / "data", dispatch_backlog_bytes_max=1) as running:
        other = running.create("logs", kind="whole")
        sent = running.post(10)
        # The limit takes the segments away; the store has the events.
        running.settled()
        assert other.ids[1:] == sent


def test_lines_hold_the_event_and_what_the_receiver_knew(running: Watched) -> None:
    other = running.create("siem")
    sent = event(parameters=json.loads('{"a": 1}'), topic="t")
    running.post([sent])
    running.settled()
    line = json.loads(other.lines[-1])
    assert (line["id"], line["topic"], line["parameters"]) == (sent.id, "t", {"a": 1})
    assert (line["orig_address"], line["key_id"], line["format"]) == ("10.1.2.3", "key-1", "native")
    assert line["receiver"] == running.engine.journal.receiver
    assert line["seq"] == running.status("siem").place


def test_a_restart_goes_on_where_it_was(running: Watched) -> None:
    other = running.create("siem")
    first = running.post(7)
    running.settled()
    running.restart()
    second = running.post(7)
    running.settled()
    assert other.ids[1:] == [*first, *second]
    assert running.status("siem").sent == 15


def test_what_came_while_nothing_ran_is_sent_out_of_the_store(running: Watched) -> None:
    other = running.create("siem")
    running.settled()
    running.close()
    kept = list((running.data / "journal").glob("*.stored"))
    running.open(dispatch=False)
    running.engine.journal.keeps = False
    sent = running.post(25)
    running.engine.flush()
    assert list((running.data / "journal").glob("*.stored")) == kept
    running.restart()
    running.settled()
    assert other.ids[1:] == sent


@pytest.mark.parametrize("start", ["beginning", "2020-01-01"])
def test_a_target_can_begin_with_what_is_stored(running: Watched, start: str) -> None:
    old = running.post(40, time=datetime(2019, 5, 1, tzinfo=UTC))
    recent = running.post(40)
    running.engine.flush()
    other = running.create("lake", start=start)
    later = running.post(10)
    running.settled()
    got = [one for one in other.ids if one in {*old, *recent, *later}]
    assert got == ([*old, *recent, *later] if start == "beginning" else [*recent, *later])
    assert running.dispatch.book.row("lake").start == (start if start == "beginning" else "2020-01-01T00:00:00Z")


def test_making_targets_while_events_come_in_loses_and_doubles_nothing(running: Watched) -> None:
    stop = threading.Event()
    sent: list[str] = []

    def post() -> None:
        while not stop.is_set():
            sent.extend(running.post(3))

    poster = threading.Thread(target=post)
    poster.start()
    others = {}
    for number in range(6):
        other = running.create(f"t{number}", start="beginning" if number % 2 else "now")
        others[number] = (other, enough := len(sent) + 60)
        while len(sent) < enough:
            stop.wait(0.001)
    stop.set()
    poster.join()
    running.settled()
    known = set(sent)
    for number, (other, enough) in others.items():
        got = [one for one in other.ids if one in known]
        assert got == sent[len(sent) - len(got) :], number
        assert len(got) == len(sent) if number % 2 else len(got) > len(sent) - enough


def test_a_failing_target_is_tried_again_and_gets_everything(running: Watched) -> None:
    other = running.create("siem")
    running.settled()
    other.errors = [WhodidError("unavailable", "away"), OSError("broken pipe"), ValueError("a bug")]
    sent = running.post(25)
    running.settled()
    assert other.ids[1:] == sent
    assert other.opened == 4
    assert other.closed == 3
    assert running.status("siem").last_error is None


def test_a_permanent_error_pauses_the_target_with_the_reason(running: Watched) -> None:
    other = running.create("siem")
    running.settled()
    other.errors = [WhodidError("forbidden", "The key is wrong.", "Give another.")]
    sent = running.post(5)
    status = running.until("siem", "paused")
    assert status.reason == "The key is wrong. Give another."
    wait_until(lambda: not running.dispatch.book.row("siem").running)
    running.dispatch.book.resume("siem", by="ada")
    running.settled()
    assert set(sent) <= set(other.ids)
    assert len(other.ids) == len(set(other.ids))
    types = [json.loads(line)["type"] for line in other.lines]
    assert types[-2:] == ["target-paused", "target-resumed"]


def test_a_paused_target_gets_later_what_came_meanwhile(running: Watched) -> None:
    other = running.create("siem")
    running.settled()
    running.dispatch.book.pause("siem")
    running.until("siem", "paused")
    sent = running.post(30)
    running.engine.flush()
    wait_until(lambda: not running.engine.journal.kept())
    running.dispatch.book.resume("siem")
    running.settled()
    assert [one for one in other.ids if one in set(sent)] == sent
    assert running.status("siem").lost == 0


def test_a_hanging_target_holds_up_nobody(running: Watched) -> None:
    hanging = running.create("hangs", deadline_s=0.3)
    others = [running.create(f"good{number}") for number in range(5)]
    running.settled()
    hanging.hangs = threading.Event()
    sent = running.post(20)
    status = running.until("hangs", "hung")
    assert status.last_error is not None and "0.3 s" in status.last_error
    assert status.waiting_events >= 20
    for other in others:
        wait_until(partial(lambda ids: set(sent) <= set(ids), other.ids))
    wait_until(lambda: hanging.canceled)
    hanging.hangs.set()
    hanging.hangs = None
    running.settled()
    assert set(sent) <= set(hanging.ids)


def test_a_hanging_target_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with watched(tmp_path / "data") as running:
        other = running.create("hangs")
        running.settled()
        other.hangs = threading.Event()
        running.post(3)
        running.engine.flush()
        ended = threading.Thread(target=running.close)
        ended.start()
        ended.join(15)
        assert not ended.is_alive()
        other.hangs.set()
        other.hangs = None
        running.open()
        running.settled()


def test_an_exactly_once_target_says_itself_where_it_is(running: Watched) -> None:
    other = running.create("lake")
    other.holds = True
    first = running.post(30)
    running.settled()
    cursor = next(running.data.glob("dispatch/*/cursor.json"))
    held = json.loads(cursor.read_bytes())
    running.close()
    held["places"][running.engine.journal.receiver] -= 20
    cursor.write_text(json.dumps(held))
    running.open()
    second = running.post(5)
    running.settled()
    assert other.ids[1:] == [*first, *second]


def test_what_a_target_took_and_did_not_make_durable_is_sent_again(running: Watched) -> None:
    other = running.create("lake")
    running.settled()
    other.lag = 2
    running.dispatch.book.change("lake", TargetFields(deadline_s=30))
    sent = running.post(35)
    wait_until(lambda: len(other.ids) >= 10)
    other.errors = [WhodidError("unavailable", "away")]
    sent += running.post(35)
    running.engine.flush()
    wait_until(lambda: other.opened >= 2 and not other.errors)
    other.lag = 0
    running.restart()
    running.settled()
    got = [one for one in other.ids if one in set(sent)]
    assert list(dict.fromkeys(got)) == sent


def test_segments_are_kept_as_long_as_somebody_needs_them(running: Watched) -> None:
    other = running.create("slow", deadline_s=60)
    running.create("quick")
    running.settled()
    other.hangs = threading.Event()
    running.post(5)
    running.engine.flush()
    wait_until(lambda: running.status("quick").waiting_events == 0)
    wait_until(running.engine.journal.kept)
    other.hangs.set()
    wait_until(lambda: not running.engine.journal.kept())
    other.hangs = None


def test_beyond_the_limit_the_store_takes_the_journals_place(tmp_path: Path) -> None:
    with watched(tmp_path / "data", dispatch_backlog_bytes_max=20_000) as running:
        other = running.create("slow", deadline_s=60)
        running.settled()
        other.hangs = threading.Event()
        sent = []
        for _ in range(30):
            sent += running.post(10)
            running.engine.flush()
        wait_until(lambda: running.engine.journal.status().kept_bytes <= 20_000)
        assert (running.data / "dispatch" / "dropped.json").exists()
        other.hangs.set()
        other.hangs = None
        running.settled()
        assert [one for one in other.ids if one in set(sent)] == sent
        assert running.status("slow").lost == 0


def test_what_nobody_has_any_more_is_counted_and_told(tmp_path: Path) -> None:
    with watched(tmp_path / "data", dispatch_backlog_bytes_max=1) as running:
        other = running.create("slow", deadline_s=60)
        running.settled()
        running.dispatch.book.pause("slow")
        running.until("slow", "paused")
        sent = running.post(40)
        running.engine.flush()
        wait_until(lambda: not running.engine.journal.kept())
        cursor = running.engine.store._connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("DELETE FROM events WHERE id IN (SELECT unnest(?::UUID[]))", [sent[5:20]])
        running.dispatch.book.resume("slow")
        running.settled()
        assert [one for one in other.ids if one in set(sent)] == sent[:5] + sent[20:]
        assert running.status("slow").lost == 15
        lost = [json.loads(line) for line in other.lines if b"target-lost-events" in line]
        assert [line["parameters"]["events"] for line in lost] == [15]


def test_a_change_goes_on_from_where_the_target_is(running: Watched) -> None:
    other = running.create("siem", options={"secret": "hunter2"})
    first = running.post(5)
    running.settled()
    running.dispatch.book.change("siem", TargetFields(selection=Selection(types=["login*"])))
    wait_until(lambda: other.opened == 2)
    running.post(5)
    logins = running.post(2, type="login-failed")
    running.settled()
    assert [one for one in other.ids if one in {*first, *logins}] == [*first, *logins]
    assert other.secrets == ["hunter2", "hunter2"]


def test_a_deleted_target_leaves_nothing_behind(running: Watched) -> None:
    running.create("siem")
    running.post(5)
    running.settled()
    (folder,) = [path for path in (running.data / "dispatch").iterdir() if path.is_dir()]
    running.dispatch.delete("siem", by="ada")
    wait_until(lambda: not folder.exists())
    running.post(5)
    running.engine.flush()
    wait_until(lambda: not list((running.data / "journal").glob("*.stored")))


def test_a_damaged_cursor_stops_its_target_alone(running: Watched) -> None:
    damaged, good = running.create("damaged"), running.create("good")
    running.settled()
    running.close()
    path = running.data / "dispatch" / running.dispatch.book.row("damaged").id / "cursor.json"
    path.write_bytes(b"{")
    running.open()
    sent = running.post(5)
    status = running.until("damaged", "paused")
    assert status.reason is not None and str(path) in status.reason
    wait_until(lambda: set(sent) <= set(good.ids))
    assert not set(sent) & set(damaged.ids)
    assert path.read_bytes() == b"{"


def test_dead_letters_are_told_as_events_that_do_not_feed_on_themselves(running: Watched) -> None:
    other = running.create("siem")
    events = [event() for _ in range(40)]
    other.refuses.update(one.id for one in events)
    running.post(events)
    running.settled()
    wait_until(lambda: running.status("siem").refused == 40)
    running.settled()
    sql = "SELECT CAST(parameters AS VARCHAR) AS told FROM events WHERE type = 'target-dead-letters' ORDER BY seq"
    told = [json.loads(row["told"]) for row in running.engine.store.query(sql, trusted=True).table.to_pylist()]
    assert 1 <= len(told) <= 4
    assert told[0]["reason"] == "no"
    assert 20 <= sum(one["events"] for one in told) <= 40


def test_nothing_is_remembered_of_segments_that_no_target_waits_for(running: Watched) -> None:
    for _ in range(3):
        running.post(2)
        running.engine.flush()
    assert running.dispatch.dispatcher._clean == set()

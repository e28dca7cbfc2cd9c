"""Stopping questions from outside, all of them by one thread."""

from __future__ import annotations

import threading

import duckdb
import pytest

from support.receiving import wait_until
from whodid.stores import duckdb_watch
from whodid.stores.duckdb_watch import Watch
from whodid.stores.stopping import stoppable

NEVER_MS = 600_000
ANY_SIZE = 1 << 60
GIB = 1024**3


class Question:
    """Counts how often it was told to stop."""

    def __init__(self) -> None:
        self.stops = 0
        self.is_stopped = threading.Event()

    def stop(self) -> None:
        self.stops += 1
        self.is_stopped.set()


def test_a_question_is_stopped_at_its_own_time() -> None:
    short, long = Question(), Question()
    with Watch(long.stop, NEVER_MS, ANY_SIZE), Watch(short.stop, 1, ANY_SIZE) as watch:
        assert short.is_stopped.wait(10)
    assert long.stops == 0
    assert not watch.too_large


def test_it_is_told_again_while_it_goes_on() -> None:
    question = Question()
    with Watch(question.stop, 1, ANY_SIZE):
        wait_until(lambda: question.stops > 2)


def test_what_has_ended_is_not_stopped() -> None:
    ended, later = Question(), Question()
    with Watch(ended.stop, 1, ANY_SIZE):
        assert ended.is_stopped.wait(10)
    stops = ended.stops
    with Watch(later.stop, 1, ANY_SIZE):
        wait_until(lambda: later.stops > 2)
    assert ended.stops == stops


def test_who_asks_can_stop_it() -> None:
    question, stop = Question(), threading.Event()
    with stoppable(stop), Watch(question.stop, NEVER_MS, ANY_SIZE):
        stop.set()
        assert question.is_stopped.wait(10)


def test_a_process_that_comes_to_hold_too_much_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [3 * GIB]
    monkeypatch.setattr(duckdb_watch, "_process_bytes", lambda: held[-1])
    before, grown = Question(), Question()
    with Watch(before.stop, 1, memory_bytes_max=GIB) as watch:
        wait_until(lambda: before.stops > 2)
    assert not watch.too_large, "what the process held before anybody asked is its own"
    with Watch(grown.stop, NEVER_MS, memory_bytes_max=GIB) as watch:
        held.append(5 * GIB)
        assert grown.is_stopped.wait(10)
    assert watch.too_large


def test_questions_that_run_together_share_what_the_process_may_come_to_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [GIB]
    monkeypatch.setattr(duckdb_watch, "_process_bytes", lambda: held[-1])
    first, second = Question(), Question()
    with Watch(first.stop, NEVER_MS, memory_bytes_max=GIB):
        held.append(3 * GIB)
        with Watch(second.stop, NEVER_MS, memory_bytes_max=GIB):
            assert second.is_stopped.wait(10), "it began when the process held too much for the first one already"


@pytest.mark.parametrize(
    ("before_bytes", "process_bytes_max"), [(0, 5 * GIB // 2), (GIB, 5 * GIB // 2), (10 * GIB, 23 * GIB // 2)]
)
def test_what_a_process_may_hold_grows_with_what_it_held(before_bytes: int, process_bytes_max: int) -> None:
    assert duckdb_watch.process_bytes_max(GIB, before_bytes) == process_bytes_max


def test_one_that_cannot_be_stopped_leaves_the_others_watched() -> None:
    def fail() -> None:
        raise duckdb.ConnectionException("closed")

    question = Question()
    with Watch(fail, 1, ANY_SIZE), Watch(question.stop, 1, ANY_SIZE):
        wait_until(lambda: question.stops > 2)


def test_many_questions_have_one_thread_which_ends_and_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_watch, "_LINGER_S", 0.0)

    def watching() -> int:
        return sum(thread.name == "whodid-query-watch" for thread in threading.enumerate())

    for _ in range(2):
        questions = [Question() for _ in range(5)]
        watches = [Watch(question.stop, 1, ANY_SIZE) for question in questions]
        for watch in watches:
            watch.__enter__()
        assert all(question.is_stopped.wait(10) for question in questions)
        assert watching() == 1
        for watch in watches:
            watch.__exit__()
        wait_until(lambda: watching() == 0)

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


def test_a_process_that_holds_too_much_stops_it() -> None:
    question = Question()
    with Watch(question.stop, NEVER_MS, process_bytes_max=1) as watch:
        assert question.is_stopped.wait(10)
    assert watch.too_large


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

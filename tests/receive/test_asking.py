"""Asking parts that may hang: what is known comes, what is not is said, and no threads pile up."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from whodid.errors import WhodidError
from whodid.receive.asking import Answers, Asking, Questions

Ask = Callable[[Asking, Questions], Answers]


def by_waiting(asking: Asking, questions: Questions) -> Answers:
    return asking.ask(questions)


def without_blocking(asking: Asking, questions: Questions) -> Answers:
    return asyncio.run(asking.asked(questions))


@pytest.fixture(params=[by_waiting, without_blocking])
def ask(request: pytest.FixtureRequest) -> Ask:
    found: Ask = request.param
    return found


class Hanging:
    """A part that answers once it is let go; `asked` counts how often it was asked, `threads` are those that asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.threads: set[threading.Thread] = set()
        self.over = threading.Event()

    def __call__(self) -> str:
        self.asked += 1
        self.threads.add(threading.current_thread())
        self.over.wait()
        return "back"


@contextmanager
def hanging() -> Iterator[Hanging]:
    part = Hanging()
    try:
        yield part
    finally:
        part.over.set()


def test_every_part_says_how_it_stands(ask: Ask) -> None:
    assert ask(Asking(), {"journal": lambda: 1, "store": lambda: None}) == {"journal": 1, "store": None}


def test_a_part_that_hangs_holds_up_no_other(ask: Ask) -> None:
    with hanging() as store:
        told = ask(Asking(within_s=0.1), {"store": store, "journal": lambda: 1})
    assert told["journal"] == 1
    assert isinstance(told["store"], WhodidError)
    assert told["store"].code == "unavailable"
    assert "Nothing was heard" in told["store"].message


def test_all_together_take_no_longer_than_one(ask: Ask) -> None:
    with hanging() as store:
        began_s = time.monotonic()
        ask(Asking(within_s=0.5), {str(number): store for number in range(5)})
        assert 0.4 < time.monotonic() - began_s < 2.0


def test_a_part_that_hangs_is_not_asked_again_and_not_waited_for_again(ask: Ask) -> None:
    asking = Asking(within_s=0.5)
    with hanging() as store:
        ask(asking, {"store": store})
        began_s = time.monotonic()
        for _ in range(20):
            assert isinstance(ask(asking, {"store": store, "journal": lambda: 1})["store"], WhodidError)
        assert time.monotonic() - began_s < 0.5
        assert store.asked == 1


def test_a_part_that_is_back_is_asked_anew(ask: Ask) -> None:
    asking = Asking(within_s=0.2)
    with hanging() as store:
        ask(asking, {"store": store})
    while isinstance(ask(asking, {"store": store})["store"], WhodidError):
        pass
    assert ask(asking, {"store": store}) == {"store": "back"}
    assert store.asked > 1


def test_a_refusal_that_comes_too_late_for_anybody_is_no_ones_trouble(
    ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    asking = Asking(within_s=0.1)
    over = threading.Event()

    def refuses() -> None:
        over.wait()
        raise WhodidError("unavailable", "The store is closed.")

    ask(asking, {"store": refuses})
    over.set()
    while "Nothing was heard" in ask(asking, {"store": refuses})["store"].message:
        pass
    gc.collect()
    assert not caplog.records


def test_what_a_part_refuses_is_its_answer_and_a_mistake_is_none(ask: Ask) -> None:
    def fails(problem: Exception) -> Any:
        raise problem

    away = WhodidError("unavailable", "The store is closed.")
    assert ask(Asking(), {"store": lambda: fails(away)}) == {"store": away}
    with pytest.raises(ZeroDivisionError):
        ask(Asking(), {"store": lambda: fails(ZeroDivisionError())})


def test_whoever_looks_without_a_pause_has_no_threads_made_each_time(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[threading.Thread] = []
    start = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        made.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noted)
    asking = Asking()
    for _ in range(50):
        assert ask(asking, {"one": lambda: 1, "two": lambda: 2}) == {"one": 1, "two": 2}
    assert len(made) <= 4


def test_threads_that_nothing_is_asked_of_end(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whodid.receive.asking.IDLE_S", 0.01)
    before = set(threading.enumerate())
    asking = Asking()
    assert ask(asking, {"one": lambda: 1}) == {"one": 1}
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()
    assert ask(asking, {"one": lambda: 1}) == {"one": 1}


def test_closing_ends_the_threads_but_does_not_wait_for_a_part_that_hangs(ask: Ask) -> None:
    before = set(threading.enumerate())
    asking = Asking(within_s=0.1)
    with hanging() as store:
        ask(asking, {"store": store, "one": lambda: 1, "two": lambda: 2})
        (at_work,) = store.threads
        asking.close()
        for thread in set(threading.enumerate()) - before - {at_work}:
            thread.join(10)
            assert not thread.is_alive()
        assert at_work.is_alive()
    at_work.join(10)
    assert not at_work.is_alive()


def test_whoever_still_asks_after_closing_is_answered(ask: Ask) -> None:
    asking = Asking()
    assert ask(asking, {"one": lambda: 1}) == {"one": 1}
    asking.close()
    assert ask(asking, {"one": lambda: 1, "two": lambda: 2}) == {"one": 1, "two": 2}


def test_nothing_of_what_was_asked_is_held_on_to(ask: Ask) -> None:
    class Store:
        def check(self) -> int:
            return 1

    store, asking, gone = Store(), Asking(), threading.Event()
    weakref.finalize(store, gone.set)
    assert ask(asking, {"store": store.check}) == {"store": 1}
    del store
    assert gone.wait(10)

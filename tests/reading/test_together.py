"""What several ask of a store within a moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest

from whodid.errors import WhodidError
from whodid.reading.together import Together
from whodid.stores.base import Result

WAIT_S = 30


class Slow:
    """A store that answers when it is told to."""

    kind = "duckdb"

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.is_asked = threading.Event()
        self.may_answer = threading.Event()
        self.first_fails = False

    def query(self, sql: str, params: Any = None, **more: Any) -> Result:
        self.asked.append((sql, params))
        number = len(self.asked)
        self.is_asked.set()
        assert self.may_answer.wait(WAIT_S)
        if self.first_fails and number == 1:
            raise WhodidError("timeout", "It took too long.")
        return Result(pa.table({"number": [number]}), False)


class Joined(dict[Any, Any]):
    """What is being answered; tells when somebody joins."""

    def __init__(self) -> None:
        self.somebody = threading.Event()

    def get(self, key: Any, default: Any = None) -> Any:
        found = super().get(key, default)
        if found is not None:
            self.somebody.set()
        return found


def both(store: Slow) -> list[Any]:
    """What is told to one who asks, and to one who asks the same meanwhile."""
    together = Together(store)
    together._answers = joined = Joined()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(together.query, "SELECT $a", {"a": 1})
        assert store.is_asked.wait(WAIT_S)
        second = threads.submit(together.query, "SELECT $a", {"a": 1})
        assert joined.somebody.wait(WAIT_S)
        store.may_answer.set()
        return [told.exception() or told.result() for told in (first, second)]


@pytest.fixture
def store() -> Slow:
    return Slow()


def test_the_same_is_asked_once(store: Slow) -> None:
    first, second = both(store)
    assert first is second
    assert store.asked == [("SELECT $a", {"a": 1})]


def test_who_waited_for_an_answer_that_failed_asks_by_itself(store: Slow) -> None:
    store.first_fails = True
    first, second = both(store)
    assert (first.code, second.table.to_pydict()) == ("timeout", {"number": [2]})


def asked_twice(store: Slow, remembered_s: float) -> list[Any]:
    """What is told to one who asks, and to one who asks the same when that has been answered."""
    store.may_answer.set()
    together = Together(store, remembered_s=remembered_s)
    return [together.query("SELECT 1").table["number"][0].as_py() for _ in range(2)]


def test_who_asks_the_same_soon_afterwards_has_the_same_answer(store: Slow) -> None:
    assert asked_twice(store, WAIT_S) == [1, 1]


def test_an_answer_is_asked_anew_when_its_time_is_over(store: Slow) -> None:
    assert asked_twice(store, 0) == [1, 2]


def test_an_answer_that_failed_is_not_remembered(store: Slow) -> None:
    store.first_fails = True
    store.may_answer.set()
    together = Together(store, remembered_s=WAIT_S)
    with pytest.raises(WhodidError):
        together.query("SELECT 1")
    assert together.query("SELECT 1").table["number"][0].as_py() == 2


def test_other_values_are_another_question(store: Slow) -> None:
    together = Together(store)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(together.query, "SELECT $a", {"a": 1})
        assert store.is_asked.wait(WAIT_S)
        store.may_answer.set()
        second = threads.submit(together.query, "SELECT $a", {"a": 2})
        assert first.result() is not second.result()
    assert sorted(store.asked, key=repr) == [("SELECT $a", {"a": 1}), ("SELECT $a", {"a": 2})]

"""Answers of tiles are worked out once for all who look at the same, and no longer remembered than it is worth."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from whodid import reports
from whodid.reading.sight import EVERYTHING, Sight
from whodid.web.pages import answers
from whodid.web.pages.answers import Answer, Memory
from whodid.web.pages.catalogue import page_of
from whodid.web.pages.choice import choice_of

ERIKA = Sight(users=("erika.brandt",))


class Desk:
    """Works answers out, each as slowly as it is told, on a clock of its own."""

    def __init__(self, patch: pytest.MonkeyPatch):
        self.now = 0.0
        self.takes_s = 0.0
        self.asked: list[tuple[str, Sight]] = []
        self.memory = Memory()
        patch.setattr(answers, "_run", self._run)
        patch.setattr(answers, "time", SimpleNamespace(monotonic=lambda: self.now))

    async def _run(self, _services: Any, name: str, given: Any, _ignored: Any, sight: Sight) -> Answer:
        self.asked.append((name, sight))
        await asyncio.sleep(0)
        self.now += self.takes_s
        return Answer(None, [dict(given)], 1, False, [])  # type: ignore[arg-type]

    def ask(self, sight: Sight = EVERYTHING, until: int = 0, **more: Any) -> Coroutine[Any, Any, Answer]:
        return self.memory.answer(None, "types", {"until": until}, [], sight, **more)  # type: ignore[arg-type]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


async def at_once(*asked: Coroutine[Any, Any, Answer]) -> list[Answer]:
    return list(await asyncio.gather(*asked))


def test_who_asks_at_once_waits_for_the_same_answer(desk: Desk) -> None:
    asyncio.run(at_once(*(desk.ask() for _ in range(20))))
    assert len(desk.asked) == 1


def test_nobody_gets_what_somebody_else_may_see(desk: Desk) -> None:
    asyncio.run(at_once(desk.ask(), desk.ask(ERIKA), desk.ask(ERIKA)))
    assert desk.asked == [("types", EVERYTHING), ("types", ERIKA)]


def test_a_range_that_ends_now_is_the_same_for_all_who_ask_for_it(desk: Desk) -> None:
    asyncio.run(
        at_once(desk.ask(until=1, moving="30d"), desk.ask(until=2, moving="30d"), desk.ask(until=2, moving="7d"))
    )
    assert len(desk.asked) == 2
    asyncio.run(at_once(desk.ask(until=1), desk.ask(until=2)))
    assert len(desk.asked) == 4


@pytest.mark.parametrize(("takes_s", "remembered_s"), [(0.1, 10), (2.0, 20), (30.0, 60)])
def test_what_is_slow_is_remembered_longer(desk: Desk, takes_s: float, remembered_s: float) -> None:
    desk.takes_s = takes_s

    def asked_after(pause_s: float) -> Callable[[], Coroutine[Any, Any, int]]:
        async def ask() -> int:
            desk.asked.clear()
            desk.memory = Memory()
            await desk.ask()
            desk.now += pause_s
            await desk.ask()
            return len(desk.asked)

        return ask

    assert asyncio.run(asked_after(remembered_s - 0.1)()) == 1
    assert asyncio.run(asked_after(remembered_s + 0.1)()) == 2


def test_a_failure_is_not_remembered(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any) -> Answer:
        raise OSError("no")

    async def ask() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(answers, "_run", fail)
            with pytest.raises(OSError, match="no"):
                await desk.ask()
        await desk.ask()

    asyncio.run(ask())
    assert len(desk.asked) == 1


def asked_by(page: str, tile: str) -> dict[str, Any]:
    found = page_of(page)
    assert found is not None
    shown = found.tile(tile)
    assert shown is not None
    return answers.parameters(
        reports.report(shown.report), shown, choice_of({}, "UTC"), {"login": "ann", "service": "churn"}
    )


def test_sessions_are_counted_only_where_they_are_shown() -> None:
    assert "sessions" not in asked_by("overview", "numbers") | asked_by("users", "people") | asked_by("user", "numbers")
    assert asked_by("overview", "people")["sessions"] == "no"
    assert asked_by("overview", "days")["sessions"] == "no"
    assert asked_by("errors", "numbers")["sessions"] == "no"


@pytest.mark.parametrize("page", ["api-nodes", "api-service"])
@pytest.mark.parametrize("tile", ["numbers", "days"])
def test_what_really_happened_is_no_query(page: str, tile: str) -> None:
    assert asked_by(page, tile)["types"] == ["!ground-truth"]


@pytest.mark.parametrize(
    ("days", "ends"),
    [(13, datetime(2026, 11, 20, 10, 7, 40)), (14, datetime(2026, 11, 20, 11)), (90, datetime(2026, 11, 20, 11))],
)
def test_a_long_range_that_ends_now_ends_with_the_hour(days: int, ends: datetime) -> None:
    now = datetime(2026, 11, 20, 10, 7, 33, 250_000)
    assert answers.full_step(now - timedelta(days=days), now) == ends

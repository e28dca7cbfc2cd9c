"""Which tiles of a page that is sent whole are asked for first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from whodid.web.pages.turns import TILES_AT_ONCE, Turns

NAMES = [f"tile-{number}" for number in range(TILES_AT_ONCE + 3)]


class Tiles:
    """Work that notes when it begins; `slow` takes longer than all others together."""

    def __init__(self, slow: str = ""):
        self.slow = slow
        self.begun: list[str] = []
        self.most_at_once = 0
        self._running = 0

    async def ask(self, name: str) -> str:
        self.begun.append(name)
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        await asyncio.sleep(0.05 if name == self.slow else 0)
        self._running -= 1
        return name.upper()

    def work(self) -> list[tuple[str, Callable[[], Awaitable[str]]]]:
        return [(name, partial(self.ask, name)) for name in NAMES]


def test_answers_come_in_the_order_of_the_page_and_few_are_asked_at_once() -> None:
    tiles = Tiles()
    assert asyncio.run(Turns().take(tiles.work())) == [name.upper() for name in NAMES]
    assert tiles.begun == NAMES
    assert tiles.most_at_once == TILES_AT_ONCE


def test_what_took_longest_the_last_time_begins_first() -> None:
    turns = Turns()
    asyncio.run(turns.take(Tiles(slow=NAMES[-1]).work()))
    again = Tiles()
    assert asyncio.run(turns.take(again.work())) == [name.upper() for name in NAMES]
    assert again.begun[0] == NAMES[-1]


def test_what_fails_is_raised() -> None:
    async def fails() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(Turns().take([("a", fails)]))

"""Events are told with what their thing is called now, and with both times where a clock was off."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from whodid.reading import read
from whodid.reading.then_and_now import clock_skew, in_words, then_and_now

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Names:
    def entity_names_now(self, things: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        return {("query", "7"): "Sales"}


def events(*rows: dict[str, Any]) -> pa.Table:
    plain = {"time": NOON, "received_at": NOON, "orig_address": "10.0.0.7", "format": "native"}
    return pa.Table.from_pylist([plain | row for row in rows], schema=read.events_schema())


@pytest.mark.parametrize(
    ("off_s", "more", "flagged"),
    [
        (0, {}, False),
        (299, {}, False),
        (301, {}, True),
        (3 * 86_400, {}, True),
        (-23 * 3_600, {}, False),
        (-3 * 86_400, {}, True),
        (-3 * 86_400, {"format": "dss-log4j"}, False),
        (-3 * 86_400, {"orig_address": None}, False),
        (3 * 86_400, {"format": None}, True),
    ],
)
def test_a_clock_is_off_when_it_cannot_be_right(off_s: int, more: dict[str, Any], flagged: bool) -> None:
    (skew,) = clock_skew(events({"time": NOON + timedelta(seconds=off_s), **more})).to_pylist()
    assert skew == (off_s if flagged else None)


def test_names_and_clocks_are_columns_of_their_own() -> None:
    table = then_and_now(
        events(
            {"entity_type": "query", "entity_id": "7", "entity_name": "Draft"},
            {"entity_type": "query", "entity_id": "8", "entity_name": "Other"},
            {},
        ),
        Names(),
    )
    assert table.column("entity_name_now").to_pylist() == ["Sales", None, None]
    assert table.column("clock_skew_s").to_pylist() == [None, None, None]
    assert then_and_now(events(), Names()).num_rows == 0


def test_in_words_both_names_and_both_times_are_said() -> None:
    named = {"entity_type": "query", "entity_id": "7"}
    table = then_and_now(
        events(
            {**named, "entity_name": "Draft"},
            {**named, "entity_name": "Sales", "time": NOON + timedelta(days=2)},
            {**named},
        ),
        Names(),
    )
    words = in_words(table)
    assert words.column("entity_name").to_pylist() == ["Draft (now: Sales)", "Sales", "Sales"]
    first, off, _ = words.column("time").to_pylist()
    assert first.startswith("2026-03-01T12:00:00")
    assert off.startswith("2026-03-03T12:00:00")
    assert "(received 2026-03-01T12:00:00" in off
    assert {"entity_name_now", "clock_skew_s"}.isdisjoint(words.schema.names)

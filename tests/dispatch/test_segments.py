"""What is known of kept segments: their numbers without reading them, and who of many comes next."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.journals import RECEIVED_AT, draft, open_journal
from whodid.dispatch.segments import Segment, survey
from whodid.dispatch.source import Kept
from whodid.event import Rejection
from whodid.stores.base import Store

NO_STORE = cast(Store, None)
REJECT = Rejection(index=0, code="invalid", message="no event", raw="{")


@pytest.mark.parametrize(
    "counts",
    [(3,), (2, 1, 4), (0, 2, 0, 3, 0), (0, 0, 1, 0)],
    ids=["one frame", "several", "rejects between and around", "one event"],
)
def test_a_segment_that_is_stored_whole_tells_its_numbers_by_its_ends(tmp_path: Path, counts: Sequence[int]) -> None:
    with contextlib.closing(open_journal(tmp_path / "journal")) as journal:
        journal.append_blocking(draft(5))
        journal.seal()
        for place, count in enumerate(counts):
            at = RECEIVED_AT + timedelta(seconds=place)
            journal.append_blocking(draft(count, received_at=at, rejects=() if count else (REJECT,)))
        journal.seal()
        batch = journal.sealed()[1]
        found = survey(batch, NO_STORE, clean=True)
        frames = [frame for frame in batch.frames() if frame.events]
    assert (found.first, found.last, found.count) == (6, 5 + sum(counts), sum(counts))
    assert found.received_at == frames[0].provenance.received_at
    assert (found.events, found.left_out, found.size_bytes) == (sum(counts), (), batch.size_bytes)


def test_a_segment_without_an_event_holds_no_number(tmp_path: Path) -> None:
    with contextlib.closing(open_journal(tmp_path / "journal")) as journal:
        journal.append_blocking(draft(0, rejects=(REJECT,)))
        journal.seal()
        found = survey(journal.sealed()[0], NO_STORE, clean=False)
    assert (found.first, found.last, found.count, found.received_at) == (0, 0, 0, None)


def segment(number: int, first: int, count: int, size_bytes: int) -> Segment:
    return Segment(
        number=number,
        receiver="r",
        path=None,
        first=first if count else 0,
        last=first + count - 1 if count else 0,
        count=count,
        size_bytes=size_bytes,
        received_at=RECEIVED_AT + timedelta(seconds=number) if count else None,
    )


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 50)), max_size=12),
    removals=st.lists(st.integers(0, 12), max_size=3),
    after=st.integers(0, 40),
)
def test_what_is_kept_is_found_by_its_numbers(sizes: list[tuple[int, int]], removals: list[int], after: int) -> None:
    """Against looking at each of them; some hold no event, and the oldest go meanwhile."""
    kept = Kept()
    left: list[Segment] = []
    first = 1
    for number, (count, size_bytes) in enumerate(sizes):
        left.append(segment(number, first, count, size_bytes))
        kept.add(left[-1])
        first += count
        if number in removals:
            kept.remove(number - 1)
            left = left[-1:]
    behind = [one for one in left if one.count and one.last > after]
    assert list(kept.segments()) == left
    assert kept.size_bytes == sum(one.size_bytes for one in left)
    assert kept.at(after) == next(iter(behind), None)
    assert [one for one in kept.segments(after) if one.count] == behind
    assert kept.waiting(after) == (
        sum(one.size_bytes for one in kept.segments(after)),
        behind[0].received_at if behind else None,
    )
    assert kept.horizon == first - 1

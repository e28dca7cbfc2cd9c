"""What a sealed segment writes beside itself for an engine that reads arrays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from support.journals import RECEIVED_AT, draft, ids_of, open_journal
from whodid.event import Rejection
from whodid.journal.arrays import ARRAYS_MAX
from whodid.journal.base import Array, Draft
from whodid.journal.disk import DiskJournal
from whodid.journal.segment import SealedSegment


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def journal(folder: Path) -> Iterator[DiskJournal]:
    opened = open_journal(folder)
    yield opened
    opened.close()


def sealed(journal: DiskJournal, drafts: Sequence[Draft]) -> SealedSegment:
    for each in drafts:
        journal.append_blocking(each)
    journal.seal()
    return journal.sealed()[-1]


def events_in(arrays: Sequence[Array] | None) -> list[dict[str, Any]]:
    return [event for array in arrays or () for event in json.loads(array.path.read_bytes())]


def test_frames_of_one_provenance_become_one_array_in_their_order(journal: DiskJournal) -> None:
    drafts = [draft(3, format="dss-log4j", key_id='k"1'), draft(2, format="dss-log4j", key_id='k"1')]
    arrays = sealed(journal, drafts).arrays()
    assert arrays is not None and len(arrays) == 1
    assert (arrays[0].seq, arrays[0].events_count) == (1, 5)
    assert arrays[0].provenance.key_id == 'k"1' and arrays[0].provenance.format == "dss-log4j"
    assert arrays[0].provenance.received_at == RECEIVED_AT
    assert [event["id"] for event in events_in(arrays)] == ids_of(drafts)


def test_another_provenance_begins_another_array(journal: DiskJournal) -> None:
    drafts = [draft(1), draft(2, orig_address="10.0.0.1"), draft(1)]
    arrays = sealed(journal, drafts).arrays()
    assert arrays is not None
    assert [(array.seq, array.events_count, array.provenance.orig_address) for array in arrays] == [
        (1, 1, None),
        (2, 2, "10.0.0.1"),
        (4, 1, None),
    ]
    assert [event["id"] for event in events_in(arrays)] == ids_of(drafts)


def test_rejections_and_what_looks_like_them_stay_out(journal: DiskJournal) -> None:
    odd = draft(1, parameters={"rejects": [{"a": 1}], "events": [{}], "text": '],"rejects":['})
    odd.rejects = [Rejection(index=0, code="not_json", message="m", raw='"events":[ ],"rejects":[{}]')]
    drafts = [odd, draft(0, rejects=odd.rejects), draft(1)]
    assert [event["id"] for event in events_in(sealed(journal, drafts).arrays())] == ids_of(drafts)


def test_many_small_provenances_are_left_to_their_frames(journal: DiskJournal, folder: Path) -> None:
    drafts = [draft(1, received_at=RECEIVED_AT + timedelta(seconds=n)) for n in range(ARRAYS_MAX + 1)]
    assert sealed(journal, drafts).arrays() is None
    assert not list(folder.glob("*.tmp"))


def test_a_damaged_frame_is_in_no_array(journal: DiskJournal) -> None:
    drafts = [draft(1), draft(1), draft(1)]
    segment = sealed(journal, drafts)
    assert segment.path is not None
    whole = segment.path.read_bytes().split(b"\n")
    segment.path.write_bytes(b"\n".join([whole[0], whole[1][:-3] + b"x" + whole[1][-2:], *whole[2:]]))
    fresh = SealedSegment(
        segment.path.parent, 1, "r", journal._quarantine, size_bytes=segment.size_bytes, before_repair=lambda: None
    )
    assert fresh.arrays() is None
    assert fresh.path is not None and fresh.count == 2
    arrays = fresh.arrays()
    assert arrays is not None and [array.seq for array in arrays] == [1, 3]
    assert [event["id"] for event in events_in(arrays)] == ids_of([drafts[0], drafts[2]])


def test_what_a_crash_leaves_of_arrays_is_gone_at_the_next_start(journal: DiskJournal, folder: Path) -> None:
    assert sealed(journal, [draft(1)]).arrays() is not None
    journal.close()
    assert list(folder.glob("*.tmp"))
    open_journal(folder).close()
    assert not list(folder.glob("*.tmp"))


def test_reading_for_arrays_counts_what_is_there(journal: DiskJournal) -> None:
    rejects = [Rejection(index=0, code="not_json", message="m")]
    segment = sealed(journal, [draft(2), draft(0, rejects=rejects), draft(3)])
    assert segment.arrays() is not None
    assert (segment.count, segment.rejects_count) == (5, 1)

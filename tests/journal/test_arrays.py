"""What a sealed segment writes beside itself for an engine that reads arrays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from support.journals import RECEIVED_AT, draft, ids_of, open_journal
from whodid.event import Rejection
from whodid.journal import recovery
from whodid.journal.arrays import RUN_EVENTS_MIN
from whodid.journal.base import Array, Draft
from whodid.journal.disk import DiskJournal
from whodid.journal.segment import SealedSegment


def sealed(journal: DiskJournal, drafts: Sequence[Draft]) -> SealedSegment:
    for each in drafts:
        journal.append_blocking(each)
    journal.seal()
    return journal.sealed()[-1]


def elements_in(array: Array | None) -> list[dict[str, Any]]:
    assert array is not None
    read: list[dict[str, Any]] = json.loads(array.path.read_bytes())
    return read


def ids_in(array: Array | None) -> list[str]:
    return [element["id"] for element in elements_in(array) if "run" not in element]


def test_frames_of_one_provenance_become_one_run_in_their_order(journal: DiskJournal) -> None:
    drafts = [draft(3, format="dss-log4j", key_id='k"1'), draft(2, format="dss-log4j", key_id='k"1')]
    array = sealed(journal, drafts).array()
    assert array is not None and array.events_count == 5
    assert [(run.place, run.seq) for run in array.runs] == [(0, 1)]
    provenance = array.runs[0].provenance
    assert (provenance.key_id, provenance.format, provenance.received_at) == ('k"1', "dss-log4j", RECEIVED_AT)
    assert elements_in(array)[0] == {"run": 0}
    assert ids_in(array) == ids_of(drafts)


def test_another_provenance_begins_another_run(journal: DiskJournal) -> None:
    drafts = [draft(1), draft(2, orig_address="10.0.0.1"), draft(1)]
    array = sealed(journal, drafts).array()
    assert array is not None
    assert [(run.place, run.seq, run.provenance.orig_address) for run in array.runs] == [
        (0, 1, None),
        (2, 2, "10.0.0.1"),
        (5, 4, None),
    ]
    assert [place for place, element in enumerate(elements_in(array)) if "run" in element] == [0, 2, 5]
    assert ids_in(array) == ids_of(drafts)


def test_rejections_and_what_looks_like_them_stay_out(journal: DiskJournal) -> None:
    odd = draft(1, parameters={"rejects": [{"a": 1}], "events": [{}], "text": '],"rejects":['})
    odd.rejects = [Rejection(index=0, code="not_json", message="m", raw='"events":[ ],"rejects":[{}]')]
    drafts = [odd, draft(0, rejects=odd.rejects), draft(1)]
    assert ids_in(sealed(journal, drafts).array()) == ids_of(drafts)


@pytest.mark.parametrize(("events", "fit"), [(1, False), (RUN_EVENTS_MIN, True)])
def test_many_frames_of_few_events_are_left_as_they_are(
    journal: DiskJournal, folder: Path, events: int, fit: bool
) -> None:
    drafts = [draft(events, received_at=RECEIVED_AT + timedelta(seconds=number)) for number in range(20)]
    assert (sealed(journal, drafts).array() is not None) is fit
    assert bool(list(folder.glob("*.tmp"))) is fit


def test_a_damaged_frame_is_in_no_array(journal: DiskJournal) -> None:
    drafts = [draft(1), draft(1), draft(1)]
    segment = sealed(journal, drafts)
    assert segment.path is not None
    whole = segment.path.read_bytes().split(b"\n")
    segment.path.write_bytes(b"\n".join([whole[0], whole[1][:-3] + b"x" + whole[1][-2:], *whole[2:]]))
    fresh = SealedSegment(
        segment.path.parent, 1, "r", journal._quarantine, size_bytes=segment.size_bytes, before_repair=lambda: None
    )
    assert fresh.array() is None
    assert fresh.path is not None and fresh.count == 2
    array = fresh.array()
    assert array is not None and [run.seq for run in array.runs] == [1, 3]
    assert ids_in(array) == ids_of([drafts[0], drafts[2]])


def test_a_bit_that_flips_in_what_this_process_wrote_itself_is_found(journal: DiskJournal) -> None:
    drafts = [draft(1), draft(2), draft(1)]
    segment = sealed(journal, drafts)
    data = bytearray(segment._path.read_bytes())
    data[data.index(ids_of([drafts[1]])[1].encode())] ^= 1
    segment._path.write_bytes(data)
    assert segment.array() is None
    assert (segment.count, len(journal.status().quarantine)) == (2, 1)
    assert ids_in(segment.array()) == ids_of([drafts[0], drafts[2]])


def test_what_is_known_of_an_own_segment_is_what_looking_at_each_frame_finds(journal: DiskJournal) -> None:
    rejects = [Rejection(index=0, code="not_json", message="m")]
    segment = sealed(journal, [draft(2), draft(0, rejects=rejects), draft(3, rejects=rejects)])
    assert segment._told is not None and recovery.is_of(segment._told, segment._path)
    assert segment._told.survey == recovery.survey(segment._path)


def test_what_a_crash_leaves_of_arrays_is_gone_at_the_next_start(journal: DiskJournal, folder: Path) -> None:
    assert sealed(journal, [draft(1)]).array() is not None
    journal.close()
    assert list(folder.glob("*.tmp"))
    open_journal(folder).close()
    assert not list(folder.glob("*.tmp"))


def test_reading_for_an_array_counts_what_is_there(journal: DiskJournal) -> None:
    rejects = [Rejection(index=0, code="not_json", message="m")]
    segment = sealed(journal, [draft(2), draft(0, rejects=rejects), draft(3)])
    assert segment.array() is not None
    assert (segment.count, segment.rejects_count) == (5, 1)


def test_a_segment_of_rejections_alone_is_an_empty_array(journal: DiskJournal) -> None:
    array = sealed(journal, [draft(0, rejects=[Rejection(index=0, code="not_json", message="m")])]).array()
    assert (elements_in(array), array and array.runs) == ([], [])

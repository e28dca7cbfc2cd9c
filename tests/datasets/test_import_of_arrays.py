"""Importing JSON arrays: event by event, like lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from support.imports import KeptSink, dss_lines, native_line, native_lines, run, write_as
from whodid.datasets import sources
from whodid.datasets.checkpoint import Checkpoints
from whodid.datasets.decoding_process import DecodingProcess
from whodid.datasets.importer import Importer


def array_of(lines: bytes, indent: int | None = None) -> bytes:
    """The events of lines as one JSON array."""
    return json.dumps([json.loads(line) for line in lines.splitlines()], indent=indent).encode()


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(("lines", "format"), [(native_lines, "native"), (dss_lines, "dss-log4j")])
def test_an_array_comes_in_whole(
    lines: Callable[[Iterable[int]], bytes], format: str, indent: int | None, suffix: str, sink: KeptSink, logs: Path
) -> None:
    path = write_as(logs / f"export.json{suffix}", array_of(lines(range(4_000)), indent))
    summary = run(sink, None, path)
    assert (summary.events, summary.rejected) == (4_000, 0)
    assert sink.numbers == list(range(4_000))
    assert {draft.format for draft in sink.drafts} == {format}


def test_an_array_is_read_beside_as_here(sink: KeptSink, checkpoints: Checkpoints, logs: Path) -> None:
    path = write_as(logs / "export.json", array_of(native_lines(range(2_000)), 2))
    with DecodingProcess() as decoding, Importer(sink, checkpoints, decoding=decoding) as importer:
        importer.read(sources.find([str(path)]).sources[0])
        importer.finish()
    assert sink.numbers == list(range(2_000))


def test_only_what_an_array_has_more_is_read(sink: KeptSink, checkpoints: Checkpoints, logs: Path) -> None:
    path = logs / "export.json"
    for upto in (3, 50, 3_000):
        path.write_bytes(array_of(native_lines(range(upto)), 2))
        run(sink, checkpoints, path)
    assert sink.sent == 3_000
    assert [file.outcome for file in run(sink, checkpoints, path).files] == ["skipped"]


def test_a_bad_element_is_told_with_the_line_in_which_it_begins(sink: KeptSink, logs: Path) -> None:
    events = [json.loads(native_line(number)) for number in range(3)]
    text = json.dumps([events[0], {"no": "type"}, events[1], events[2]], indent=2).encode()
    summary = run(sink, None, write_as(logs / "export.json", text))
    assert sink.numbers == [0, 1, 2]
    begun = text.splitlines().index(b'    "no": "type"')
    assert [(reject.code, reject.line) for reject in summary.rejects] == [("no_type", begun)]


def test_an_array_cut_off_gives_the_events_before(sink: KeptSink, logs: Path) -> None:
    summary = run(sink, None, write_as(logs / "export.json", array_of(native_lines(range(9)))[:-40]))
    assert sink.numbers == list(range(8))
    assert [reject.code for reject in summary.rejects] == ["not_json"]

"""Decoding in a process of its own gives what decoding in this one gives, and its end costs nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.imports import KeptSink, dss_lines, native_line, native_lines, write_as
from whodid.datasets import sources
from whodid.datasets.checkpoint import Checkpoints
from whodid.datasets.decoding_process import DecodingProcess
from whodid.datasets.importer import Importer, Progress
from whodid.datasets.summary import Summary
from whodid.errors import WhodidError
from whodid.journal.base import Draft


@pytest.fixture(scope="module")
def shared() -> Iterator[DecodingProcess]:
    with DecodingProcess() as process:
        yield process


def run(
    sink: KeptSink, checkpoints: Checkpoints | None, process: DecodingProcess | None, *paths: Path
) -> tuple[Summary, list[Draft]]:
    with Importer(sink, checkpoints, decoding=process) as importer:
        for source in sources.find([str(path) for path in paths]).sources:
            importer.read(source)
        return importer.finish(), sink.drafts


MIXED = native_lines(range(3)) + b"no json\n\xff\xfe\n" + native_line(3) + b"[1,\n" + native_lines(range(4, 3_000))
FILES = {
    "plain.log": native_lines(range(20_000)),
    "repeated.log": dss_lines([*range(5_000), 4_999, 4_999]),
    "packed.log.gz": dss_lines(range(9_000)),
    "packed.log.zst": native_lines(range(9_000)),
    "mixed.log": MIXED,
    "short.log": b'{"id":"no uuid","type":"x","time":1}\n' * 20_000,
    "long.log": native_lines(range(3)) + b'{"type":"' + b"y" * 9_000_000 + b'"}\n' + native_lines(range(3, 6)),
    "unended.log": native_lines(range(10)).rstrip(b"\n"),
}


@pytest.mark.parametrize("name", FILES)
def test_it_gives_what_decoding_here_gives(name: str, shared: DecodingProcess, tmp_path: Path) -> None:
    path = write_as(tmp_path / name, FILES[name])
    (here, ours), (there, theirs) = run(KeptSink(), None, None, path), run(KeptSink(), None, shared, path)
    told = [(draft.events, draft.count, draft.format, draft.rejects) for draft in ours]
    assert [(draft.events, draft.count, draft.format, draft.rejects) for draft in theirs] == told
    here.seconds = there.seconds = 0
    assert there == here
    assert there.bytes == path.stat().st_size


def test_it_goes_on_where_a_file_was_read_to(shared: DecodingProcess, checkpoints: Checkpoints, tmp_path: Path) -> None:
    sink, path = KeptSink(), tmp_path / "audit.log"
    for upto in (100, 4_000, 9_000):
        path.write_bytes(dss_lines([*range(upto), upto - 1]))
        run(sink, checkpoints, shared, path)
    packed = write_as(tmp_path / "audit.log.1.gz", dss_lines([*range(9_000), 8_999, 8_999]))
    summary, _ = run(sink, checkpoints, shared, packed)
    assert [(file.outcome, file.events) for file in summary.files] == [("continued", 1)]
    assert sink.numbers == sorted([*range(9_000), 99, 3_999, 8_999, 8_999])


def test_what_is_wrong_with_a_file_is_told_and_the_next_one_read(
    shared: DecodingProcess, checkpoints: Checkpoints, tmp_path: Path
) -> None:
    sink, cut = KeptSink(), write_as(tmp_path / "a.log.gz", dss_lines(range(20_000)))
    whole = cut.read_bytes()
    cut.write_bytes(whole[: len(whole) * 3 // 4])
    good = write_as(tmp_path / "b.log", native_lines(range(20_000, 20_010)))
    summary, _ = run(sink, checkpoints, shared, cut, good)
    assert [file.outcome for file in summary.files] == ["failed", "read"]
    assert summary.files[0].reason
    assert 10 < len(sink.events) < 20_010
    cut.write_bytes(whole)
    run(sink, checkpoints, shared, cut)
    assert sink.numbers == list(range(20_010))


def test_killed_it_ends_the_import_and_the_next_one_goes_on(checkpoints: Checkpoints, tmp_path: Path) -> None:
    class Killing(Progress):
        def moved(self, source: sources.Source, bytes_read: int, events: int) -> None:
            os.kill(process.pid, signal.SIGKILL)

    path = write_as(tmp_path / "audit.log", dss_lines(range(30_000)))
    sink = KeptSink()
    with (
        DecodingProcess() as process,
        pytest.raises(WhodidError, match=r"ended \(-9\)"),
        Importer(sink, checkpoints, decoding=process, progress=Killing()) as importer,
    ):
        importer.read(sources.local_file(path))
    assert 0 < len(sink.events) < 30_000
    run(sink, checkpoints, None, path)
    assert sink.numbers == list(range(30_000))


def test_it_ends_when_nobody_takes_what_it_gives(tmp_path: Path) -> None:
    class Failing(KeptSink):
        def send(self, draft: Draft) -> None:
            raise WhodidError("full", "No disk space is left.")

    path = write_as(tmp_path / "audit.log", dss_lines(range(30_000)))
    with DecodingProcess() as process, pytest.raises(WhodidError, match="No disk space"):
        run(Failing(), None, process, path)
    assert process.exit_code == 0

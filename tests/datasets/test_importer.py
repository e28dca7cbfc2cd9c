"""Importing files: all of them, once, whatever they are called, however they grow, wherever it stops."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from support.imports import KeptSink, dss_lines, native_line, native_lines, run, write_as
from whodid.datasets import sources
from whodid.datasets.checkpoint import Checkpoints
from whodid.datasets.importer import Importer
from whodid.datasets.sinks import JournalSink
from whodid.errors import WhodidError
from whodid.journal.base import Draft


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
@pytest.mark.parametrize("lines", [native_lines, dss_lines])
def test_a_file_comes_in_whole(lines: object, suffix: str, sink: KeptSink, logs: Path) -> None:
    path = write_as(logs / f"audit.log{suffix}", lines(range(9_000)))  # type: ignore[operator]
    summary = run(sink, None, path)
    assert (summary.events, summary.stored, summary.rejected) == (9_000, 9_000, 0)
    assert summary.topics == {"generic": 9_000}
    assert sink.numbers == list(range(9_000))
    assert [(file.name, file.outcome, file.events) for file in summary.files] == [(str(path), "read", 9_000)]


def test_the_format_is_told_by_content_and_kept_with_the_events(sink: KeptSink, logs: Path) -> None:
    run(sink, None, write_as(logs / "a.log", dss_lines(range(3))), write_as(logs / "b.log", native_lines(range(3))))
    assert {draft.format for draft in sink.drafts} == {"dss-log4j", "native"}


def test_a_file_that_was_read_is_not_read_again(sink: KeptSink, checkpoints: Checkpoints, logs: Path) -> None:
    path = write_as(logs / "audit.log", dss_lines(range(100)))
    run(sink, checkpoints, path)
    summary = run(sink, checkpoints, path)
    assert [file.outcome for file in summary.files] == ["skipped"]
    assert sink.sent == 100


def outcome(sink: KeptSink, checkpoints: Checkpoints, path: Path, format: str | None = None) -> tuple[str, int, int]:
    """What became of a file that was imported: its outcome, events and rejections."""
    (file,) = run(sink, checkpoints, path, format=format).files
    return file.outcome, file.events, file.rejected


@pytest.mark.parametrize("then", [None, "dss-log4j"])
def test_what_was_read_in_another_format_was_not_read(
    then: str | None, sink: KeptSink, checkpoints: Checkpoints, logs: Path
) -> None:
    path = write_as(logs / "audit.log", dss_lines(range(3)))
    assert outcome(sink, checkpoints, path, "native") == ("read", 0, 3)
    assert outcome(sink, checkpoints, path, then) == ("read", 3, 0)
    for format in ("native", "dss-log4j", None):
        assert outcome(sink, checkpoints, path, format) == ("skipped", 0, 0)
    assert sink.numbers == [0, 1, 2]


def test_a_file_read_in_two_formats_goes_on_in_each_when_it_has_grown_under_another_name(
    sink: KeptSink, checkpoints: Checkpoints, logs: Path
) -> None:
    path = write_as(logs / "audit.log", dss_lines(range(3)))
    outcome(sink, checkpoints, path, "native")
    outcome(sink, checkpoints, path)
    path.unlink()
    path = write_as(logs / "audit.log.1", dss_lines(range(5)))
    assert outcome(sink, checkpoints, path) == ("continued", 2, 0)
    assert outcome(sink, checkpoints, path, "native") == ("continued", 0, 2)
    assert outcome(sink, checkpoints, path) == ("skipped", 0, 0)
    assert sink.numbers == [0, 1, 2, 3, 4]


def test_a_file_that_tells_no_format_goes_on_in_the_one_it_was_read_in(
    sink: KeptSink, checkpoints: Checkpoints, logs: Path
) -> None:
    path = write_as(logs / "odd.log", b"no event\n")
    assert outcome(sink, checkpoints, path, "native") == ("read", 0, 1)
    assert outcome(sink, checkpoints, path) == ("skipped", 0, 0)
    path.write_bytes(b"no event\nnone either\n")
    assert outcome(sink, checkpoints, path) == ("continued", 0, 1)


def test_only_the_new_part_of_a_file_that_grew_is_read(sink: KeptSink, checkpoints: Checkpoints, logs: Path) -> None:
    path = logs / "audit.log"
    for upto in (2, 3, 50, 20_000):
        path.write_bytes(dss_lines(range(upto)))
        summary = run(sink, checkpoints, path)
    assert summary.events == 20_000 - 50
    assert sink.sent == 20_000
    assert sink.numbers == list(range(20_000))


def test_a_rotated_file_is_known_again_under_its_new_names(
    sink: KeptSink, checkpoints: Checkpoints, logs: Path
) -> None:
    live = logs / "audit.log"
    live.write_bytes(dss_lines(range(5000)))
    run(sink, checkpoints, logs)
    # Written on, then rotated; a fresh file begins.
    (logs / "audit.log.1").write_bytes(dss_lines(range(6000)))
    live.write_bytes(dss_lines(range(6000, 6100)))
    run(sink, checkpoints, logs)
    assert sink.sent == 6100
    # Rotated again and compressed: nothing in it is new.
    (logs / "audit.log.2.gz").write_bytes(gzip.compress((logs / "audit.log.1").read_bytes()))
    (logs / "audit.log.1").write_bytes(live.read_bytes())
    live.write_bytes(dss_lines(range(6100, 6150)))
    run(sink, checkpoints, logs)
    assert sink.sent == 6150
    assert sink.numbers == list(range(6150))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_the_new_part_of_a_file_compressed_meanwhile_is_read(
    suffix: str, sink: KeptSink, checkpoints: Checkpoints, logs: Path
) -> None:
    run(sink, checkpoints, write_as(logs / "audit.log", dss_lines(range(5000))))
    summary = run(sink, checkpoints, write_as(logs / f"audit.log.1{suffix}", dss_lines(range(9000))))
    assert [(file.outcome, file.events) for file in summary.files] == [("continued", 4000)]
    assert sink.sent == 9000


def test_a_file_that_was_rewritten_is_read_from_its_start(sink: KeptSink, checkpoints: Checkpoints, logs: Path) -> None:
    path = logs / "audit.log"
    path.write_bytes(native_lines(range(1000)))
    run(sink, checkpoints, path)
    path.write_bytes(native_lines(range(500)) + native_lines(range(2000, 3000)))
    summary = run(sink, checkpoints, path)
    assert [file.outcome for file in summary.files] == ["read"]
    assert sink.numbers == [*range(1000), *range(2000, 3000)]


def test_a_truncated_file_is_read_from_its_start(sink: KeptSink, checkpoints: Checkpoints, logs: Path) -> None:
    path = logs / "audit.log"
    path.write_bytes(native_lines(range(1000)))
    run(sink, checkpoints, path)
    path.write_bytes(native_lines(range(1000, 1010)))
    run(sink, checkpoints, path)
    assert sink.numbers == list(range(1010))


def test_reading_again_doubles_nothing(sink: KeptSink, checkpoints: Checkpoints, logs: Path) -> None:
    repeated = dss_lines(range(300)) + dss_lines([299, 299, 299])
    path = write_as(logs / "audit.log", repeated)
    run(sink, checkpoints, path)
    assert len(sink.events) == 303
    run(sink, checkpoints, path, again=True)
    assert (sink.sent, len(sink.events)) == (606, 303)


def test_reading_again_gives_rejections_the_ids_they_had(sink: KeptSink, checkpoints: Checkpoints, logs: Path) -> None:
    path = write_as(logs / "audit.log", native_lines(range(3)) + b"nonsense\n" * 2)
    for again in (False, True, True):
        run(sink, checkpoints, path, again=again)
    ids = [reject.id for draft in sink.drafts for reject in draft.rejects]
    assert (len(ids), len(set(ids))) == (6, 2)


def test_a_last_line_without_line_break_is_read_and_read_whole_later(
    sink: KeptSink, checkpoints: Checkpoints, logs: Path
) -> None:
    path = logs / "audit.log"
    path.write_bytes(native_lines(range(10)).rstrip(b"\n"))
    assert run(sink, checkpoints, path).rejected == 0
    assert sink.numbers == list(range(10))
    path.write_bytes(native_lines(range(12)))
    run(sink, checkpoints, path)
    assert sink.numbers == list(range(12))


def test_a_last_line_cut_off_is_rejected_and_taken_once_it_is_whole(
    sink: KeptSink, checkpoints: Checkpoints, logs: Path
) -> None:
    path = logs / "audit.log"
    path.write_bytes(native_lines(range(10)) + native_line(10)[:40])
    summary = run(sink, checkpoints, path)
    assert [(reject.line, reject.file) for reject in summary.rejects] == [(11, str(path))]
    path.write_bytes(native_lines(range(11)))
    assert run(sink, checkpoints, path).rejected == 0
    assert sink.numbers == list(range(11))


def test_bad_lines_are_kept_with_file_and_line_and_their_neighbours_come_in(sink: KeptSink, logs: Path) -> None:
    good = [native_line(number) for number in range(6)]
    bad = [b"no json\n", b"\xff\xfe\x00\n", b'{"a":' + b"[" * 5000 + b"\n", b'{"type":"x","time":NaN}\n', b"[1,\n"]
    path = logs / "mixed.log"
    path.write_bytes(b"".join(line for pair in zip(good, [*bad, b""], strict=True) for line in pair))
    summary = run(sink, None, path)
    assert sink.numbers == list(range(6))
    assert [reject.line for reject in summary.rejects] == [2, 4, 6, 8, 10]
    assert {reject.source for reject in sink.rejects} == {str(path)}
    assert all(reject.raw for reject in sink.rejects)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_line_of_50_mb_is_rejected_with_its_number_and_its_neighbours_survive(
    suffix: str, sink: KeptSink, logs: Path
) -> None:
    long = b'{"type":"x","description":"' + b"y" * 50_000_000 + b'"}\n'
    path = write_as(logs / f"audit.log{suffix}", native_lines(range(3)) + long + native_lines(range(3, 6)))
    summary = run(sink, None, path)
    assert sink.numbers == list(range(6))
    assert [(reject.line, reject.code) for reject in summary.rejects] == [(4, "too_large")]
    assert sink.rejects[0].raw_size_bytes == len(long) - 1
    assert len(sink.rejects[0].raw or "") <= 64 * 1024


def test_empty_files_hold_nothing_and_harm_nothing(sink: KeptSink, checkpoints: Checkpoints, logs: Path) -> None:
    for name in ("empty.log", "empty.log.gz"):
        write_as(logs / name, b"")
    write_as(logs / "blank.log", b"\n\n\n")
    write_as(logs / "full.log", native_lines(range(3)))
    summary = run(sink, checkpoints, logs)
    assert (summary.events, summary.rejected) == (3, 0)
    assert "failed" not in {file.outcome for file in summary.files}


def test_a_file_that_cannot_be_opened_fails_alone(sink: KeptSink, logs: Path) -> None:
    good, gone = write_as(logs / "a.log", native_lines(range(3))), write_as(logs / "b.log", native_lines(range(3)))
    found = sources.find([str(good), str(gone)]).sources
    gone.unlink()
    with Importer(sink) as importer:
        for source in found:
            importer.read(source)
        summary = importer.finish()
    assert [(file.outcome, file.reason) for file in summary.files] == [
        ("read", None),
        ("failed", "No such file or directory"),
    ]
    assert summary.events == 3


def test_a_folder_that_vanished_fails_file_by_file(sink: KeptSink, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "gone"
    folder.mkdir()
    write_as(folder / "a.log", native_lines(range(3)))
    found = sources.find([str(folder)]).sources
    shutil.rmtree(folder)
    with Importer(sink) as importer:
        done = importer.read(found[0])
    assert done.outcome == "failed"


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_compressed_file_cut_off_gives_what_can_be_read_and_says_so(
    suffix: str, sink: KeptSink, checkpoints: Checkpoints, logs: Path
) -> None:
    path = write_as(logs / f"audit.log{suffix}", dss_lines(range(20_000)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 3 // 4])
    summary = run(sink, checkpoints, path)
    assert [file.outcome for file in summary.files] == ["failed"]
    assert 0 < len(sink.events) < 20_000
    path.write_bytes(whole)
    run(sink, checkpoints, path)
    assert sink.numbers == list(range(20_000))


class Interrupted(Exception):
    """The process dies here."""


class FragileSink(KeptSink):
    """Fails after some drafts; before or after the draft was made durable."""

    def __init__(self, drafts: int, *, kept: bool):
        super().__init__()
        self.left = drafts
        self.kept = kept

    def send(self, draft: Draft) -> None:
        self.left -= 1
        if self.left < 0 and not self.kept:
            raise Interrupted
        super().send(draft)
        if self.left < 0:
            raise Interrupted


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_an_import_that_died_goes_on_without_loss_or_double(
    suffix: str, kept: bool, checkpoints: Checkpoints, logs: Path
) -> None:
    path = write_as(logs / f"audit.log{suffix}", dss_lines(range(12_000)) + dss_lines([11_999, 11_999]))
    sink = FragileSink(0, kept=kept)
    for _ in range(20):
        sink.left = 1
        try:
            summary = run(sink, checkpoints, path)
            break
        except Interrupted:
            continue
    assert sink.numbers == [*range(12_000), 11_999, 11_999]
    assert [file.outcome for file in summary.files] in (["continued"], ["read"])


def test_while_the_journal_is_busy_the_import_waits(sink: KeptSink, logs: Path) -> None:
    class BusySink(KeptSink):
        refusals = 3

        def send(self, draft: Draft) -> None:
            if self.refusals:
                self.refusals -= 1
                raise WhodidError("busy", "The journal is full of what waits for the store.")
            super().send(draft)

    busy = BusySink()
    assert run(busy, None, write_as(logs / "a.log", native_lines(range(5)))).events == 5
    assert busy.numbers == list(range(5))


def test_a_full_disk_ends_the_import_and_the_next_one_goes_on(checkpoints: Checkpoints, logs: Path) -> None:
    class FullSink(KeptSink):
        full = True

        def send(self, draft: Draft) -> None:
            if self.full and self.drafts:
                raise WhodidError("full", "No disk space is left.")
            super().send(draft)

    sink = FullSink()
    path = write_as(logs / "a.log", native_lines(range(9_000)))
    with pytest.raises(WhodidError, match="No disk space"):
        run(sink, checkpoints, path)
    sink.full = False
    run(sink, checkpoints, path)
    assert sink.sent == 9_000
    assert sink.numbers == list(range(9_000))


def test_short_events_are_split_into_drafts_that_the_journal_takes(sink: KeptSink, logs: Path) -> None:
    path = logs / "short.log"
    path.write_bytes(b'{"type":"x"}\n' * 100_000)
    summary = run(sink, None, path)
    assert summary.events == 100_000
    assert max(draft.count for draft in sink.drafts) <= 10_000


def test_a_sink_may_be_opened_while_more_is_read(logs: Path) -> None:
    opened: list[KeptSink] = []

    def make() -> KeptSink:
        opened.append(KeptSink())
        return opened[-1]

    path = write_as(logs / "audit.log", native_lines(range(20_000)))
    with Importer(make) as importer:
        importer.read(sources.local_file(path))
        assert importer.finish().stored == 20_000
    assert len(opened) == 1


def test_drafts_end_where_a_load_is_full_and_the_journal_seals_there(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whodid.datasets.importer.LOAD_EVENTS", 10_000)
    monkeypatch.setattr("whodid.datasets.sinks.LOAD_EVENTS", 10_000)
    journal = SealedJournal()
    sink = JournalSink(journal, journal, seal=journal.seal)  # type: ignore[arg-type]  # as far as it is asked
    path = write_as(logs / "audit.log", native_lines(range(25_000)))
    with Importer(sink) as importer:
        importer.read(sources.local_file(path))
        importer.finish()
    assert [sum(draft.count for draft in load) for load in journal.loads] == [10_000, 10_000, 5_000]
    sent = b"".join(draft.events for load in journal.loads for draft in load)
    assert sent.replace(b"][", b",") == b"[%b]" % path.read_bytes().strip().replace(b"\n", b",")


class SealedJournal:
    """A journal and its writer that keep what was sent between two seals."""

    stored = duplicates = 0

    def __init__(self) -> None:
        self.loads: list[list[Draft]] = [[]]

    def append_blocking(self, draft: Draft) -> None:
        self.loads[-1].append(draft)

    def seal(self) -> None:
        self.loads.append([])

    def flush(self, timeout_s: float) -> None: ...

    def status(self) -> SealedJournal:
        return self

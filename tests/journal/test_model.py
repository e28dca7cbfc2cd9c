"""Any order of appending, sealing, releasing, restarting, crashing and damaging, against a list that remembers it all.

What was acknowledged and not damaged is read back exactly once and in order; what was damaged is reported; nothing
else appears, but for frames that were written and not yet acknowledged when the process died; no number is used twice.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import unittest
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from support.journals import draft, open_journal
from whodid.errors import WhodidError
from whodid.event import Rejection, new_id
from whodid.journal import direct, frame, segment
from whodid.journal.base import Draft, Frame
from whodid.journal.disk import DiskJournal

FAR = 2**20
FLIPS = st.lists(st.tuples(st.integers(0, FAR), st.integers(0, 7)), min_size=1, max_size=4)


@dataclass
class Known:
    """A frame that the journal acknowledged."""

    line: bytes
    seq: int
    count: int
    number: int
    hit: bool = False
    """Damaged: it must be gone and kept aside."""
    doubtful: bool = False
    """Its line break was damaged, or a torn end may have held it: it may be there or not."""
    remains: bytes = b""


@dataclass
class Model:
    frames: list[Known] = field(default_factory=list)
    unacknowledged: list[bytes] = field(default_factory=list)
    seq_used: int = 0
    truncated: bool = False


def line_of(made: Draft, receiver: str, seq: int) -> bytes:
    prepared = frame.prepare(made, b'"%b"' % receiver.encode())
    return b"".join(frame.number(prepared, seq))


def make_draft(count: int, text: str) -> Draft:
    """Unlike any other, so that lines can be told apart."""
    text = f"{text} {new_id()}"
    rejects = [] if count else [Rejection(index=0, code="invalid", message=text)]
    return draft(count, parameters={"text": text, "nested": {"sum": text}}, rejects=rejects)


class JournalMachine(RuleBasedStateMachine):
    """
    direct_bytes_min  from which size on commits and files go past the kernel's cache.
    repeated          how often an event has its text.
    """

    direct_bytes_min = direct.WRITTEN_BYTES_MIN
    repeated = 1

    @initialize()
    def begin(self) -> None:
        self.patched = pytest.MonkeyPatch()
        for name in ("WRITTEN_BYTES_MIN", "READ_BYTES_MIN"):
            self.patched.setattr(direct, name, self.direct_bytes_min)
        self.root = Path(tempfile.mkdtemp(prefix="whodid-model-"))
        self.lives = 0
        self.model = Model()
        self.journal: DiskJournal = open_journal(self.root / "0")

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.patched.undo()
            self.check()
            self.journal.close()
            shutil.rmtree(self.root)

    @rule(count=st.integers(0, 3), text=st.text(max_size=20))
    def append(self, count: int, text: str) -> None:
        made = make_draft(count, text * self.repeated)
        position = self.journal.append_blocking(made)
        seq = self.journal.status().seq_next - count
        if count and not self.model.truncated:
            assert seq > self.model.seq_used
        self.model.seq_used = max(self.model.seq_used, seq + count - 1)
        line = line_of(made, self.journal.receiver, seq)
        self.model.frames.append(Known(line, seq, count, position.segment))

    @rule()
    def seal(self) -> None:
        self.journal.seal()

    @precondition(lambda self: self.journal.sealed())
    @rule(which=st.integers(0, 5))
    def release(self, which: int) -> None:
        sealed = self.journal.sealed()
        number = sealed[min(which, len(sealed) - 1)].number
        self.journal.release(number)
        if not self.journal.keeps:
            kept = {batch.number for batch in self.journal.kept()}
            self.model.frames = [known for known in self.model.frames if known.number > number or known.number in kept]

    @rule(keeps=st.booleans())
    def keep_what_is_released(self, keeps: bool) -> None:
        self.journal.keeps = keeps

    @precondition(lambda self: self.journal.kept())
    @rule(which=st.integers(0, 5))
    def drop(self, which: int) -> None:
        kept = self.journal.kept()
        number = kept[min(which, len(kept) - 1)].number
        self.journal.drop(number)
        self.model.frames = [known for known in self.model.frames if known.number > number]

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.journal = open_journal(self.journal.folder)

    @rule(
        unacknowledged=st.integers(0, 3),
        cut=st.integers(0, FAR),
        flips=st.none() | FLIPS,
        unsealed=st.booleans(),
    )
    def crash(self, unacknowledged: int, cut: int, flips: list[tuple[int, int]] | None, unsealed: bool) -> None:
        """Only what was durable is left, and any part of what was being written."""
        self.lives += 1
        folder = self.root / str(self.lives)
        shutil.copytree(self.journal.folder, folder)
        seq = self.journal.status().seq_next
        number = self.journal.status().segment_open
        receiver = self.journal.receiver
        self.journal.close()
        sealed = segment.numbers(folder, "sealed")
        if unsealed and sealed and number is None:
            segment.sealed_path(folder, sealed[-1]).rename(segment.open_path(folder, sealed[-1]))
        (folder / "000000000001.sealed.tmp").write_bytes(b"half")
        found_open = segment.numbers(folder, "open")
        if flips and found_open:
            self.flip(segment.open_path(folder, found_open[-1]), found_open[-1], flips)
        if found_open:
            lines = []
            for _ in range(unacknowledged):
                lines.append(line_of(make_draft(1, "late"), receiver, seq))
                seq += 1
            written = b"".join(lines)
            with segment.open_path(folder, found_open[-1]).open("ab") as file:
                file.write(written[: cut % (len(written) + 1)])
            self.model.unacknowledged += lines
        self.journal = open_journal(folder)

    @precondition(lambda self: self.journal.sealed())
    @rule(which=st.integers(0, 5), flips=FLIPS)
    def damage_a_sealed_segment(self, which: int, flips: list[tuple[int, int]]) -> None:
        sealed = self.journal.sealed()
        number = sealed[min(which, len(sealed) - 1)].number
        self.flip(segment.sealed_path(self.journal.folder, number), number, flips)

    @precondition(lambda self: self.journal.sealed())
    @rule(which=st.integers(0, 5), at=st.integers(0, FAR))
    def truncate_a_sealed_segment(self, which: int, at: int) -> None:
        sealed = self.journal.sealed()
        number = sealed[min(which, len(sealed) - 1)].number
        path = segment.sealed_path(self.journal.folder, number)
        data = path.read_bytes()
        kept = data[: at % (len(data) + 1)]
        path.write_bytes(kept)
        self.model.truncated = True
        for known in self.in_segment(number):
            start = data.find(known.line)
            if known.hit or start + len(known.line) > len(kept):
                known.doubtful = True

    def flip(self, path: Path, number: int, flips: list[tuple[int, int]]) -> None:
        data = bytearray(path.read_bytes())
        if not data:
            return
        before = bytes(data)
        for at, bit in flips:
            data[at % len(data)] ^= 1 << bit
        changed = {at for at in range(len(data)) if data[at] != before[at]}
        path.write_bytes(data)
        for known in self.in_segment(number):
            start = before.find(known.line)
            if known.hit:
                # Hit again, or even mended by it.
                known.hit, known.doubtful = False, True
            if start < 0:
                continue
            line_break = start + len(known.line) - 1
            if changed & set(range(start, line_break)):
                known.hit = True
                known.remains = bytes(data[start:line_break])
                known.doubtful = line_break in changed
            elif line_break in changed:
                known.doubtful = True

    def in_segment(self, number: int) -> list[Known]:
        return [known for known in self.model.frames if known.number == number]

    @invariant()
    def nothing_waits(self) -> None:
        if hasattr(self, "journal"):
            assert self.journal.status().waiting_bytes == 0

    @rule()
    def check(self) -> None:
        self.journal.seal()
        read = self.read_all()
        expected = {known.line: known for known in self.model.frames}
        numbers = [seq + index for seq, count in ((f.seq, len(f.events)) for _, f in read) for index in range(count)]
        if not self.model.truncated:
            assert numbers == sorted(set(numbers))
        seen = [line for line, _ in read if line in expected]
        assert len(seen) == len(set(seen))
        assert seen == [known.line for known in self.model.frames if known.line in set(seen)]
        assert {line for line, _ in read} - expected.keys() <= set(self.model.unacknowledged)
        for known in self.model.frames:
            if known.hit:
                assert known.line not in seen
                assert known.doubtful or known.remains in self.put_aside(known.number)
            else:
                assert known.doubtful or known.line in seen

    def read_all(self) -> list[tuple[bytes, Frame]]:
        """Every line and what it says; a file that changed after it was checked is read again."""
        read: list[tuple[bytes, Frame]] = []
        for batch in [*self.journal.kept(), *self.journal.sealed()]:
            with contextlib.suppress(WhodidError):
                list(batch.frames())
            frames = list(batch.frames())
            lines = batch.path.read_bytes().splitlines(keepends=True) if batch.path else []
            assert len(lines) == len(frames)
            assert batch.count == sum(len(each.events) for each in frames)
            read += zip(lines, frames, strict=True)
        return read

    def put_aside(self, number: int) -> bytes:
        items = [item for item in self.journal.status().quarantine if item.segment == number]
        return b"".join(item.path.read_bytes() for item in items)


class JournalPastTheCacheMachine(JournalMachine):
    direct_bytes_min = 4096
    repeated = 200


def cases(machine: type[JournalMachine], examples: int) -> type[unittest.TestCase]:
    case = machine.TestCase
    case.settings = settings(
        max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )
    return case


TestJournalModel = cases(JournalMachine, 60)
TestJournalPastTheCacheModel = cases(JournalPastTheCacheMachine, 30)

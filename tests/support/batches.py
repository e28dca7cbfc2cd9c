"""Batches out of lists of events, in files of real frames, without a journal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from whodid.event import Event, Rejection
from whodid.journal import frame as frames
from whodid.journal.arrays import array_of
from whodid.journal.base import Array, Draft, Frame

RECEIVED_AT = datetime(2026, 5, 4, 10, 0, 0, 123456, tzinfo=UTC)


class FileBatch:
    """A sealed segment for tests: one file of frames. `path=None` batches keep their lines in memory only."""

    def __init__(self, path: Path | None, lines: Sequence[bytes], *, receiver: str, number: int, count: int):
        self.path = path
        self.receiver = receiver
        self.number = number
        self.count = count
        self.rejects_count = sum(
            header.rejects_count for line in lines if (header := frames.verify(line.rstrip(b"\n")))
        )
        self.size_bytes = sum(map(len, lines))
        self._lines = () if path else tuple(lines)
        if path:
            path.write_bytes(b"".join(lines))

    def frames(self) -> Iterator[Frame]:
        lines = self.path.read_bytes().splitlines(keepends=True) if self.path else self._lines
        for line in lines:
            text = line.rstrip(b"\n")
            assert frames.verify(text) is not None
            yield frames.decode(text)

    def array(self) -> Array | None:
        written = array_of(self.path) if self.path else None
        return written.array if written else None


class Batches:
    """Makes batches of one receiver with ascending numbers and seqs, with their files in `folder`."""

    def __init__(self, folder: Path, receiver: str = "receiver-a"):
        self.folder = folder
        self.receiver = receiver
        self.number = 0
        self.seq = 1
        folder.mkdir(parents=True, exist_ok=True)

    def of(
        self,
        events: Sequence[Event] = (),
        *,
        rejects: Sequence[Rejection] = (),
        frame_events: int = 500,
        in_file: bool = True,
        received_at: datetime = RECEIVED_AT,
    ) -> FileBatch:
        """A batch of events, `frame_events` to a frame; the rejections come with the first frame."""
        runs = [events[start : start + frame_events] for start in range(0, len(events), frame_events)] or [[]]
        drafts = [
            Draft(
                received_at=received_at,
                events=msgspec.json.encode(list(run)),
                count=len(run),
                key_id="key-1",
                orig_address="10.0.0.1",
                rejects=rejects if place == 0 else (),
            )
            for place, run in enumerate(runs)
        ]
        return self.of_drafts(drafts, in_file=in_file)

    def of_raw(self, *events: str, in_file: bool = True) -> FileBatch:
        """A batch of one frame with events as JSON texts, as a sender wrote them."""
        payload = ("[" + ",".join(events) + "]").encode("utf-8", "surrogatepass")
        draft = Draft(received_at=RECEIVED_AT, events=payload, count=len(events))
        return self.of_drafts([draft], in_file=in_file)

    def of_drafts(self, drafts: Sequence[Draft], *, in_file: bool = True) -> FileBatch:
        lines = []
        first_seq = self.seq
        for draft in drafts:
            lines.append(b"".join(frames.number(frames.prepare(draft, msgspec.json.encode(self.receiver)), self.seq)))
            self.seq += draft.count
        self.number += 1
        path = self.folder / f"{self.receiver}-{self.number:010d}.sealed" if in_file else None
        return FileBatch(path, lines, receiver=self.receiver, number=self.number, count=self.seq - first_seq)

"""The pump: source → blocks of lines → events → sink, with a checkpoint behind every draft that is durable.

reading, decompressing ─► decoding ─► sending, saving checkpoints
  (a thread, two blocks     (caller's   (a thread, four drafts
   ahead)                    thread)     at most waiting)
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec
import xxhash
from msgspec import Struct

from whodid import formats
from whodid.datasets.blocks import Block, Place, blocks, digest
from whodid.datasets.checkpoint import HEAD_BYTES, Checkpoints, Mark
from whodid.datasets.opened import Opened
from whodid.datasets.pipeline import Parcel, Sender, ahead
from whodid.datasets.sinks import Sink
from whodid.datasets.sources import Source
from whodid.datasets.summary import FileDone, Summary, Tally
from whodid.errors import WhodidError
from whodid.event import EVENT_BYTES_MAX, REQUEST_EVENTS_MAX, Rejection
from whodid.formats.base import Decoded, Decoder
from whodid.formats.rejecting import Unreadable, rejection
from whodid.journal.base import Draft

# What is wrong with one file and leaves the others readable.
_FILE_ERRORS = ("invalid", "unsupported", "too_large")


class Progress:
    """Is told how far an import is; this one says nothing."""

    def begin(self, source: Source) -> None: ...

    def moved(self, source: Source, bytes_read: int, events: int) -> None:
        """`bytes_read` of the source's stored bytes are done; `events` of all sources."""

    def end(self, source: Source) -> None: ...


class Importer:
    """Imports sources one after another into a sink; leaving `with` waits until what was read is durable.

    sink         where drafts go.
    checkpoints  where files stand; None reads everything anew.
    format       name of a format; None sniffs each file's.
    again        read files even if they were read before (nothing is stored twice).
    patient      wait as long as it takes when the disk is full or the server is away.
    """

    def __init__(
        self,
        sink: Sink,
        checkpoints: Checkpoints | None = None,
        *,
        format: str | None = None,
        again: bool = False,
        progress: Progress | None = None,
        patient: bool = False,
    ):
        self.tally = Tally()
        self._sink = sink
        self._checkpoints = checkpoints
        self._format = format
        self._again = again
        self._progress = progress or Progress()
        self._sender = Sender(sink, self._save, patient=patient)
        self._began = time.monotonic()

    def read(self, source: Source, *, final: bool = True) -> FileDone:
        """Import what is unread of a source; returns when its events are on their way to the sink.

        final  False for a file that is still being written: its last line waits for its line break.
        """
        done = FileDone(name=source.name, outcome="read")
        self._progress.begin(source)
        try:
            self._read(source, done, final)
        except OSError as error:
            done.outcome, done.reason = "failed", error.strerror or str(error)
        except WhodidError as error:
            if error.code not in _FILE_ERRORS:
                raise
            done.outcome, done.reason = "failed", str(error)
        self._progress.end(source)
        self.tally.end(done)
        return done

    def flush(self) -> None:
        """Wait until everything read is durable and its checkpoints are saved."""
        self._sender.flush()

    def finish(self, timeout_s: float = 600.0) -> Summary:
        """Wait until everything is stored; what was done."""
        self._sender.flush()
        outcome = self._sink.finish(timeout_s)
        return self.tally.summary(outcome, time.monotonic() - self._began)

    def __enter__(self) -> Importer:
        return self

    def __exit__(self, *_: object) -> None:
        self._sender.close()

    def _read(self, source: Source, done: FileDone, final: bool) -> None:
        if self._was_completed(source):
            done.outcome = "skipped"
            return
        opened = Opened(source)
        try:
            if opened.is_blank:
                return
            reading = self._begin(source, opened, done)
            done.format = reading.mark.format
            if reading.place.offset_bytes:
                done.outcome = "continued"
                reading.decoder.restore(reading.mark.state)
            self._pump(reading, final)
        finally:
            opened.close()

    def _was_completed(self, source: Source) -> bool:
        if self._checkpoints is None or self._again or not source.version:
            return False
        return self._checkpoints.completed(source.name, source.version) is not None

    def _begin(self, source: Source, opened: Opened, done: FileDone) -> _Reading:
        """Go to where the file was read to, if it is known; else to its start, with a mark of its own."""
        begun = None
        for mark in self._candidates(source, opened):
            if not mark.offset_bytes:
                # Nothing of it was read: it only tells that this file has a number.
                begun = begun or (mark.id if mark.name == source.name else None)
                continue
            place = mark.fits(opened.stream)
            if place is not None:
                return self._reading(source, opened, done, mark, place)
            opened.rewind()
        head = opened.head[:HEAD_BYTES]
        mark = Mark(
            format=self._format or opened.sniff(),
            id=begun,
            name=source.name,
            head_bytes=len(head),
            head_digest=digest(head),
        )
        if self._checkpoints is not None and source.version:
            self._checkpoints.save(mark)
        return self._reading(source, opened, done, mark, Place())

    def _reading(self, source: Source, opened: Opened, done: FileDone, mark: Mark, place: Place) -> _Reading:
        known = f"{self._checkpoints.id}:{mark.id}" if self._checkpoints is not None and mark.id is not None else None
        return _Reading(source, opened, done, mark, place, formats.decoder(mark.format), known)

    def _candidates(self, source: Source, opened: Opened) -> list[Mark]:
        if self._checkpoints is None or self._again or not source.version:
            return []
        return [mark for mark in self._checkpoints.candidates(opened.head) if self._format in (None, mark.format)]

    def _pump(self, reading: _Reading, final: bool) -> None:
        began_at = datetime.now(UTC)
        for block in reading.blocks():
            if not block.whole and not final:
                break
            decoded = reading.decode(block)
            self.tally.add(reading.done, decoded)
            mark = reading.advance(block) if block.whole else None
            # A file is received when its reading began: what is of one provenance is stored at half the cost.
            received_at = began_at if reading.source.size_bytes is not None else datetime.now(UTC)
            for draft in drafts(decoded, reading.decoder.name, received_at):
                self._sender.put(Parcel(draft, None))
            self._sender.put(Parcel(None, mark))
            self._progress.moved(reading.source, reading.opened.bytes_read(block.end.offset_bytes), self.tally.events)
        self._sender.put(Parcel(None, reading.completed()))
        self.tally.bytes += reading.opened.bytes_read(reading.place.offset_bytes)

    def _save(self, mark: Mark) -> None:
        if self._checkpoints is not None and mark.id is not None:
            self._checkpoints.save(mark)


class _Reading(Struct):
    """One source on its way through the pump; `place` is where its whole lines were read to. `known` is what it is
    called whenever it is read again, None where it is not known again."""

    source: Source
    opened: Opened
    done: FileDone
    mark: Mark
    place: Place
    decoder: Decoder
    known: str | None

    def blocks(self) -> Iterator[Block]:
        found = blocks(self.opened.stream, self.place)
        return found if self.opened.is_quick else ahead(found)

    def decode(self, block: Block) -> Decoded:
        if block.too_long_bytes:
            return self._too_long(block)
        decoded = self.decoder.decode(block.data, first_line=block.first_line)
        self._name(decoded.rejects)
        return decoded

    def _name(self, rejects: Sequence[Rejection]) -> None:
        """Say of rejections which file they are of, and give them ids that are the same at every reading."""
        alike: Counter[tuple[int | None, str]] = Counter()
        for reject in rejects:
            reject.source = self.source.name
            if self.known is None:
                continue
            what = (reject.line, f"{reject.code}:{reject.raw}")
            named = f"{self.known}:{reject.line}:{alike[what]}:{what[1]}"
            reject.id = xxhash.xxh3_128_hexdigest(named.encode("utf-8", "surrogatepass"))
            alike[what] += 1

    def advance(self, block: Block) -> Mark:
        """The mark behind a block of whole lines."""
        self.place = block.end
        head = self.opened.head[:HEAD_BYTES]
        self.mark = msgspec.structs.replace(
            self.mark,
            name=self.source.name,
            version="",
            complete=False,
            head_bytes=len(head),
            head_digest=digest(head),
            offset_bytes=self.place.offset_bytes,
            lines=self.place.lines,
            tail_digest=digest(self.place.tail),
            state=self.decoder.state(),
        )
        return self.mark

    def completed(self) -> Mark:
        return msgspec.structs.replace(
            self.mark, name=self.source.name, version=self.source.version, complete=bool(self.source.version)
        )

    def _too_long(self, block: Block) -> Decoded:
        message = f"The line is {block.too_long_bytes:,} bytes long; an event may have {EVENT_BYTES_MAX:,}."
        reject = rejection(block.data, Unreadable("too_large", message), index=0, line=block.first_line)
        reject.raw_size_bytes = block.too_long_bytes
        self._name([reject])
        return Decoded(rejects=[reject])


def drafts(decoded: Decoded, format: str, received_at: datetime) -> Iterator[Draft]:
    """Drafts of at most `REQUEST_EVENTS_MAX` events; none when there is nothing to keep."""
    rejects = decoded.rejects
    for payload, count in _payloads(decoded):
        yield Draft(received_at=received_at, events=payload, count=count, format=format, rejects=rejects)
        rejects = []
    if rejects:
        yield Draft(received_at=received_at, format=format, rejects=rejects)


def _payloads(decoded: Decoded) -> Iterator[tuple[bytes, int]]:
    if decoded.count <= REQUEST_EVENTS_MAX:
        if decoded.count:
            yield decoded.payload, decoded.count
        return
    events = decoded.events
    for begin in range(0, len(events), REQUEST_EVENTS_MAX):
        part = events[begin : begin + REQUEST_EVENTS_MAX]
        yield msgspec.json.encode(part), len(part)

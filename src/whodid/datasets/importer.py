"""The pump: source → blocks of lines → events → sink, with a checkpoint behind every draft that is durable.

reading, decompressing ─► decoding ─► sending, saving checkpoints
  (a thread, two blocks     (caller's   (a thread, a few blocks
   ahead)                    thread)     at most waiting)
  └──── or both in a process of their own ────┘
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import xxhash
from msgspec import Struct

from whodid import formats
from whodid.datasets.blocks import Place, digest
from whodid.datasets.checkpoint import HEAD_BYTES, Checkpoints, Mark
from whodid.datasets.decoding import Portion, portions
from whodid.datasets.opened import Opened
from whodid.datasets.pipeline import Parcel, Sender
from whodid.datasets.sinks import LOAD_EVENTS, Sink
from whodid.datasets.sources import Source
from whodid.datasets.summary import FileDone, Summary, Tally
from whodid.errors import WhodidError
from whodid.event import Rejection
from whodid.journal.base import Draft

if TYPE_CHECKING:
    from whodid.datasets.decoding_process import DecodingProcess

# Blocks of up to 4 MB, and what they become. Another process fills more of them while the sink is opened.
_DEPTH: Final = 4
_DEPTH_BESIDE: Final = 16
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

    sink         where drafts go, or what opens that: the thread that sends does so when there is something to send,
                 while more is read.
    checkpoints  where files stand; None reads everything anew.
    format       name of a format; None sniffs each file's.
    again        read files even if they were read before (nothing is stored twice).
    patient      wait as long as it takes when the disk is full or the server is away.
    decoding     decodes local files meanwhile; None decodes them in this process.
    advice       how to mend a file that cannot be read, where that is not by an option of `whodid import`.
    """

    def __init__(
        self,
        sink: Sink | Callable[[], Sink],
        checkpoints: Checkpoints | None = None,
        *,
        format: str | None = None,
        again: bool = False,
        progress: Progress | None = None,
        patient: bool = False,
        decoding: DecodingProcess | None = None,
        advice: str | None = None,
    ):
        self.tally = Tally()
        self._checkpoints = checkpoints
        self._format = format
        self._again = again
        self._progress = progress or Progress()
        self._decoding = decoding
        self._advice = advice
        # Nothing that leads back here: objects in a circle outlive the engine.
        self._sender = Sender(
            sink, partial(_save, checkpoints), depth=_DEPTH_BESIDE if decoding else _DEPTH, patient=patient
        )
        self._events_sent = 0
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
            mend = error.hint and (self._advice or error.hint)
            done.outcome, done.reason = "failed", f"{error.message} {mend}" if mend else error.message
        self._progress.end(source)
        self.tally.end(done)
        return done

    def flush(self) -> None:
        """Wait until everything read is durable and its checkpoints are saved."""
        self._sender.flush()

    def finish(self, timeout_s: float = 600.0) -> Summary:
        """Wait until everything is stored; what was done."""
        self._sender.flush()
        outcome = self._sender.sink.finish(timeout_s)
        return self.tally.summary(outcome, time.monotonic() - self._began)

    def __enter__(self) -> Importer:
        return self

    def __exit__(self, *_: object) -> None:
        self._sender.close()

    def _read(self, source: Source, done: FileDone, final: bool) -> None:
        if self._was_completed(source, self._format):
            done.outcome = "skipped"
            return
        opened = Opened(source)
        try:
            if opened.is_blank:
                return
            if self._format is None and (told := _told_format(opened)) and self._was_completed(source, told):
                done.outcome = "skipped"
                return
            reading = self._begin(source, opened, done)
            done.format = reading.mark.format
            if reading.place.offset_bytes:
                done.outcome = "continued"
            self._pump(reading, final)
            if done.outcome == "continued" and not (done.events or done.rejected):
                done.outcome = "skipped"
        finally:
            opened.close()

    def _was_completed(self, source: Source, format: str | None) -> bool:
        if self._checkpoints is None or self._again or not source.version:
            return False
        return self._checkpoints.completed(source.name, source.version, format) is not None

    def _begin(self, source: Source, opened: Opened, done: FileDone) -> _Reading:
        """Go to where the file was read to, if it is known; else to its start, with a mark of its own."""
        begun = None
        for mark in self._candidates(source, opened):
            if self._again or not mark.offset_bytes:
                # It only tells the file's number: its rejections have the same ids again.
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
            named=self._format is not None,
        )
        if self._checkpoints is not None and source.version:
            self._checkpoints.save(mark)
        return self._reading(source, opened, done, mark, Place())

    def _reading(self, source: Source, opened: Opened, done: FileDone, mark: Mark, place: Place) -> _Reading:
        known = f"{self._checkpoints.id}:{mark.id}" if self._checkpoints is not None and mark.id is not None else None
        return _Reading(source, opened, done, mark, place, known, opened.bytes_read(place.offset_bytes))

    def _candidates(self, source: Source, opened: Opened) -> list[Mark]:
        if self._checkpoints is None or not source.version:
            return []
        marks = self._checkpoints.candidates(opened.head)
        if self._format is None and any(mark.named for mark in marks):
            told = _told_format(opened)
            return [mark for mark in marks if not mark.named or told in (None, mark.format)]
        return [mark for mark in marks if self._format in (None, mark.format)]

    def _pump(self, reading: _Reading, final: bool) -> None:
        began_at = datetime.now(UTC)
        for portion in self._portions(reading, final):
            reading.name(portion.rejects)
            self.tally.add(reading.done, portion)
            mark = reading.advance(portion) if portion.whole else None
            # A file is received when its reading began: what is of one provenance is stored at half the cost.
            received_at = began_at if reading.source.size_bytes is not None else datetime.now(UTC)
            found = drafts(list(self._in_loads(portion.payloads)), portion.rejects, reading.mark.format, received_at)
            self._sender.put(Parcel(list(found), mark))
            self._progress.moved(reading.source, portion.bytes_read, self.tally.events)
            reading.bytes_read = portion.bytes_read
        self._sender.put(Parcel([], reading.completed()))
        self.tally.bytes += reading.bytes_read

    def _in_loads(self, payloads: Sequence[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
        """The same arrays, one cut in two where `LOAD_EVENTS` are full."""
        for array, count in payloads:
            room = LOAD_EVENTS - self._events_sent % LOAD_EVENTS
            self._events_sent += count
            if count <= room:
                yield array, count
                continue
            events = msgspec.json.decode(array, type=list[msgspec.Raw])
            yield b"[%b]" % b",".join(events[:room]), room
            yield b"[%b]" % b",".join(events[room:]), count - room

    def _portions(self, reading: _Reading, final: bool) -> Iterator[Portion]:
        opened, format, place, state = reading.opened, reading.mark.format, reading.place, reading.mark.state
        if self._decoding is not None and reading.source.is_local_file:
            return self._decoding.portions(opened, format, place, state, final=final)
        decoder = formats.decoder(format)
        decoder.restore(state)
        return portions(opened, place, decoder, final=final)


def _told_format(opened: Opened) -> str | None:
    """The format that a file looks like; None if it looks like none."""
    try:
        return opened.sniff()
    except WhodidError:
        return None


def _save(checkpoints: Checkpoints | None, mark: Mark) -> None:
    if checkpoints is not None and mark.id is not None:
        checkpoints.save(mark)


class _Reading(Struct):
    """One source on its way through the pump; `place` is where its whole lines were read to. `known` is what it is
    called whenever it is read again, None where it is not known again."""

    source: Source
    opened: Opened
    done: FileDone
    mark: Mark
    place: Place
    known: str | None
    bytes_read: int

    def name(self, rejects: Sequence[Rejection]) -> None:
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

    def advance(self, portion: Portion) -> Mark:
        """The mark behind whole lines."""
        self.place = portion.end
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
            state=portion.state,
        )
        return self.mark

    def completed(self) -> Mark:
        return msgspec.structs.replace(
            self.mark, name=self.source.name, version=self.source.version, complete=bool(self.source.version)
        )


def drafts(
    payloads: Sequence[tuple[bytes, int]], rejects: Sequence[Rejection], format: str, received_at: datetime
) -> Iterator[Draft]:
    """Drafts of arrays and how many events each holds; the first takes the rejections along."""
    for payload, count in payloads or [(b"[]", 0)]:
        if count or rejects:
            yield Draft(received_at=received_at, events=payload, count=count, format=format, rejects=rejects)
        rejects = []

"""A segment's events without their frames, beside the segment, for an engine that reads them so with less work."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from xxhash import xxh3_64

from whodid import durable
from whodid.event import Provenance
from whodid.journal import frame, recovery
from whodid.journal.base import Array, Run

# Frames that hold fewer events than this are better read as they are.
RUN_EVENTS_MIN: Final = 8
_RUNS_FREE: Final = 8
# Written at once: each call lets the other threads at the interpreter, which are not to be asked for it back so often.
_PENDING_BYTES: Final = 1024 * 1024

_HEAD_BYTES_MAX: Final = 4096
_PROVENANCE: Final = b'"received_at":'
_EVENTS: Final = b'"events":['
_REJECTS: Final = b'],"rejects":['
_decoder: Final = msgspec.json.Decoder(Provenance)


class Written(NamedTuple):
    """The array of a file, and what was found in it."""

    array: Array
    survey: recovery.Survey


def array_of(source: Path, *, told: recovery.Sum | None = None) -> Written | None:
    """Write the events of a segment's file to a temporary file beside it.

    told     What the writer of the file knows of it: then not each frame is looked at, but all bytes together.
    Returns  None when a frame is damaged, most hold only a few events, or there is no room. Then nothing is left
             behind.
    """
    writing = None
    frames = rejects = whole_bytes = 0
    try:
        writing = _Writing(source)
        total = xxh3_64()
        for line, header in recovery.read_frames(source) if told is None else recovery.read_summed(source, total):
            if header is None:
                raise _Unfit
            if header.events_count:
                writing.add(line, header)
            frames += 1
            rejects += header.rejects_count
            whole_bytes += len(line) + 1
        if told is not None and total.digest() != told.digest:
            raise _Unfit
        array = writing.done()
        survey = recovery.Survey(
            frames, array.events_count, rejects, writing.seq_next, 0, 0, 0, whole_bytes, intact=True
        )
        return Written(array, survey)
    except (_Unfit, OSError, ValueError, msgspec.MsgspecError):
        # The latter two are of damage that the sums would have told of at the end.
        if writing is not None:
            writing.drop()
        return None


class _Unfit(Exception):
    """These frames are better read as frames."""


class _Writing:
    """An array as it is written."""

    def __init__(self, source: Path):
        # What a crash leaves of these is removed with all temporary files of the folder.
        self._path = source.with_name(f"{source.name}.array.tmp")
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, durable.FILE_MODE)
        self._pending = bytearray()
        self._runs: list[Run] = []
        self._events_count = 0
        self._provenance = b""
        self.seq_next: int | None = None

    def add(self, line: memoryview, header: frame.Header) -> None:
        provenance, events = _parts(line, header)
        if provenance != self._provenance or header.seq != self.seq_next:
            self._begin(provenance, header.seq)
        self._write(b",")
        self._write(events)
        self._events_count += header.events_count
        self.seq_next = header.seq + header.events_count

    def done(self) -> Array:
        self._write(b"]" if self._runs else b"[]")
        self._flush()
        self._close()
        return Array(self._path, self._runs, self._events_count)

    def drop(self) -> None:
        with contextlib.suppress(OSError):
            self._close()
        self._path.unlink(missing_ok=True)

    def _begin(self, provenance: bytes, seq: int) -> None:
        runs = len(self._runs)
        if runs >= _RUNS_FREE and runs * RUN_EVENTS_MIN > self._events_count:
            raise _Unfit
        self._write(b'%b{"run":%d}' % (b"," if runs else b"[", runs))
        self._runs.append(Run(self._events_count + runs, seq, _decoder.decode(b"{%b}" % provenance)))
        self._provenance = provenance

    def _write(self, data: bytes | memoryview) -> None:
        if len(self._pending) + len(data) > _PENDING_BYTES:
            self._flush()
        if len(data) > _PENDING_BYTES:
            durable.write_all(self._descriptor, data)
        else:
            self._pending += data

    def _flush(self) -> None:
        durable.write_all(self._descriptor, self._pending)
        self._pending.clear()

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


def _parts(line: memoryview, header: frame.Header) -> tuple[bytes, memoryview]:
    """A frame's provenance and its events, each without the brackets."""
    head = bytes(line[:_HEAD_BYTES_MAX])
    begin = head.find(_EVENTS)
    if begin < 0:
        raise _Unfit
    # The texts of rejections are strings of JSON, in which this cannot stand as it is.
    end = bytes(line).rindex(_REJECTS) if header.rejects_count else -2
    return head[head.index(_PROVENANCE) : begin - 1], line[begin + len(_EVENTS) : end]

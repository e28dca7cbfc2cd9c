"""A segment's events without their frames, beside the segment, for an engine that reads them so with less work."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from whodid.event import Provenance
from whodid.journal import files, frame, recovery
from whodid.journal.base import Array

# What has more provenances than this is small requests: reading their frames costs less than so many files.
ARRAYS_MAX: Final = 8

_HEAD_BYTES_MAX: Final = 4096
_PROVENANCE: Final = b'"received_at":'
_EVENTS: Final = b'"events":['
_REJECTS: Final = b'],"rejects":['
_decoder: Final = msgspec.json.Decoder(Provenance)


class Written(NamedTuple):
    """The arrays of a file, in order, and what was found in it."""

    arrays: Sequence[Array]
    survey: recovery.Survey


def arrays_of(source: Path) -> Written | None:
    """Write the events of a segment's file to temporary files beside it, a run of frames of one provenance to each.

    Returns  None when a frame is damaged, provenances change too often, or there is no room. Then nothing is left
             behind.
    """
    writing = _Writing(source)
    frames = rejects = whole_bytes = 0
    try:
        for line, header in recovery.read_frames(source):
            if header is None:
                raise _Unfit
            if header.events_count:
                writing.add(line, header)
            frames += 1
            rejects += header.rejects_count
            whole_bytes += len(line) + 1
        arrays = writing.done()
        events = sum(array.events_count for array in arrays)
        seq_next = arrays[-1].seq + arrays[-1].events_count if arrays else None
        return Written(arrays, recovery.Survey(frames, events, rejects, seq_next, 0, 0, 0, whole_bytes, intact=True))
    except (_Unfit, OSError):
        writing.drop()
        return None


class _Unfit(Exception):
    """These frames are better read as frames."""


class _Writing:
    """Arrays as they are written, each to a file of its own."""

    def __init__(self, source: Path):
        self._source = source
        self._arrays: list[Array] = []
        self._provenance = b""
        self._seq_next = -1
        self._descriptor = -1

    def add(self, line: memoryview, header: frame.Header) -> None:
        provenance, events = _parts(line, header)
        if provenance != self._provenance or header.seq != self._seq_next:
            self._begin(provenance, header.seq)
        else:
            files.write_all(self._descriptor, b",")
        files.write_all(self._descriptor, events)
        array = self._arrays[-1]
        self._arrays[-1] = array._replace(events_count=array.events_count + header.events_count)
        self._seq_next = header.seq + header.events_count

    def done(self) -> list[Array]:
        if self._descriptor >= 0:
            files.write_all(self._descriptor, b"]")
            self._close()
        return self._arrays

    def drop(self) -> None:
        with contextlib.suppress(OSError):
            self._close()
        for array in self._arrays:
            array.path.unlink(missing_ok=True)

    def _begin(self, provenance: bytes, seq: int) -> None:
        self.done()
        if len(self._arrays) == ARRAYS_MAX:
            raise _Unfit
        # What a crash leaves of these is removed with all temporary files of the folder.
        path = self._source.with_name(f"{self._source.name}-{len(self._arrays)}.tmp")
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, files.FILE_MODE)
        self._arrays.append(Array(path, _decoder.decode(b"{%b}" % provenance), seq, 0))
        self._provenance = provenance
        files.write_all(self._descriptor, b"[")

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

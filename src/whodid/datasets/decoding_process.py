"""Decoding in a process of its own: it goes on while this one opens its store, and never waits for its interpreter.

this process                                  the other one (`python -m` this module)
   task: descriptor, format, place  ──socket──►  decoding.portions
   portions, then how it ended      ◄──pipe────  (waits when nobody takes them)

It ends when its socket or its pipe does, however this process ends.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO, Final, Self

import msgspec
from msgspec import Struct

from whodid import formats
from whodid.datasets.blocks import Place
from whodid.datasets.checkpoint import pass_over
from whodid.datasets.decoding import Portion, portions
from whodid.datasets.heap import keep_freed_memory
from whodid.datasets.opened import Opened
from whodid.datasets.sources import Source
from whodid.errors import WhodidError

_PIPE_BYTES: Final = 1024 * 1024
_TASK_BYTES_MAX: Final = 64 * 1024
_LENGTH_BYTES: Final = 8
_END_S_MAX: Final = 5.0
# The many events of a block form no cycles.
_COLLECT_AFTER: Final = (100_000, 50, 100)


class _Task(Struct, kw_only=True):
    """A file that is open: its descriptor comes with the task."""

    format: str
    place: Place
    state: bytes
    final: bool


class _Told(Struct, kw_only=True, omit_defaults=True):
    """A portion, whose arrays follow in `sizes_bytes`; or the end of a file, and what was wrong with it."""

    portion: Portion | None = None
    sizes_bytes: Sequence[int] = ()
    failed: str | None = None
    code: str | None = None
    hint: str | None = None


_tasks: Final = msgspec.msgpack.Decoder(_Task)
_tellings: Final = msgspec.msgpack.Decoder(_Told)


class DecodingProcess:
    """Decodes local files, one after another, for one thread of this process."""

    def __init__(self) -> None:
        own, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__],
                stdin=theirs.fileno(),
                stdout=subprocess.PIPE,
                pipesize=_PIPE_BYTES,
                # Ctrl-C is for this process, which ends the other one.
                process_group=0,
            )
        assert self._process.stdout is not None
        self._told = self._process.stdout
        self._tasks = own

    def portions(self, opened: Opened, format: str, place: Place, state: bytes, *, final: bool) -> Iterator[Portion]:
        """What `decoding.portions` gives of an open local file at `place`. One file is to be read to its end before
        the next one begins.

        state  of the format's decoder there.

        Raises
        ------
        OSError, WhodidError
            As `decoding.portions` does; WhodidError("internal") when the other process ended.
        """
        task = _Task(format=format, place=place, state=state, final=final)
        with suppress(BrokenPipeError):
            socket.send_fds(self._tasks, [msgspec.msgpack.encode(task)], [opened.descriptor])
        while (told := self._next()).portion is not None:
            told.portion.payloads = [
                (self._read(size_bytes), count)
                for size_bytes, (_, count) in zip(told.sizes_bytes, told.portion.payloads, strict=True)
            ]
            yield told.portion
        if told.code is not None:
            raise WhodidError(told.code, told.failed or "", told.hint)
        if told.failed is not None:
            raise OSError(0, told.failed)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def close(self) -> None:
        """End the other process, whatever it is doing."""
        self._tasks.close()
        self._told.close()
        try:
            self._process.wait(_END_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next(self) -> _Told:
        return _tellings.decode(self._read(int.from_bytes(self._read(_LENGTH_BYTES), "big")))

    def _read(self, size_bytes: int) -> bytes:
        data = self._told.read(size_bytes)
        if len(data) < size_bytes:
            raise WhodidError(
                "internal",
                f"The process that decodes ended ({self._process.wait()}).",
                "The same import goes on where it stopped.",
            )
        return data


def _serve(tasks: socket.socket, out: BinaryIO) -> None:
    """Decode file after file until the other side is gone."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(tasks, _TASK_BYTES_MAX, 1)
        if not message:
            return
        failure = _Told()
        try:
            for portion in _decoded(_tasks.decode(message), descriptors[0]):
                arrays = [array for array, _ in portion.payloads]
                portion.payloads = [(b"", count) for _, count in portion.payloads]
                _tell(out, _Told(portion=portion, sizes_bytes=[len(array) for array in arrays]), arrays)
        except WhodidError as error:
            failure = _Told(failed=error.message, code=error.code, hint=error.hint)
        except BrokenPipeError:
            raise
        except OSError as error:
            failure = _Told(failed=error.strerror or str(error))
        _tell(out, failure)


def _decoded(task: _Task, descriptor: int) -> Iterator[Portion]:
    source = Source(name="", size_bytes=None, version=" ", open=lambda: os.fdopen(descriptor, "rb"))
    os.lseek(descriptor, 0, os.SEEK_SET)
    opened = Opened(source)
    try:
        pass_over(opened.stream, task.place.offset_bytes)
        decoder = formats.decoder(task.format)
        decoder.restore(task.state)
        yield from portions(opened, task.place, decoder, final=task.final)
    finally:
        opened.close()


def _tell(out: BinaryIO, told: _Told, arrays: Sequence[bytes] = ()) -> None:
    message = msgspec.msgpack.encode(told)
    out.write(len(message).to_bytes(_LENGTH_BYTES, "big") + message)
    for array in arrays:
        out.write(array)
    out.flush()


def main() -> None:
    # Whoever ends the process this one works for closes its pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    out = os.fdopen(os.dup(1), "wb")
    # What a library prints is not part of what is told.
    os.dup2(2, 1)
    with suppress(BrokenPipeError), socket.socket(fileno=0) as tasks:
        _serve(tasks, out)
    os._exit(0)


if __name__ == "__main__":
    main()

"""Large bodies are read and checked by processes of their own, beside the one that answers.

the process that answers                      a checker (`python -m whodid.receive.checker`)
   a body ────────► a slot of memory that both see ────────► reads and checks its events
   slot, size ──────────────────socket─────────────────────►
   their ids ◄──────────────────the slot◄─────────────────── writes them there
   ◄────────────────────────────socket────────────────────── slot, size; 0 where they are not strict

Python answers and checks on one processor, however many there are; checking is half of what a large body costs. What
comes while all slots are taken is checked by who answers, so that neither waits for the other.
"""

from __future__ import annotations

import asyncio
import logging
import math
import mmap
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from whodid.receive.slots import MESSAGE, SLOT_BYTES, SLOTS, Checked

# Handing over and taking back costs as much as checking a third of this.
BODY_BYTES_MIN: Final = 24 * 1024

# Who answers needs a processor itself, and has no use for more checkers than these.
CHECKERS_MAX: Final = 3

# Checking a slot takes milliseconds: one that takes so long does not go on.
STUCK_S: Final = 5.0

# From one start to the next; twice as long each time, because what ends it may be there still.
PAUSE_S_FIRST: Final = 10.0
PAUSE_S_MAX: Final = 600.0

_END_S_MAX: Final = 5.0

_answers: Final = msgspec.msgpack.Decoder(Checked)
_log = logging.getLogger("whodid.receive")

# Called with what the checker found, or None where the events are to be read by who answers.
Found = Callable[[Checked | None], None]


class _Started(NamedTuple):
    process: subprocess.Popen[bytes]
    memory: mmap.mmap
    talk: socket.socket


class Checkers:
    """As many checkers as are of use here. All but `close` is called in the event loop's thread.

    count  by default as many as there are processors beside the one that answers.
    """

    def __init__(self, count: int | None = None):
        self._checkers = [Checker() for _ in range(_useful_count() if count is None else count)]

    def take(self, array: bytes, found: Found) -> bool:
        """Have a JSON array checked; False if nobody has time for it, or it is small or large.

        found  called once, later, if it was taken.
        """
        if not BODY_BYTES_MIN <= len(array) <= SLOT_BYTES:
            return False
        return any(checker.take(array, found) for checker in self._checkers)

    def close(self) -> None:
        """End all of them, once the event loop has ended."""
        for checker in self._checkers:
            checker.close()


class Checker:
    """One process, started with the first body that it could have had, and again if it ends."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._memory: mmap.mmap
        self._talk: socket.socket
        self._free: list[int] = []
        self._waiting: dict[int, Found] = {}
        self._start_at_s = 0.0
        self._pause_s = PAUSE_S_FIRST
        self._answered = False
        self._look: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """Of the process while it runs."""
        return self._process.pid if self._process is not None else None

    def take(self, array: bytes, found: Found) -> bool:
        """As `Checkers.take`, for an array that fits into a slot."""
        if not self._free and self._process is not None:
            # The loop looks only after all bodies that are there, when the checker has waited long for the next one.
            self._read()
        if not self._free:
            self._start_if_due()
            return False
        slot = self._free.pop()
        start = slot * SLOT_BYTES
        self._memory[start : start + len(array)] = array
        try:
            self._talk.send(MESSAGE.pack(slot, len(array)))
        except OSError:
            # It has ended, which is seen as soon as the loop looks.
            return False
        self._waiting[slot] = found
        if self._look is None and self._loop is not None:
            self._answered = False
            self._look = self._loop.call_later(STUCK_S, self._end_if_stuck)
        return True

    def close(self) -> None:
        """End the process; the event loop has ended."""
        if self._process is not None:
            self._talk.close()
            self._memory.close()
            _end(self._process)
            self._process = None

    def _start_if_due(self) -> None:
        loop = asyncio.get_running_loop()
        if self._process is None and loop.time() >= self._start_at_s:
            # Not again before it is known what became of this one.
            self._start_at_s = math.inf
            self._loop = loop
            loop.run_in_executor(None, self._start, loop)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the process, in a thread, because that takes longer than an answer."""
        try:
            started = _started()
        except OSError as error:
            _log.warning("No process to check events could be started (%s); this one checks them.", error)
            started = None
        loop.call_soon_threadsafe(self._begin, loop, started)

    def _begin(self, loop: asyncio.AbstractEventLoop, started: _Started | None) -> None:
        self._start_at_s = loop.time() + self._pause_s
        self._pause_s = min(2 * self._pause_s, PAUSE_S_MAX)
        if started is not None:
            self._process, self._memory, self._talk = started
            loop.add_reader(self._talk, self._read)

    def _read(self) -> None:
        try:
            told = self._talk.recv(SLOTS * MESSAGE.size)
        except BlockingIOError:
            return
        except ConnectionError:
            told = b""
        if not told:
            self._lose()
            return
        self._answered = True
        for slot, size_bytes in MESSAGE.iter_unpack(told):
            start = slot * SLOT_BYTES
            checked = None
            if size_bytes:
                with memoryview(self._memory) as memory, memory[start : start + size_bytes] as answer:
                    checked = _answers.decode(answer)
            self._free.append(slot)
            found = self._waiting.pop(slot, None)
            if found is not None:
                found(checked)

    def _end_if_stuck(self) -> None:
        self._look = None
        if not self._waiting or self._loop is None or self._process is None:
            return
        if self._answered:
            self._answered = False
            self._look = self._loop.call_later(STUCK_S, self._end_if_stuck)
        else:
            _log.warning("The process that checks events does not go on; it is ended, and this one checks them.")
            self._process.kill()

    def _lose(self) -> None:
        """The process has ended: who waits for it is told, and another one is started in a while."""
        assert self._loop is not None and self._process is not None
        self._loop.remove_reader(self._talk)
        self._talk.close()
        self._memory.close()
        self._loop.run_in_executor(None, _end, self._process)
        _log.warning("The process that checks events (%d) ended; this one checks them.", self._process.pid)
        self._process = None
        self._free.clear()
        waiting, self._waiting = self._waiting, {}
        for found in waiting.values():
            found(None)


def _started() -> _Started:
    """A process that begins; it answers once it has loaded what it needs. Raises OSError."""
    shared = os.memfd_create("whodid-checker")
    try:
        os.ftruncate(shared, SLOTS * SLOT_BYTES)
        memory = mmap.mmap(shared, SLOTS * SLOT_BYTES)
        own, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "whodid.receive.checker", str(shared)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                pass_fds=(shared,),
                # Ctrl-C is for this process, which ends the other one.
                process_group=0,
            )
    finally:
        os.close(shared)
    own.setblocking(False)
    return _Started(process, memory, own)


def _useful_count() -> int:
    """How many checkers are of use; 0 where memory cannot be shared without a name, as it can only on Linux."""
    if not hasattr(os, "memfd_create"):
        return 0
    return min(len(os.sched_getaffinity(0)) - 1, CHECKERS_MAX)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_END_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

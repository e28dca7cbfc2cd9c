"""The process that reads and checks large bodies for the one that answers; `checkers` is the other side of it.

It is given the descriptor of the shared memory as its only argument, and a socket as its standard input. It ends when
that socket does, however the other process ended.
"""

from __future__ import annotations

import gc
import mmap
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import Final

import msgspec

from whodid.event import Event
from whodid.formats.strict import strict_ids
from whodid.receive.slots import MESSAGE, SLOT_BYTES, SLOTS, Checked
from whodid.receive.tally import Counted, tally

# The many events of a body form no cycles.
_COLLECT_AFTER: Final = (100_000, 50, 100)

_answers: Final = msgspec.msgpack.Encoder()


def check(array: bytes) -> Checked | None:
    """The ids of the events of a JSON array, and the nodes that they name, if all are strict; else None."""
    nodes: list[Counted] = []

    def count(events: list[Event]) -> bool:
        nodes.extend(tally(events) or ())
        return True

    ids = strict_ids(array, takes=count)
    return Checked(list(ids), nodes) if ids else None


def serve(memory: mmap.mmap, talk: socket.socket) -> None:
    """Check what lies in the slots that are named, until the other side is gone."""
    with suppress(ConnectionError):
        for slot in range(SLOTS):
            talk.sendall(MESSAGE.pack(slot, 0))
        while message := talk.recv(MESSAGE.size, socket.MSG_WAITALL):
            slot, size_bytes = MESSAGE.unpack(message)
            start = slot * SLOT_BYTES
            checked = check(memory[start : start + size_bytes])
            # It is shorter than what it is of, because an id in here is shorter than an event.
            answer = _answers.encode(checked) if checked is not None else b""
            memory[start : start + len(answer)] = answer
            talk.sendall(MESSAGE.pack(slot, len(answer)))


def main() -> None:
    # Whoever ends the process this one works for closes its socket.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    with mmap.mmap(int(sys.argv[1]), SLOTS * SLOT_BYTES) as memory, socket.socket(fileno=os.dup(0)) as talk:
        serve(memory, talk)


if __name__ == "__main__":
    main()

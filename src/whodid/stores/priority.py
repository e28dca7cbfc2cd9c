"""Receiving goes first: the threads that store take a smaller share of a busy processor, and all of an idle one."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import Final

# More than the process has: a ninth of an ordinary thread's share.
_NICENESS: Final = 10
_NICENESS_MAX: Final = 19


def give_way() -> None:
    """Lower the priority of this thread, and of those it will start. Only Linux has one for each thread."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            ordinary = os.getpriority(os.PRIO_PROCESS, os.getpid())
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(_NICENESS_MAX, ordinary + _NICENESS))

"""Receiving goes first: the threads that store take a smaller share of a busy processor, and all of an idle one."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import Final

# A third of an ordinary thread's share.
_NICENESS: Final = 5


def give_way() -> None:
    """Lower the priority of this thread, and of those it will start. Only Linux has one for each thread."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)

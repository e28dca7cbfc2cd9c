"""The command `whodid`, and `python -m whodid`: what begins before the command line, and what ends after it."""

import contextlib
import os
import signal
import sys
from typing import NoReturn


def run() -> NoReturn:
    """Run one verb and end the process.

    Ctrl-C ends it without a word, from its first moment to its last. Threads that are still within an engine then are
    not waited for, nor torn out of it, which aborts the process: what is durable is so whatever becomes of them.
    """
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_heard:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from whodid.cli import INTERRUPTED, main

    if is_heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    outcome = main()
    if outcome == INTERRUPTED:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(outcome)
    if is_heard:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(outcome)


if __name__ == "__main__":
    run()

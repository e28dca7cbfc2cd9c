"""The group of an error, from its stack trace, by the rule that Datagrok's tables follow.

The trace is read as Dart's package `stack_trace` (1.12) reads it, in whichever of its formats fits: VM, V8, Firefox,
Safari, JavaScriptCore, IE, "friendly". Each frame becomes `LIBRARY MEMBER`, without line and column, so that the same
error in another build stays in the same group. Traces of other languages fit no format; their lines are taken as they
are, without their numbers.
"""

from __future__ import annotations

import functools
import re
import uuid
from typing import Final

from whodid.stack_trace.formats import frames_of

NAMESPACE: Final = uuid.UUID("0bb1a16e-df07-45f5-99e0-8e67000ecc22")

TRACE_CHARS_MAX: Final = 1024 * 1024
CACHED_CHARS_MAX: Final = 16 * 1024

_NUMBERS: Final = re.compile(r"[0-9]+(?::[0-9]+)*")
_UNPARSED: Final = "unparsed"


def error_hash(trace: str | None) -> str:
    """The UUID (v5, lower-case text) of the group that a stack trace belongs to.

    Never raises. A missing and an empty trace are one group. Of a trace beyond `TRACE_CHARS_MAX` characters the
    beginning counts, of one beyond `formats.LINES_MAX` lines the first lines.

    Source: facts of Datagrok's audit tables, "Error hash"; RFC 9562 for the UUID.
    """
    if not trace:
        return _EMPTY_HASH
    if len(trace) > CACHED_CHARS_MAX:
        return _hash_of(trace[:TRACE_CHARS_MAX])
    return _cached_hash_of(trace)


def normalised(trace: str | None) -> str:
    """The text that `error_hash` hashes: what two traces of one group have in common."""
    text = "".join(f"{frame.library} {frame.member}" for frame in frames_of((trace or "")[:TRACE_CHARS_MAX]))
    if _UNPARSED not in text:
        return text
    return _NUMBERS.sub("", text.replace(_UNPARSED, "").strip()).strip()


def _hash_of(trace: str) -> str:
    # A lone surrogate has no UTF-8; Dart writes it as U+FFFD too.
    text = normalised(trace).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return str(uuid.uuid5(NAMESPACE, text))


_cached_hash_of = functools.lru_cache(maxsize=1024)(_hash_of)
_EMPTY_HASH: Final = _hash_of("")

"""What goes wrong: groups of errors with traces in several languages, seen in several builds."""

from __future__ import annotations

import functools
import random
import re
from typing import Any, Final, NamedTuple

from whodid.demo import vocabulary
from whodid.demo.story import RELEASE
from whodid.stack_trace import error_hash

_POSITION: Final = re.compile(r":(\d+)(:\d+)?(?=[)\n]|$)|(?<=line )\d+")
_BUILDS: Final = 4


class ErrorGroup(NamedTuple):
    """A group: the name of its trace, message, where it happens, and how often among the errors of that place."""

    name: str
    message: str
    source: str
    place: str
    weight: float


GROUPS: Final = (
    ErrorGroup("dart_range", "RangeError (index): Index out of range: 512", "client", "view", 4),
    ErrorGroup("v8_undefined", "Cannot read properties of undefined (reading 'columns')", "client", "view", 6),
    ErrorGroup("firefox_quota", "QuotaExceededError: The quota has been exceeded.", "client", "view", 1),
    ErrorGroup("safari_fetch", "TypeError: Load failed", "client", "view", 1),
    ErrorGroup("python_key", "KeyError: 'AKT1_HUMAN'", "server", "notebook", 5),
    ErrorGroup("python_memory", "Unable to allocate 12.4 GiB for an array", "server", "notebook", 2),
    ErrorGroup(
        "r_model",
        "Error in drm(response ~ dose, data = plate) : Convergence failed",
        "server",
        "script",
        3,
    ),
    ErrorGroup("java_sql", "ORA-01013: user requested cancel of current operation", "server", "query", 5),
    ErrorGroup("java_denied", "Permission denied: user=svc_dss, access=WRITE", "server", "job", 3),
)
RELEASE_GROUP: Final = ErrorGroup(
    RELEASE.error_group, "NoSuchMethodError: The getter 'x' was called on null.", "client", "release", 1
)


class Sample(NamedTuple):
    """One build's trace of a group, with its hash."""

    trace: str
    hash: str


def of_place(place: str, dice: random.Random) -> ErrorGroup:
    """A group that happens at this place."""
    groups, weights = _at(place)
    return dice.choices(groups, weights)[0]


def fields_of(group: ErrorGroup, build: int) -> dict[str, Any]:
    """The fields of an event about this error in a build (any number)."""
    sample = _samples(group.name)[build % _BUILDS]
    return {
        "level": "error",
        "source": group.source,
        "error_message": group.message,
        "error_stack_trace": sample.trace,
        "error_hash": sample.hash,
    }


@functools.cache
def _at(place: str) -> tuple[tuple[ErrorGroup, ...], tuple[float, ...]]:
    groups = tuple(group for group in GROUPS if group.place == place)
    return groups, tuple(group.weight for group in groups)


@functools.cache
def _samples(name: str) -> tuple[Sample, ...]:
    """The trace as several builds write it: its lines lie elsewhere in the file."""
    traces = [vocabulary.trace(name)]
    traces += [_POSITION.sub(functools.partial(_moved, lines=build), traces[0]) for build in range(1, _BUILDS)]
    return tuple(Sample(trace, error_hash(trace)) for trace in traces)


def _moved(match: re.Match[str], lines: int) -> str:
    if match[1] is None:
        return str(int(match[0]) + lines)
    return f":{int(match[1]) + lines}{match[2] or ''}"

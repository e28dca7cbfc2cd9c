"""Examples at the end of a verb's help, laid out so that a terminal of 80 columns breaks none of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

WIDTH: Final = 80

_CONTINUED: Final = re.compile(r" *\\\n *")
_NOTE: Final = re.compile(r"(?<=\S) {2,}")
_OPTION: Final = re.compile(r" (?=--\w)")


def laid_out(examples: str) -> str:
    """A line an example, what it does two spaces or more behind it.

    Notes stand in a column where all of them fit, else above their examples; long commands go on in further lines, as
    a shell takes them.
    """
    told = [_told(line.strip()) for line in _CONTINUED.sub(" ", examples).splitlines()]
    return "\n".join(["Examples:", *(_in_a_column(told) or _above(told))])


def _told(line: str) -> tuple[str, str]:
    command, *note = _NOTE.split(line, maxsplit=1)
    return command, "".join(note)


def _in_a_column(told: Sequence[tuple[str, str]]) -> list[str]:
    """Nothing where a note does not fit behind the longest command that has one."""
    at = max((len(command) for command, note in told if note), default=0)
    if any(note and len(f"  {'':{at}}  {note}") > WIDTH for _, note in told):
        return []
    lines = [f"  {command:{at}}  {note}" if note else f"  {command}" for command, note in told]
    return [part for line in lines for part in _continued(line)]


def _above(told: Sequence[tuple[str, str]]) -> list[str]:
    lines = []
    for command, note in told:
        lines += [f"  # {note}"] if note else []
        lines += _continued(f"  {command}")
    return lines


def _continued(line: str) -> Iterator[str]:
    if len(line) <= WIDTH:
        yield line
        return
    begun, *rest = _OPTION.split(line)
    for part in rest:
        if len(f"{begun} {part} \\") > WIDTH:
            yield f"{begun} \\"
            begun = f"      {part}"
        else:
            begun = f"{begun} {part}"
    yield begun

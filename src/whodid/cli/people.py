"""Users and groups out of CSV files, and into them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whodid.amounts import counted
from whodid.cli.terminal import print_error
from whodid.errors import WhodidError

if TYPE_CHECKING:
    from whodid.cli.backend import Backend


def import_csv(backend: Backend, table: str, file: Path, what: str, *, dry_run: bool) -> int:
    """Have the users or groups of a file made and changed; bad rows are told with their line and the others are taken.
    Returns the exit code."""
    from whodid.cli import DONE, DONE_IN_PART, FAILED

    params = {"dry_run": "true" if dry_run else None}
    done = backend.ask("POST", f"{table}.csv", params=params, body=_bytes_of(file))
    for problem in done["problems"]:
        print_error(WhodidError(problem["code"], f"Line {problem['line']}: {problem['message']}"))
    print(_told(done, what))
    if done["refused"]:
        return DONE_IN_PART if done["made"] or done["changed"] or done["unchanged"] else FAILED
    return DONE


def _bytes_of(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise WhodidError("not_found", f"{file} cannot be read: {error.strerror}.") from error


def _told(done: dict[str, Any], what: str) -> str:
    outcomes = ((done["made"], "made"), (done["changed"], "changed"), (done["unchanged"], "as before"))
    told = [f"{counted(count, what)} {outcome}" for count, outcome in outcomes if count]
    if done["groups_made"]:
        told.append(f"{counted(done['groups_made'], 'group')} made")
    if done["refused"]:
        told.append(f"{done['refused']:,} refused")
    text = ", ".join(told) or "Nothing to do"
    return f"{text} (dry run: nothing was done)." if done["dry_run"] else f"{text}."

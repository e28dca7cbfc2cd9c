"""`whodid query`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, verb
from whodid.errors import WhodidError

app = verb(
    "query",
    """  whodid query "SELECT type, count(*) AS events FROM events GROUP BY type"
  whodid query "SELECT * FROM events WHERE \\"user\\" = \\$login" --param login=ada --output json
  whodid query --file top-users.sql --output parquet --to top-users.parquet
  echo "SELECT count(*) FROM events" | whodid query
  whodid query                                      a prompt with history and completion""",
)


@app.default
def query(
    sql: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="One SELECT; - or nothing reads standard input, or asks.")
    ] = None,
    /,
    *,
    file: Annotated[Path | None, Parameter(help="Read the SELECT from this file.")] = None,
    param: Annotated[
        list[str] | None, Parameter(help="name=value for $name; numbers, true, false and null are taken as such.")
    ] = None,
    limit: Annotated[int, Parameter(help="Rows at most.")] = 10_000,
    timeout_ms: Annotated[int, Parameter(help="Stop after this many milliseconds.")] = 30_000,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """Ask in SQL, read-only.

    The table is events (whodid.events in PostgreSQL), with a column for every field of an event and parameters as
    JSON. Times are UTC. On a terminal, without a SELECT, a prompt asks for one after the other.
    """
    from whodid.cli.answer import show
    from whodid.cli.reader import reader_of

    if sql is None and file is None and sys.stdin.isatty():
        _converse(place, limit=limit, timeout_ms=timeout_ms)
        return
    statement = _statement(sql, file)
    with reader_of(place) as reader:
        show(reader.query(statement, _params(param), limit=limit, timeout_ms=timeout_ms), output)


def _converse(place: Place, *, limit: int, timeout_ms: int) -> None:
    from whodid.cli.console import Console, history_file
    from whodid.cli.reader import reader_of

    with reader_of(place) as reader:
        Console(reader, history=history_file(), limit=limit, timeout_ms=timeout_ms).run()


def _statement(sql: str | None, file: Path | None) -> str:
    from whodid.cli.given import text_of

    if file is not None:
        if sql is not None:
            raise WhodidError("invalid", "There is SQL on the command line and in a file.", "Leave one out.")
        return text_of(file)
    if sql in (None, "-"):
        if sys.stdin.isatty():
            raise WhodidError("invalid", "There is no SQL.", 'For example: whodid query "SELECT count(*) FROM events"')
        return sys.stdin.read()
    return str(sql)


def _params(pairs: list[str] | None) -> dict[str, Any] | None:
    if not pairs:
        return None
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise WhodidError("invalid", f"--param is {pair!r}.", "Write it as name=value.")
        found[name] = _typed(value)
    return found


def _typed(text: str) -> Any:
    import msgspec

    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return value if value is None or isinstance(value, bool | int | float | str) else text

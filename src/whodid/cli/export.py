"""`whodid export`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import Parameter

from whodid.cli.filters import ALL, Which
from whodid.cli.options import ANYWHERE, FORMATS_BY_ENDING, Output, Place, verb
from whodid.errors import WhodidError

if TYPE_CHECKING:
    import pyarrow as pa

    from whodid.reading.reader import Reader

app = verb(
    "export",
    """  whodid export audit.parquet --since 90d
  whodid export sales.csv --project SALES --since 2026-01-01 --until 2026-04-01
  whodid export incident.ndjson --user ada --type 'login-*'""",
)
FileFormat = Literal["json", "ndjson", "csv", "parquet", "arrow"]
# So many events are in memory at once; each such part is one reading of the audit.
PART_EVENTS: Final = 100_000


@app.default
def export(
    file: Annotated[Path, Parameter(help="The file; its ending says the format. It is there once it is whole.")],
    /,
    *,
    which: Which = ALL,
    output: Annotated[FileFormat | None, Parameter(alias="-o", help="Format [default: by the file's name].")] = None,
    place: Place = ANYWHERE,
) -> None:
    """Write all events that fit into a file, oldest first, however many there are.

    All conditions have to hold; of several values for one (--user a --user b), one has to.
    """
    from whodid.amounts import counted
    from whodid.cli.answer import write_tables
    from whodid.cli.reader import reader_of
    from whodid.cli.terminal import note

    form = output or FORMATS_BY_ENDING.get(file.suffix.lower())
    if form is None:
        raise WhodidError(
            "invalid",
            f"No format is known by the ending of {file.name}.",
            f"Name the file with one of {', '.join(FORMATS_BY_ENDING)}, or add: --output FORMAT",
        )
    with reader_of(place) as reader:
        found = _Counted(_parts(reader, which.wanted()))
        write_tables(found, Output(output=form, to=file))
    note(f"{counted(found.events, 'event')} in {file}.")


class _Counted:
    """Tables of events and how many there were; on a terminal that is told meanwhile."""

    def __init__(self, tables: Iterable[pa.Table]):
        self.events = 0
        self._tables = tables

    def __iter__(self) -> Iterator[pa.Table]:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.completed:,} events"), TimeElapsedColumn())
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task("", total=None)
            for table in self._tables:
                yield table
                self.events += table.num_rows
                progress.update(task, completed=self.events)


def _parts(reader: Reader, wanted: dict[str, Any]) -> Iterator[pa.Table]:
    cursor = None
    while True:
        part = reader.events(**wanted, order="oldest", limit=PART_EVENTS, cursor=cursor)
        yield part.arrow()
        cursor = part.next_cursor
        if cursor is None:
            return

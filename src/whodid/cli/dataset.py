"""`whodid dataset`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, verb
from whodid.errors import WhodidError

if TYPE_CHECKING:
    from whodid.cli.backend import Backend

app = verb(
    "dataset",
    """  whodid dataset create audit --connection lake --path audit --partitioning '/%{node_type}/%Y/%M/%D/.*'
  whodid dataset create lines --connection lake --format 'one record per line' --charset utf8
  whodid dataset preview audit
  whodid dataset list-partitions audit
  whodid dataset files audit                         which match the pattern, and which do not
  whodid dataset read audit --partition 'design|2026-11-20' --output parquet --to day.parquet
  whodid dataset import audit --partition 'design|2026-11-20'
  whodid dataset sql audit --engine spark""",
)
_COLUMNS = ("name", "connection", "path", "format", "charset", "partitioning", "max_depth", "description")
_POLL_S: Final = 0.2
Names = list[str] | None


@app.command(name="list")
def list_(*, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """List the datasets on connections that you may use."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        found = backend.ask("GET", "datasets")["datasets"]
    show_rows(found, output, columns=_COLUMNS)


@app.command
def show(name: str, *, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """Show a dataset."""
    from whodid.cli.answer import show_one
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        show_one(backend.ask("GET", "datasets", name), output)


@app.command
def create(
    name: str,
    *,
    connection: Annotated[str, Parameter(help="Connection whose files they are.")],
    path: Annotated[str, Parameter(help="Folder of the connection.")] = "",
    format: Annotated[str, Parameter(help="'one record per line', json or parquet.")] = "json",
    charset: Annotated[str, Parameter(help="utf8, latin1 or utf16.")] = "utf8",
    partitioning: Annotated[str | None, Parameter(help="Pattern such as '/%{node_type}/%Y/%M/%D/.*'.")] = None,
    max_depth: Annotated[int, Parameter(help="Levels of JSON objects that become columns.")] = 2,
    description: Annotated[str | None, Parameter(help="What it holds.")] = None,
    place: Place = ANYWHERE,
) -> None:
    """Define a dataset over the files of a connection; nothing is copied."""
    from whodid.cli.backend import backend_of

    body = {
        "name": name,
        "connection": connection,
        "path": path,
        "format": format,
        "charset": charset,
        "partitioning": partitioning,
        "max_depth": max_depth,
        "description": description,
    }
    with backend_of(place) as backend:
        backend.ask("POST", "datasets", body=body)
    print(f"Made the dataset {name}. Look into it with: whodid dataset preview {name}")


@app.command
def delete(name: str, *, place: Place = ANYWHERE) -> None:
    """Forget a dataset; its files stay."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        backend.ask("DELETE", "datasets", name)
    print(f"Forgot the dataset {name}; its files stay.")


@app.command
def preview(name: str, *, place: Place = ANYWHERE, output: Output = AS_SUITS) -> None:
    """Show the first rows and the columns found in them."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of
    from whodid.cli.terminal import note

    with backend_of(place) as backend:
        found = backend.ask("GET", "datasets", name, "preview")
    columns = [column["name"] for column in found["columns"]]
    show_rows(found["rows"], output, columns=columns)
    note("Columns: " + ", ".join(f"{column['name']} {column['type']}" for column in found["columns"]))
    _note_problems(found)
    if found["outside"]:
        note(f"{_files(found['outside'])} outside of the pattern: whodid dataset files {name}")


@app.command(name="list-partitions")
def list_partitions(
    name: str,
    *,
    refresh: Annotated[bool, Parameter(help="Look anew instead of using a listing of the last minute.")] = False,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """List the partitions that the pattern found."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of
    from whodid.cli.terminal import note

    with backend_of(place) as backend:
        found = backend.ask("GET", "datasets", name, "partitions", params=_refresh(refresh))
    rows = [{name: one[name] for name in ("name", "begins_at", "files", "size_bytes")} for one in found["partitions"]]
    show_rows(rows, output, columns=("name", "begins_at", "files", "size_bytes"))
    if found["outside"]:
        note(f"{_files(found['outside'])} outside of the pattern: whodid dataset files {name}")


@app.command
def files(
    name: str,
    *,
    refresh: Annotated[bool, Parameter(help="Look anew instead of using a listing of the last minute.")] = False,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """List which files match the pattern, and which do not."""
    from whodid.cli.answer import show_rows
    from whodid.cli.backend import backend_of
    from whodid.cli.terminal import note

    with backend_of(place) as backend:
        found = backend.ask("GET", "datasets", name, "files", params=_refresh(refresh))
    rows = [{**file, "matches": "yes"} for file in found["matching"]]
    rows += [{**file, "matches": "no", "partition": None} for file in found["outside"]]
    show_rows(rows, output, columns=("matches", "partition", "path", "size_bytes", "modified_at"))
    note(f"{_files(found['matching_total'])} within the pattern, {found['outside_total']:,} outside.")


@app.command
def read(
    name: str,
    *,
    partition: Annotated[Names, Parameter(help="Partition to read; several times for several [default: all].")] = None,
    limit: Annotated[int | None, Parameter(help="Rows at most.")] = None,
    refresh: Annotated[bool, Parameter(help="Look anew instead of using a listing of the last minute.")] = False,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """Read one or many partitions as rows."""
    import pyarrow as pa

    from whodid.cli.answer import show_table
    from whodid.cli.backend import backend_of
    from whodid.cli.terminal import note

    params = {"partition": partition, "limit": limit, "format": "arrow", **_refresh(refresh)}
    with backend_of(place) as backend:
        answer = backend.fetch("GET", "datasets", name, "rows", params=params)
    show_table(pa.ipc.open_stream(answer.content).read_all(), output)
    if answer.headers["whodid-truncated"] == "true":
        note("There are more rows: --limit N shows them, or read fewer partitions at a time.")
    if answer.headers["whodid-passed-over"] != "0":
        note(f"{_lines(int(answer.headers['whodid-passed-over']))} passed over.")


@app.command(name="import")
def import_(
    name: str,
    *,
    partition: Annotated[
        Names, Parameter(help="Partition to import; several times for several [default: all].")
    ] = None,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> int:
    """Import partitions into the store: what is unread of them; nothing is stored twice, however often it is run."""
    from whodid.cli import DONE, DONE_IN_PART
    from whodid.cli.answer import show_one
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        job = _waited(
            backend, name, backend.ask("POST", "datasets", name, "imports", body={"partitions": partition or []})
        )
    if job["state"] == "failed":
        raise WhodidError("unavailable", f"The import failed: {job['error']}", "What was read is stored; run it again.")
    summary = job["summary"]
    shown = {
        "partitions": len(job["partitions"]),
        "files": job["files"],
        "events": summary["events"],
        "stored": summary["stored"],
        "duplicates": summary["duplicates"],
        "rejected": summary["rejected"],
        "oldest": summary["oldest"],
        "newest": summary["newest"],
    }
    show_one(shown if output.format() == "table" else job, output)
    return DONE_IN_PART if summary["rejected"] or job["error"] else DONE


@app.command
def sql(
    name: str,
    *,
    engine: Annotated[str, Parameter(help="duckdb, spark, athena or trino.")] = "duckdb",
    place: Place = ANYWHERE,
) -> None:
    """Print a view of the dataset's files for another engine."""
    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        print(backend.ask("GET", "datasets", name, "sql", params={"engine": engine})["sql"], end="")


def _waited(backend: Backend, name: str, job: dict[str, Any]) -> dict[str, Any]:
    """The job at its end; a bar shows meanwhile how far it is."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(f"Importing {name}", total=job["size_bytes"] or None)
        while job["state"] == "running":
            time.sleep(_POLL_S)
            job = backend.ask("GET", "datasets", name, "imports", job["id"])
            progress.update(task, completed=job["bytes_done"])
    return job


def _files(count: int) -> str:
    return "1 file lies" if count == 1 else f"{count:,} files lie"


def _lines(count: int) -> str:
    return "1 line is no record and was" if count == 1 else f"{count:,} lines are no records and were"


def _refresh(refresh: bool) -> dict[str, str | None]:
    return {"refresh": "true" if refresh else None}


def _note_problems(found: dict[str, Any]) -> None:
    from whodid.cli.terminal import note

    if found["passed_over"]:
        first = found["problems"][0]
        note(f"{_lines(found['passed_over'])} passed over; the first: {first['file']} line {first['line']}.")

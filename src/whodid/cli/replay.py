"""`whodid replay`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from whodid.amounts import counted
from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, verb

if TYPE_CHECKING:
    from whodid.datasets.replay import Replayed

app = verb(
    "replay",
    """  whodid replay --list                                       what was rejected, and why
  whodid replay                                              try everything again, with what whodid can read today
  whodid replay --code bad_time --format dss-log4j           only some, as another format
  whodid replay --raw mend.ndjson                            the input itself, to mend it by hand; then:
  whodid import mend.ndjson""",
)
_COLUMNS = ("received_at", "source", "line", "code", "message", "raw")
_PAGE_ROWS = 1_000


@app.default
def replay(
    *,
    list: Annotated[bool, Parameter(help="Only show what was rejected, the latest first.")] = False,
    raw: Annotated[Path | None, Parameter(help="Write the rejected input to this file, to mend it.")] = None,
    code: Annotated[str | None, Parameter(help="Only what was rejected with this code.")] = None,
    source: Annotated[str | None, Parameter(help="Only what came from files with this in their name.")] = None,
    format: Annotated[str | None, Parameter(help="Read it as this format [default: as it came].")] = None,
    limit: Annotated[int, Parameter(help="Rejections at most.")] = 100_000,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> int:
    """Take in again what was rejected, after it was mended or whodid learned to read it.

    What still cannot be read stays as it is; what was taken in once is not taken in again. Exit code 3 says that
    some could not be read.
    """
    from whodid.cli import DONE, DONE_IN_PART
    from whodid.cli.answer import show_rows
    from whodid.cli.sink import sink_of, state_folder
    from whodid.datasets import replay as steps

    rows = _rejects(place, limit, code, source)
    if list:
        show_rows(rows, output, columns=_COLUMNS)
        return DONE
    if raw is not None:
        return _write_raw(rows, raw)
    with ExitStack() as stack:
        ledger = steps.Ledger(state_folder(place) / "replayed.db")
        stack.callback(ledger.close)
        sink = sink_of(place, stack)
        done = steps.replay(rows, sink, ledger, format=format)
        sink.finish(600.0)
    _tell(done)
    return DONE_IN_PART if done.still or done.cut else DONE


def _rejects(place: Place, limit: int, code: str | None, source: str | None) -> list[dict[str, Any]]:
    from whodid.cli.reader import reader_of

    rows: list[dict[str, Any]] = []
    with reader_of(place) as reader:
        offset = 0
        while len(rows) < limit:
            page = reader.rejects(limit=_PAGE_ROWS, offset=offset)
            rows += [
                row
                for row in page
                if code in (None, row["code"]) and (source is None or source in (row["source"] or ""))
            ]
            offset += len(page)
            if not page.truncated:
                break
    return rows[:limit]


def _write_raw(rows: list[dict[str, Any]], path: Path) -> int:
    from whodid.cli import DONE, DONE_IN_PART
    from whodid.datasets.replay import raw_of

    found = [raw_of(row) for row in reversed(rows)]
    whole = [raw for raw in found if raw is not None]
    path.write_bytes(b"".join(raw.rstrip(b"\r\n") + b"\n" for raw in whole))
    print(f"Wrote {len(whole):,} to {path}. Mend them, then: whodid import {path}")
    if len(whole) < len(found):
        print(f"{len(found) - len(whole):,} are left out: only their beginning is kept.")
        return DONE_IN_PART
    return DONE


def _tell(done: Replayed) -> None:
    print(f"{counted(done.events, 'event')} taken in.")
    if done.still:
        reasons = ", ".join(f"{code} {count:,}" for code, count in done.reasons.items())
        print(f"{done.still:,} still cannot be read: {reasons}.")
    if done.cut:
        print(f"{done.cut:,} were too large to be kept whole: mend them where they came from.")
    if done.earlier:
        print(f"{done.earlier:,} had been taken in before.")

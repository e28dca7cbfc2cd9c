"""`whodid report`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from whodid.cli.lake import NO_LAKE, Lake, answer_of, refuse_without_engine, statement_of
from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place, verb
from whodid.errors import WhodidError

if TYPE_CHECKING:
    import pyarrow as pa

    from whodid.reports import Report

app = verb(
    "report",
    """  whodid report    the reports there are, and what each answers
  whodid report overview --since 7d
  whodid report users --since 2026-11-01 --until 2026-11-08 --limit 20
  whodid report activity --group Chemistry --zone Europe/Berlin
  whodid report functions --output csv > functions.csv
  whodid report unknown-types --server https://audit.example.com --key KEY
  whodid report overview --since 2020-01-01 --engine spark --engine-url spark://host:7077
  whodid report users --since 260w --engine trino --print-sql > users.sql""",
)


@app.default
def report(
    name: Annotated[str | None, Parameter(help="The report; without one they are listed.")] = None,
    /,
    *,
    since: Annotated[str | None, Parameter(help="From when on: 2026-11-01, or how long ago: 7d, 24h.")] = None,
    until: Annotated[str | None, Parameter(help="Until when [default: now].")] = None,
    user: Annotated[tuple[str, ...], Parameter(help="Only these logins.")] = (),
    group: Annotated[tuple[str, ...], Parameter(help="Only members of these groups.")] = (),
    entity: Annotated[tuple[str, ...], Parameter(help="Only what touched TYPE:ID.")] = (),
    project: Annotated[tuple[str, ...], Parameter(help="Only these projects.")] = (),
    topic: Annotated[tuple[str, ...], Parameter(help="Only these topics.")] = (),
    type: Annotated[tuple[str, ...], Parameter(help="Only these types; * for any letters.")] = (),
    level: Annotated[tuple[str, ...], Parameter(help="Only these levels.")] = (),
    zone: Annotated[str | None, Parameter(help="Time zone of days and hours [default: UTC].")] = None,
    limit: Annotated[int | None, Parameter(help="Rows at most.")] = None,
    parameter: Annotated[tuple[str, ...], Parameter(help="NAME=VALUE of another parameter.")] = (),
    output: Output = AS_SUITS,
    lake: Lake = NO_LAKE,
    place: Place = ANYWHERE,
) -> None:
    """Run one of the reports; without a name, list them by family."""
    from whodid.cli.answer import show_table
    from whodid.reports import catalogue
    from whodid.reports import report as report_of

    refuse_without_engine(lake)
    if name is None:
        show_table(_listed(catalogue()), output)
        return
    if not place.server:
        report_of(name)
    given: dict[str, Any] = {
        "since": since,
        "until": until,
        "users": user,
        "groups": group,
        "entities": entity,
        "projects": project,
        "topics": topic,
        "types": type,
        "levels": level,
        "zone": zone,
        "limit": limit,
        **dict(map(_pair, parameter)),
    }
    parameters = {key: value for key, value in given.items() if value not in (None, ())}
    if lake.print_sql:
        print(statement_of(lake, name, place, parameters))
        return
    if lake.engine is not None:
        told = answer_of(lake, name, place, parameters)
        table, total = told.table, told.total
    else:
        from whodid.cli.reader import reader_of

        with reader_of(place) as reader:
            answer = reader.report(name, **parameters)
        table, total = answer.arrow(), answer.total
    show_table(table, output)
    if total is not None and total > table.num_rows:
        print(f"{table.num_rows:,} of {total:,} rows: see --limit.", file=sys.stderr)


def _listed(found: list[Report]) -> pa.Table:
    import pyarrow as pa

    from whodid.reports.report import FAMILIES

    rows = [
        {
            "family": one.family,
            "report": one.name,
            "question": one.question,
            "parameters": ", ".join(
                f"{parameter.name}={parameter.default}".rstrip("=")
                for parameter in one.parameters
                if not parameter.is_derived
            ),
        }
        for one in sorted(found, key=lambda one: (list(FAMILIES).index(one.family), one.name))
    ]
    return pa.Table.from_pylist(rows)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise WhodidError("invalid", f"{text!r} is no NAME=VALUE.", "For example: --parameter limit=20")
    return name, value

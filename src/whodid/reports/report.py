"""The contract of a report: an SQL file that begins with a header of comment lines.

    -- family: overview
    -- title: Unknown types
    -- question: Which types of event does the catalogue not know?
    -- parameter: since time = 30d | from when on
    -- parameter: limit integer = 100 | rows at most
    -- column: type text | the type
    -- column: events integer events | how many
    -- chart: bar x=events y=type
    -- drill: /events?type={type}

The family is one of `FAMILIES`. A parameter has a name, a type of `PARAMETER_TYPES` (a choice is written
as its values: `by day|hour = day`) and a default; one whose default begins with `@` is not asked for but worked out
(`values.DERIVED`). A column has a name, a type of `COLUMN_TYPES`, perhaps
a unit, and its meaning; a `local` time is text of the reader's time zone. The chart is a Vega-Lite mark with its
encodings. `drill` is where a row leads: an address of a page with columns in braces; `{ends}` of a report without such
a column is when the row's `period` is over.

Below follows one SELECT in the common dialect of DuckDB and PostgreSQL with the words of `words.WORDS`; its columns are
those of the header, in their order. Where it says `chosen()` the common filters are applied (`common.FILTERS`); where
it says `local()` it takes a time zone. One that ends in `LIMIT $limit` has a last column `of` that the header does not
name: how many rows there are without the limit.

With `-- with: compute_usage` the common tables of `sql/parts/compute_usage.sql` stand before the statement's own; the
statement then begins with a SELECT. Several such lines: several files, in their order.

With `-- needs: flow_told` the common table of that one file is asked first, by itself. Where it has no rows the report
has none: an engine that would plan the rest for longer than it reads is spared that. Of its columns two are handed on:
`hour`, the only hours in which `chosen_in_hours()` then looks, and `of`, which the report itself leaves out then.

What SQL alone cannot is done by a step: with `-- step: whodid.analysis.clusters:clusters` that function is handed the
SELECT's table, the parameters' values and the directory (None where there is none), and gives the table with the
columns of the header, and `of` where it takes a limit.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from whodid.errors import WhodidError
from whodid.stores.base import KEPT

FAMILIES: Final = {
    "overview": "Overview",
    "users": "Users and groups",
    "functions": "Functions",
    "interface": "Interface and packages",
    "entities": "Entities",
    "errors": "Errors",
    "security": "Security",
    "api": "API nodes",
    "compute": "Compute",
    "adoption": "Adoption",
    "audit": "Audit of the audit",
}
PARAMETER_TYPES: Final = ("time", "integer", "number", "text", "texts", "choice")
COLUMN_TYPES: Final = ("text", "integer", "number", "time", "date", "local", "uuid", "json")

_HEADER: Final = re.compile(r"-- (\w+): (.*)")
_PARAMETER: Final = re.compile(r"(\w+) ([\w|]+) = (\S*) ?\| (.+)")
_COLUMN: Final = re.compile(r"(\w+) (\w+)(?: (\S+))? \| (.+)")
# A look at events that has to say what the caller may see; ids in `event_entities` tell nothing by themselves.
_LOOK: Final = re.compile(rf"\b(?:FROM|JOIN)\s+(?:events|{'|'.join(KEPT)})\b")
# What such a look says: a condition on what it may see, `chosen` as the common filters ask.
_CONDITION: Final = re.compile(r"\b(chosen|seen)(?:_in_hours)?\(")
_ENCODING: Final = re.compile(r"(\w+)=(\w+)")


class Parameter(Struct, kw_only=True):
    """What a report takes: `default` is text as a user would write it; a choice is one of `choices`."""

    name: str
    type: str
    default: str
    help: str
    choices: list[str] = []

    @property
    def is_derived(self) -> bool:
        return self.default.startswith("@")


class Column(Struct, kw_only=True):
    """What a report gives; `unit` is None for names and the like."""

    name: str
    type: str
    unit: str | None
    help: str


class Chart(Struct, kw_only=True):
    """A Vega-Lite mark and which column goes to which channel."""

    mark: str
    encodings: dict[str, str]


class Report(Struct, kw_only=True):
    """A report: its header, and its statement in the common dialect."""

    name: str
    family: str
    title: str
    question: str
    parameters: list[Parameter]
    columns: list[Column]
    chart: Chart | None
    drill: str | None
    step: str | None
    sql: str
    parts: list[str] = []
    needs: str | None = None

    @property
    def takes_filters(self) -> bool:
        return "chosen" in _CONDITION.findall(self.sql)

    @property
    def keeps_to_sight(self) -> bool:
        """Whether every look at events says `chosen()` or `seen()`, so that it tells of nothing else."""
        looks = len(_LOOK.findall(self.sql))
        asks_directory = any(parameter.default.startswith("@member") for parameter in self.parameters)
        kept = len(_CONDITION.findall(self.sql)) == looks > 0
        return kept and self.step is None and not asks_directory and "rejected_events" not in self.sql

    @property
    def takes_zone(self) -> bool:
        return "local(" in self.sql


def parse(name: str, text: str) -> Report:
    """Read the file of a report.

    Raises
    ------
    WhodidError("internal")
        The header is not as this module's docstring says; the message names the line.
    """
    header: dict[str, list[str]] = {}
    lines = text.splitlines()
    body = next((place for place, line in enumerate(lines) if not line.startswith("--")), len(lines))
    for line in lines[:body]:
        match = _HEADER.fullmatch(line)
        if match is None:
            raise _broken(name, line)
        header.setdefault(match[1], []).append(match[2].strip())
    family = _only(name, header, "family")
    if family not in FAMILIES:
        raise _broken(name, f"-- family: {family}")
    return Report(
        name=name,
        family=family,
        title=_only(name, header, "title"),
        question=_only(name, header, "question"),
        parameters=[_parameter(name, line) for line in header.get("parameter", [])],
        columns=[_column(name, line) for line in header.get("column", [])],
        chart=_chart(header["chart"][0]) if "chart" in header else None,
        drill=header.get("drill", [None])[0],
        step=header.get("step", [None])[0],
        sql="\n".join(lines[body:]).strip(),
        parts=header.get("with", []),
        needs=header.get("needs", [None])[0],
    )


def _parameter(report: str, line: str) -> Parameter:
    match = _PARAMETER.fullmatch(line)
    if match is None:
        raise _broken(report, line)
    kind, choices = ("choice", match[2].split("|")) if "|" in match[2] else (match[2], [])
    if kind not in PARAMETER_TYPES:
        raise _broken(report, line)
    return Parameter(name=match[1], type=kind, default=match[3], help=match[4], choices=choices)


def _column(report: str, line: str) -> Column:
    match = _COLUMN.fullmatch(line)
    if match is None or match[2] not in COLUMN_TYPES:
        raise _broken(report, line)
    return Column(name=match[1], type=match[2], unit=match[3], help=match[4])


def _chart(line: str) -> Chart:
    return Chart(mark=line.split()[0], encodings=dict(_ENCODING.findall(line)))


def _only(report: str, header: dict[str, list[str]], field: str) -> str:
    if len(header.get(field, [])) != 1:
        raise _broken(report, f"-- {field}:")
    return header[field][0]


def _broken(report: str, line: str) -> WhodidError:
    return WhodidError("internal", f"Report {report} has a header line that cannot be read: {line!r}.")

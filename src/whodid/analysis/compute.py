"""What compute was used for and what it cost: by project, user, group, type or day.

The rows come from `reports/sql/parts/compute_usage.sql` and `pods_usage.sql`, which follow the rules of DSS's
compute-resource-usage events; here they are added up and priced.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from whodid.analysis.membership import groups_by_login, logins_of
from whodid.analysis.price_book import PriceBook, price_book

UNATTRIBUTED: Final = "unattributed"
MEASURES: Final = (
    "memory_gb_h",
    "cpu_h",
    "sql_h",
    "pod_memory_gb_h",
    "pod_cpu_h",
    "pod_memory_request_gb_h",
    "pod_cpu_request_h",
    "llm_queries",
    "prompt_tokens",
    "completion_tokens",
    "llm_cost_usd",
    "resources",
)
# What `by` may be, and the column of the rows that it is.
DIMENSIONS: Final = {"project": "project", "user": "login", "group": "login", "type": "context_type", "day": "day"}
_SUMS: Final = [(measure, "sum") for measure in MEASURES]

Used = dict[str, float]


def usage(rows: pa.Table, asked: dict[str, Any], directory: Any) -> pa.Table:
    """The step of report `compute`: one row a project, user, group, type or day.

    Someone in several groups counts for each of them in full, so that groups may add up to more than the whole; shares
    are of the whole. What belongs to nobody is a row `unattributed`, which is shown even beyond the limit.
    """
    by = asked["by"]
    rows = chosen(rows, asked, directory)
    book = price_book(directory)
    subjects = _subjects(rows, by, directory)
    whole = _added([sums for _, sums in _grouped(rows, DIMENSIONS[by])])
    told = [_row(subject, used, whole, book) for subject, used in subjects.items()]
    return cut(_ordered(told, by), asked["limit"], keep=UNATTRIBUTED)


def chosen(rows: pa.Table, asked: dict[str, Any], directory: Any) -> pa.Table:
    """The rows of the users, groups and projects that were asked for: of those to whom the use belongs."""
    for name, column in (("users", "login"), ("projects", "project")):
        if asked.get(name):
            rows = rows.filter(_is_in(rows.column(column), asked[name]))
    if asked.get("groups"):
        rows = rows.filter(_is_in(rows.column("login"), sorted(logins_of(directory, asked["groups"]))))
    return rows


def cut(rows: list[dict[str, Any]], limit: int, *, keep: str | None = None) -> pa.Table:
    """The first rows, with how many there are in `of`; the row of the subject `keep` is always among them."""
    found = rows[:limit]
    found += [row for row in rows[limit:] if keep is not None and row.get("subject") == keep]
    return pa.Table.from_pylist([{**row, "of": len(rows)} for row in found]) if found else pa.table({})


def _is_in(column: pa.ChunkedArray, values: Sequence[str]) -> Any:
    return pc.is_in(column.cast(pa.string()), value_set=pa.array(values, pa.string()))


def _grouped(rows: pa.Table, column: str) -> Iterator[tuple[Any, Used]]:
    for row in rows.group_by(column, use_threads=False).aggregate(_SUMS).to_pylist():
        yield row[column], {measure: float(row[f"{measure}_sum"] or 0) for measure in MEASURES}


def _subjects(rows: pa.Table, by: str, directory: Any) -> dict[str, Used]:
    groups = groups_by_login(directory) if by == "group" else {}
    found: dict[str, list[Used]] = defaultdict(list)
    for value, used in _grouped(rows, DIMENSIONS[by]):
        for subject in _names(value, by, groups):
            found[subject].append(used)
    return {subject: _added(uses) for subject, uses in found.items()}


def _names(value: Any, by: str, groups: dict[str, list[str]]) -> list[str]:
    if value is None:
        return [UNATTRIBUTED]
    if by == "day":
        return [f"{value:%Y-%m-%d}"]
    if by == "group":
        return groups.get(value, ["no group"])
    return [str(value)]


def _added(uses: Sequence[Used]) -> Used:
    return {measure: sum(used[measure] for used in uses) for measure in MEASURES}


def _row(subject: str, used: Used, whole: Used, book: PriceBook) -> dict[str, Any]:
    cost, all_cost = book.cost_of(used), book.cost_of(whole)
    return {
        "subject": subject,
        "resources": int(used["resources"]),
        **{measure: used[measure] for measure in MEASURES[:7]},
        "llm_queries": int(used["llm_queries"]),
        "llm_tokens": int(used["prompt_tokens"] + used["completion_tokens"]),
        "llm_cost_usd": used["llm_cost_usd"],
        "cost": cost,
        "currency": book.currency,
        "memory_share_percent": _share(used["memory_gb_h"], whole["memory_gb_h"]),
        "cpu_share_percent": _share(used["cpu_h"], whole["cpu_h"]),
        "cost_share_percent": _share(cost, all_cost),
    }


def _share(part: float | None, whole: float | None) -> float | None:
    return 100 * part / whole if whole and part is not None else None


def _ordered(rows: list[dict[str, Any]], by: str) -> list[dict[str, Any]]:
    if by == "day":
        return sorted(rows, key=lambda row: row["subject"])
    return sorted(
        rows,
        key=lambda row: (-(row["cost"] or 0), -row["memory_gb_h"], -row["cpu_h"], -row["sql_h"], row["subject"]),
    )

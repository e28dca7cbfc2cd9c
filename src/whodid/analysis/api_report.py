"""Reports on API nodes that SQL alone cannot answer: drift, distributions, predictions against what happened."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import pyarrow as pa

from whodid.analysis.compute import cut
from whodid.analysis.drift import Drift, compare, told
from whodid.analysis.model_quality import PREDICTIONS, PROBABILITIES, Quality
from whodid.analysis.model_quality import quality as quality_of
from whodid.analysis.values import Columns, Value, columns_of, plain, read_json

_VERDICTS: Final = ("drifted", "shifted", "stable", "too few")
_ANSWER: Final = "answer"

Row = dict[str, Any]


class Compared(NamedTuple):
    """A column of an endpoint in both times."""

    service: str
    endpoint: str
    column: str
    drift: Drift
    reference: int
    current: int
    queries: int


def drift(rows: pa.Table, asked: dict[str, Any], directory: Any) -> pa.Table:
    """The step of report `api-drift`: one row a feature or part of the answer, the worst first."""
    found = sorted(
        _compared(rows.to_pylist()),
        key=lambda one: (
            _VERDICTS.index(one.drift.verdict),
            -round(one.drift.psi or 0, 9),
            one.service,
            one.endpoint,
            one.column,
        ),
    )
    return cut([_drift_row(one) for one in found], asked["limit"])


def distribution(rows: pa.Table, asked: dict[str, Any], directory: Any) -> pa.Table:
    """The step of report `api-distribution`: one row a part of each column."""
    found = [
        {"service": one.service, "endpoint": one.endpoint, "column": one.column, "place": place, **part}
        for one in sorted(_compared(rows.to_pylist()), key=lambda one: one[:3])
        if asked["column"] in ("", one.column)
        for place, part in enumerate(told(one.drift.parts))
    ]
    return cut(found, asked["limit"])


def quality(rows: pa.Table, asked: dict[str, Any], directory: Any) -> pa.Table:
    """The step of report `api-quality`: one row an endpoint and version whose outcomes are known."""
    outcomes: dict[tuple[str, str], dict[str, Value]] = defaultdict(dict)
    queries: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows.to_pylist():
        if row["kind"] == "truth":
            outcomes[row["service"], row["request_id"]][row["id"]] = plain(row["features"])
        else:
            queries[row["service"], row["endpoint"], row["version"] or ""].append(row)
    found: list[Row] = []
    for (service, endpoint, version), asked_rows in sorted(queries.items()):
        matches = {match: known for (of, match), known in outcomes.items() if of == service}
        found += _quality_rows(service, endpoint, version, asked_rows, matches)
    found.sort(key=lambda row: (-row["pairs"], row["service"], row["endpoint"], row["version"] or ""))
    return cut(found, asked["limit"])


def _compared(rows: Iterable[Row]) -> Iterator[Compared]:
    windows: dict[tuple[str, str], dict[bool, list[Row]]] = defaultdict(lambda: {True: [], False: []})
    for row in rows:
        windows[row["service"], row["endpoint"]][row["is_current"]].append(row)
    for (service, endpoint), of_time in windows.items():
        reference, current = (_columns(of_time[is_current]) for is_current in (False, True))
        counts = len(of_time[False]), len(of_time[True])
        queries = of_time[True][0]["queries"] if of_time[True] else 0
        for column in sorted(reference.keys() | current.keys()):
            then, now = reference.get(column, [None] * counts[0]), current.get(column, [None] * counts[1])
            yield Compared(service, endpoint, column, compare(then, now), *counts, queries)


def _columns(rows: list[Row]) -> Columns:
    """Features under their own names, the answer's parts behind `answer`; in `answer.…` what it says of an error."""
    features = columns_of(_read(row["features"] for row in rows), "feature")
    answers = columns_of(_read(row["result"] for row in rows), _ANSWER)
    return {name.removeprefix("feature."): values for name, values in features.items()} | answers


def _drift_row(one: Compared) -> Row:
    found = one.drift
    return {
        "service": one.service,
        "endpoint": one.endpoint,
        "column": one.column,
        "verdict": found.verdict,
        "psi": found.psi,
        "test": found.test,
        "statistic": found.statistic,
        "p_value": found.p_value,
        "kind": found.kind,
        "reference_mean": found.reference_centre,
        "current_mean": found.current_centre,
        "reference_deviation": found.reference_spread,
        "current_deviation": found.current_spread,
        "reference_missing_percent": _percent(found.reference_missing, one.reference),
        "current_missing_percent": _percent(found.current_missing, one.current),
        "reference_values": one.reference,
        "current_values": one.current,
        "queries": one.queries,
        "parts": json.dumps(told(found.parts), ensure_ascii=False),
    }


def _quality_rows(
    service: str, endpoint: str, version: str, rows: list[Row], matches: dict[str, dict[str, Value]]
) -> Iterator[Row]:
    pairs = [(row, outcome) for row, outcome in zip(rows, _outcomes(rows, matches), strict=True) if outcome is not None]
    if not pairs:
        return
    answers = columns_of(_read(row["result"] for row, _ in pairs), _ANSWER)
    prediction = _named(answers, PREDICTIONS) or next(iter(answers), None)
    if prediction is None:
        return
    scores = _named({name: values for name, values in answers.items() if name != prediction}, PROBABILITIES)
    found = quality_of(answers[prediction], [outcome for _, outcome in pairs], answers.get(scores or ""))
    if found is not None:
        yield _quality_row(found) | {
            "service": service,
            "endpoint": endpoint,
            "version": version or None,
            "known_percent": 100 * len(pairs) / len(rows),
            "prediction": prediction,
        }


def _quality_row(found: Quality) -> Row:
    row = found._asdict()
    row["outcomes"] = None if found.outcomes is None else json.dumps(found.outcomes, ensure_ascii=False)
    return row


def _outcomes(rows: list[Row], matches: dict[str, dict[str, Value]]) -> list[Value]:
    """What happened to the thing that each query was about, by whichever of its fields the outcomes name."""
    found: list[Value] = [None] * len(rows)
    for match, known in matches.items():
        told = (None if key is None else known.get(key) for key in _fields(rows, match))
        found = [other if one is None else one for one, other in zip(found, told, strict=True)]
    return found


def _fields(rows: list[Row], match: str) -> list[str | None]:
    """A field of each query as text: `id`, `request_id`, or within it `features.customer_id`, `context.order`."""
    outer, _, inner = match.partition(".")
    if outer not in ("id", "request_id", "features", "context", "result"):
        return [None] * len(rows)
    if not inner:
        return [None if row[outer] is None else str(row[outer]) for row in rows]
    values = columns_of(_read(row[outer] for row in rows), outer, among={match}).get(match, [None] * len(rows))
    return [_as_key(value) for value in values]


def _as_key(value: Value) -> str | None:
    return value if value is None or isinstance(value, str) else f"{value:.15g}"


def _named(columns: Columns, names: tuple[str, ...]) -> str | None:
    """The column whose last part is the first of these names."""
    for name in names:
        for column in sorted(columns):
            if column.rpartition(".")[2].casefold() == name:
                return column
    return None


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def _read(texts: Iterable[str | None]) -> Iterator[Any]:
    """What each says; nothing where there is none."""
    return ({} if text is None else read_json(text) for text in texts)

"""What rules find: one function for each way of looking. Each asks the store for a bounded time only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from whodid import reports
from whodid.alerts.row import Rule
from whodid.alerts.usual import Usual, number, usual, windows
from whodid.directory import Directory
from whodid.reports.common import condition
from whodid.reports.kinds import types_of
from whodid.schedules.rights import standing_of
from whodid.stores.base import Store

KEYS_MAX: Final = 200
FRESH_MAX: Final = 5_000
KNOWN_MAX: Final = 20_000
QUERY_MS_MAX: Final = 20_000
REPORT_MS_MAX: Final = 60_000
# Events that come in later than this after they happened are not told any more.
LATE: Final = timedelta(days=1)
BASELINE: Final = timedelta(days=90)
_TEXT_MAX: Final = 300
_SAID: Final = re.compile(r"\$(\w+)")


class Finding(NamedTuple):
    """Something to tell of. `fingerprint` is what makes it the same as one that was told of before."""

    fingerprint: str
    title: str
    message: str
    details: Mapping[str, Any] = MappingProxyType({})
    times: int = 1


class Found(NamedTuple):
    """What a look found, and the mark that the next one begins at. `over` are fingerprints of what has ended."""

    findings: list[Finding]
    mark: dict[str, Any]
    over: tuple[str, ...] = ()


class Look(NamedTuple):
    """What a look is made with. `usual` remembers what is usual, by rule and window; `begun` is when the rule began."""

    store: Store
    directory: Directory
    server: str
    standing: Callable[[], dict[str, Any]]
    usual: dict[Any, Any]
    at: datetime
    rule: Rule
    options: dict[str, Any]
    mark: dict[str, Any]

    @property
    def end(self) -> datetime:
        return self.at.astimezone(UTC).replace(tzinfo=None)


class Counted(NamedTuple):
    """What a kind of rule counts: which events it looks at, which of them count, and what can be told apart."""

    within: str
    counted: str
    keys: Mapping[str, str]
    noun: str
    is_rate: bool = False


_KEYS: Final = {
    "all": "'all'", "type": "e.type", "function": "e.function", "project": "project()", "user": "person()",
    "node": "e.node", "entity": "e.entity_type || ':' || e.entity_id",
    "account": "coalesce(parameter('login'), person())",
    "address": "coalesce(parameter('originalIP'), parameter('clientIP'), parameter('ip'), e.orig_address)",
}  # fmt: skip
_COUNTED: Final[dict[str, Counted]] = {
    "error-rate": Counted("e.type NOT LIKE 'alert-%'", "is_error()", _KEYS, "errors", is_rate=True),
    "failed-logins": Counted("e.type = ANY($failures)", "TRUE", _KEYS, "failed logins"),
    "event-count": Counted("e.type NOT LIKE 'alert-%'", "TRUE", _KEYS, "events"),
}


def counts(look: Look) -> Found:
    """What happens more often than a number, or than is usual."""
    length = timedelta(minutes=look.options["window_minutes"])
    begin = look.end - length
    rows = _counts(look, begin, look.end, look.options["at_least"])
    told = [_counted_finding(look, row, begin) for row in rows]
    return Found([finding for finding in told if finding is not None], {})


def _counted_finding(look: Look, row: Mapping[str, Any], begin: datetime) -> Finding | None:
    kind, options = _COUNTED[look.rule.kind], look.options
    value = _value(kind, row)
    known: Usual | None = None
    limit = float(options["above"])
    if options["compare"] == "usual":
        known = _usual(look, begin, row["key"])
        if known is None:
            return None
        limit = known.limit
    if value <= limit:
        return None
    said = f"{number(row['n'])} {kind.noun}" + (f" of {number(row['events'])} events" if kind.is_rate else "")
    whose = "" if options["per"] == "all" else f" of {options['per']} {row['key']}"
    share = f", {number(round(value, 1))} %," if kind.is_rate else ""
    reason = known.said() if known is not None else f"More than {number(limit)}{' %' * kind.is_rate} is told."
    span = f"between {begin:%H:%M} and {look.end:%H:%M} UTC on {look.end:%-d %b %Y}"
    return Finding(
        f"{options['per']}={row['key']}",
        f"{said}{whose}",
        f"{said}{share}{whose} {span}. {reason}",
        {
            "key": row["key"], "count": row["n"], "events": row["events"], "value": value, "limit": limit,
            **({"usual": known.median, "samples": list(known.samples)} if known else {}),
        },
    )  # fmt: skip


def _usual(look: Look, begin: datetime, key: str) -> Usual | None:
    """What is usual for a key at this time of the week; asked once for each window of the day."""
    kind = _COUNTED[look.rule.kind]
    length = timedelta(minutes=look.options["window_minutes"])
    # Windows begin at multiples of their length, so that what was asked serves until the next one.
    start = begin - (begin - datetime.min) % length
    place = (look.rule.name, repr(look.rule.options), start)
    if place not in look.usual:
        for old in [known for known in look.usual if known[0] == look.rule.name]:
            look.usual.pop(old, None)
        spans = windows(start, length, _oldest(look))
        look.usual[place] = [
            {row["key"]: _value(kind, row) for row in _counts(look, since, until, 1)} for since, until in spans
        ]
    samples = [counted.get(key, 0.0) for counted in look.usual[place]]
    return usual(samples, look.options["k"], is_rate=kind.is_rate)


def _value(kind: Counted, row: Mapping[str, Any]) -> float:
    return 100.0 * row["n"] / row["events"] if kind.is_rate and row["events"] else float(row["n"])


def _counts(look: Look, since: datetime, until: datetime, at_least: int) -> list[dict[str, Any]]:
    kind = _COUNTED[look.rule.kind]
    sql = _text("counts").format(key=kind.keys[look.options["per"]], counted=kind.counted, within=kind.within)
    params = {
        "since": since, "until": until, "at_least": at_least, "limit": KEYS_MAX, "failures": types_of("failed_logins"),
    }  # fmt: skip
    return [row for row in _ask(look, sql, params) if row["key"] is not None]


def _oldest(look: Look) -> datetime | None:
    (row,) = _ask(look, _text("oldest"), {})
    found: datetime | None = row["oldest"]
    return found


def events(look: Look) -> Found:
    """Events of some types that came in since the last look, each thing or person told once at a time."""
    rows, mark = _fresh(look, "TRUE")
    by_key: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_key.setdefault(_key_of(row, look.options["per"]), []).append(row)
    findings = []
    for key, same in by_key.items():
        last = same[-1]
        name = last["entity_name"] or last["entity_id"]
        of = f" of {last['entity_type']} {name}" if name else ""
        by = f" by {last['user']}" if last["user"] else ""
        said = f"{last['type']}{of}{by} at {last['last']:%Y-%m-%d %H:%M:%S} UTC."
        more = f" {len(same)} of them since the last look." if len(same) > 1 else ""
        description = f" {last['description'][:_TEXT_MAX]}" if last["description"] else ""
        findings.append(
            Finding(key, f"{last['type']}{of}", said + more + description, {"event": last["id"]}, len(same))
        )
    return Found(findings, mark)


def _key_of(row: Mapping[str, Any], per: str) -> str:
    if per == "event":
        return str(row["id"])
    told = {"user": row["user"], "entity": row["entity_id"] and f"{row['entity_type']}:{row['entity_id']}"}.get(per)
    return f"{row['type']} {told}" if told else str(row["type"])


def silent_nodes(look: Look) -> Found:
    """Nodes that are silent, until they are back: at the first look also those that fell silent before."""
    rows, mark = _fresh(look, "e.type IN ('node-silent', 'node-back')")
    wanted = look.options["nodes"]
    last: dict[str, dict[str, Any]] = {} if look.mark else _silent_before(look.directory)
    for row in sorted(rows, key=lambda row: row["last"]):
        last[row["entity_id"] or row["node"]] = row
    told = {node: row for node, row in last.items() if node and (not wanted or node in wanted)}
    findings = [
        Finding(
            node,
            f"Node {node} is silent",
            f"Nothing of node {node} arrives any more, noticed at {row['last']:%Y-%m-%d %H:%M} UTC.",
            {"node": node, "event": row["id"]} if row["id"] else {"node": node},
        )
        for node, row in told.items()
        if row["type"] == "node-silent"
    ]
    return Found(findings, mark, tuple(node for node, row in told.items() if row["type"] == "node-back"))


def _silent_before(directory: Directory) -> dict[str, dict[str, Any]]:
    silent = {one.node: one.silent_at for one in directory.nodes() if one.silent_at}
    return {node: {"type": "node-silent", "last": at, "id": None} for node, at in silent.items()}


def new_errors(look: Look) -> Found:
    """Groups of errors that nobody has seen before, and resolved ones that are back."""
    from whodid.analysis.error_report import find, state_of

    if "known" not in look.mark:
        return Found([], {"known": _known_groups(look)})
    rows, mark = _fresh(look, "is_error()")
    known: dict[str, None] = dict.fromkeys(look.mark["known"])
    findings = []
    for found in find(_Rows(rows), look.directory) if rows else []:
        state = state_of(found, look.at)
        is_new = found.group.id not in known
        known.pop(found.group.id, None)
        known[found.group.id] = None
        if (is_new and state == "open") or state == "back":
            findings.append(_error_finding(found, is_new))
    return Found(findings, {**mark, "known": list(known)[-KNOWN_MAX:]})


class _Rows:
    """Rows as `find` takes them."""

    def __init__(self, rows: list[dict[str, Any]]):
        self._rows = rows

    def to_pylist(self) -> list[dict[str, Any]]:
        return self._rows


def _error_finding(found: Any, is_new: bool) -> Finding:
    row = found.rows[0]
    where = "".join(f", {name} {row[name]}" for name in ("function", "project") if row[name])
    what = "A new error" if is_new else "A resolved error came back"
    return Finding(
        found.group.id if is_new else f"{found.group.id} back",
        f"{'New error' if is_new else 'Error is back'}: {found.group.title[:_TEXT_MAX]}",
        f"{what} at {row['last']:%Y-%m-%d %H:%M:%S} UTC{where}: {row['message'][:_TEXT_MAX]} {found.group.why}",
        {"group": found.group.id, "event": row["id"]},
        len(found.rows),
    )


def _known_groups(look: Look) -> list[str]:
    given: dict[str, Any] = {
        name: look.options[name] for name in ("projects", "users", "groups") if look.options.get(name)
    }
    answer = reports.run(
        look.store, "error-groups", directory=look.directory, timeout_ms=REPORT_MS_MAX,
        since=look.rule.since - BASELINE, until=look.rule.since, limit=KNOWN_MAX, **given,
    )  # fmt: skip
    return list(answer.table.column("group").to_pylist())


def fading(look: Look) -> Found:
    """People who do much less than they used to."""
    given = {"percent": look.options["percent"], "at_least": look.options["at_least"], "limit": KEYS_MAX}
    lists = {name: look.options[name] for name in ("users", "groups") if look.options[name]}
    answer = reports.run(
        look.store, "fading-users", directory=look.directory, timeout_ms=REPORT_MS_MAX, **given, **lists
    )
    findings = [
        Finding(
            row["person"],
            f"{row['person']} fades",
            f"{row['person']} did {number(round(row['per_week'], 1))} uses a week in the last 14 days; usual were "
            f"{number(round(row['usual_per_week'], 1))} in the 8 weeks before.",
            {"person": row["person"], "per_week": row["per_week"], "usual_per_week": row["usual_per_week"]},
        )
        for row in answer.table.to_pylist()
    ]
    return Found(findings, {})


_COMPARED: Final[dict[str, Callable[[float, float], bool]]] = {
    "above": lambda value, limit: value > limit,
    "below": lambda value, limit: value < limit,
    "equal": lambda value, limit: value == limit,
    "not-equal": lambda value, limit: value != limit,
}


def report(look: Look) -> Found:
    """Rows of a report whose column is beyond a number."""
    options = look.options
    chosen = reports.report(options["report"])
    standing = standing_of(look.directory, options["as_user"] or None)
    answer = reports.run(
        look.store, chosen.name, directory=look.directory, sight=standing.sight, timeout_ms=REPORT_MS_MAX,
        **options["parameters"],
    )  # fmt: skip
    names = [column.name for column in chosen.columns if column.type in ("text", "uuid", "local", "date")]
    column, compared = options["column"], _COMPARED[options["comparison"]]
    findings = []
    for row in answer.table.to_pylist():
        value = row[column]
        if value is None or not compared(float(value), float(options["value"])):
            continue
        # The row is told from others by its first name: the texts behind it may be of the moment.
        key = str(row[names[0]]) if names else "all"
        findings.append(
            Finding(
                key,
                f"{chosen.title}: {key}: {column} is {number(value)}",
                f"In “{chosen.title}” {column} of {key} is {number(value)}, which is {options['comparison']} "
                f"{number(options['value'])}.",
                {"report": chosen.name, "row": key, "column": column, "value": float(value)},
            )
        )
        if len(findings) >= KEYS_MAX:
            break
    return Found(findings, {})


def own_measure(look: Look) -> Found:
    """How this server stands."""
    name = look.options["measure"]
    value = _measure(look, name)
    if value is None or not _COMPARED[look.options["comparison"]](value, float(look.options["value"])):
        return Found([], {})
    said = f"{name} of whodid server {look.server[:12]} is {number(value)}"
    message = f"{said}, which is {look.options['comparison']} {number(look.options['value'])}."
    return Found([Finding(f"{name}@{look.server}", said, message, {"measure": name, "value": value})], {})


def _measure(look: Look, name: str) -> float | None:
    if name == "rejects":
        since = look.end - timedelta(minutes=look.options["window_minutes"])
        return float(_ask(look, _text("rejects"), {"since": since})[0]["n"])
    parts = look.standing()
    if name == "dead_letters":
        return float(sum(target["dead_letters"] for target in parts["targets"]))
    if name == "targets_waiting":
        return float(sum(target["waiting_events"] for target in parts["targets"]))
    part = "journal" if name in ("backlog_bytes", "disk_free_bytes") else "writer"
    found = parts[part].get(name)
    return None if found is None else float(found)


def _fresh(look: Look, within: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The events that the last look did not see, and the mark behind them: by receiver the last number."""
    seen: dict[str, int] = dict(look.mark.get("seen", {}))
    params: dict[str, Any] = {
        "since": look.end - LATE,
        "begun": look.rule.since.astimezone(UTC).replace(tzinfo=None),
        "limit": FRESH_MAX,
    }
    cases = []
    for place, (receiver, seq) in enumerate(sorted(seen.items())):
        params |= {f"receiver{place}": receiver, f"seq{place}": seq}
        cases.append(f"WHEN e.receiver = CAST($receiver{place} AS varchar) THEN e.seq > CAST($seq{place} AS bigint)")
    marks = " ".join(cases) or "WHEN FALSE THEN FALSE"
    rows = _ask(look, _text("fresh").format(within=within, marks=marks), params)
    for row in rows:
        seen[row["receiver"]] = max(seen.get(row["receiver"], 0), row["seq"])
    return rows, {"seen": seen}


def _ask(look: Look, sql: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a statement in the words of reports, narrowed to what the rule looks at."""
    from whodid.reports.words import statement

    names = ("users", "groups", "projects", "types")
    given = {name: look.options[name] for name in names if look.options.get(name)} if "chosen()" in sql else {}
    where, more = condition(given, look.store.kind, look.directory)
    whole = statement(sql, look.store.kind, where)
    asked = {name: value for name, value in {**params, **more}.items() if name in set(_SAID.findall(whole))}
    found = look.store.query(whole, asked, limit=FRESH_MAX, timeout_ms=QUERY_MS_MAX, trusted=True)
    return list(found.table.to_pylist())


@cache
def _text(name: str) -> str:
    return (files("whodid.alerts") / "sql" / f"{name}.sql").read_text("utf-8")


FINDERS: Final[dict[str, Callable[[Look], Found]]] = {
    "counts": counts, "events": events, "silent_nodes": silent_nodes, "new_errors": new_errors, "fading": fading,
    "report": report, "own_measure": own_measure,
}  # fmt: skip

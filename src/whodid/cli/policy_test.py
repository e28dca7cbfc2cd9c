"""`whodid policy test`: a draft tried on what was stored, a day at a time, so that long spans show how far they are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from cyclopts import Parameter

from whodid.amounts import counted, sized
from whodid.cli.options import ANYWHERE, AS_SUITS, Output, Place
from whodid.cli.policy_fields import PlaceOptions, RuleOptions
from whodid.errors import WhodidError

_RULE = RuleOptions()
_ORDER = PlaceOptions()
_SLICE = timedelta(days=1)
_TYPES_SHOWN = 15
_COLUMNS = ("rule", "what", "name", "events", "bytes", "of_events")


def test_draft(
    name: Annotated[str | None, Parameter(help="Try this rule, changed by the options; a draft counts as applied.")] = (
        None
    ),
    *,
    since: Annotated[str, Parameter(help="Events from this time on: 7d, 24h, 2026-11-01.")] = "7d",
    until: Annotated[str | None, Parameter(help="Events before this time.")] = None,
    rule: RuleOptions = _RULE,
    order: PlaceOptions = _ORDER,
    place: Place = ANYWHERE,
    output: Output = AS_SUITS,
) -> None:
    """Show what a draft would have dropped and hidden of the stored events; nothing is changed.

    With options the draft is a rule of these among the others; without, the rules are tried as they are.
    """
    from whodid.cli.backend import backend_of

    body = {"which": name, **rule.fields(), **order.fields()}
    with backend_of(place) as backend:
        total: dict[str, Any] = {}
        with _progress() as moved:
            slices = list(_slices(since, until))
            for number, (begin, end) in enumerate(slices, 1):
                span = {"since": begin.isoformat(), "until": end.isoformat()}
                _add(total, backend.ask("POST", "policies", "test", body=body | span))
                moved(number, len(slices), total["events"])
    _show(total, output)


def _slices(since: str, until: str | None) -> Iterator[tuple[datetime, datetime]]:
    from whodid.reading.times import instant

    now = datetime.now(UTC)
    begin = instant(since, name="--since", now=now)
    last = instant(until, name="--until", now=now) if until else now.replace(tzinfo=None)
    if begin >= last:
        raise WhodidError(
            "invalid",
            f"--since ({begin:%Y-%m-%d %H:%M:%S}) does not lie before --until ({last:%Y-%m-%d %H:%M:%S}).",
            "Give a --since that does: --since 14d --until 7d",
        )
    while begin < last:
        end = min(begin + _SLICE, last)
        yield begin, end
        begin = end


def _add(total: dict[str, Any], more: dict[str, Any]) -> None:
    """Add what one span told to what others did."""
    if not total:
        total |= more
        return
    total["until"] = more["until"]
    for name in ("events", "bytes", "dropped_events", "dropped_bytes"):
        total[name] += more[name]
    for told, also in zip(total["rules"], more["rules"], strict=True):
        for name in ("matched", "matched_bytes", "events", "bytes"):
            told[name] += also[name]
        for part, key in (("types", "type"), ("parameters", "name")):
            told[part] = _joined(told[part], also[part], key)


def _joined(ones: list[dict[str, Any]], others: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    found = {one[key]: dict(one) for one in ones}
    for other in others:
        one = found.setdefault(other[key], {**other, **{n: 0 for n, v in other.items() if isinstance(v, int)}})
        for name, value in other.items():
            if isinstance(value, int):
                one[name] += value
    return sorted(found.values(), key=lambda one: -int(one["events"]))


@contextmanager
def _progress() -> Iterator[Any]:
    """Tells how far it is, on a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, of, events: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("days"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[events]:,} events"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, events=0)
        yield lambda done, of, events: bar.update(task, completed=done, total=of, events=events)


def _show(total: dict[str, Any], output: Output) -> None:
    from whodid.cli.answer import show_one, show_rows

    if output.format() == "json":
        show_one(total, output)
    elif output.format() != "table" or output.to is not None:
        show_rows(list(_rows(total)), output, columns=_COLUMNS)
    else:
        print("\n".join(_lines(total)))


def _rows(total: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for rule in total["rules"]:
        all_of_it = {"name": None, "events": rule["events"], "bytes": rule["bytes"], "of_events": rule["matched"]}
        yield {"rule": rule["name"], "what": "dropped", **all_of_it}
        for one in rule["types"]:
            counts = {name: one[name] for name in ("events", "bytes", "of_events")}
            yield {"rule": rule["name"], "what": "dropped type", "name": one["type"], **counts}
        for one in rule["parameters"]:
            counts = {"events": one["events"], "bytes": None, "of_events": None}
            yield {"rule": rule["name"], "what": one["how"], "name": one["name"], **counts}


def _lines(total: dict[str, Any]) -> Iterator[str]:
    from whodid.reading.printable import printable

    yield f"{total['since'][:16].replace('T', ' ')} to {total['until'][:16].replace('T', ' ')} UTC"
    yield f"{_counted(total['events'], total['bytes'])} are stored; {_part(total['dropped_events'], total['events'])}"
    for rule in total["rules"]:
        yield ""
        matched = _counted(rule["matched"], rule["matched_bytes"])
        dropped = _counted(rule["events"], rule["bytes"])
        yield f"{printable(rule['name'])}: means {matched}, would have dropped {dropped}"
        for one in rule["types"][:_TYPES_SHOWN]:
            of = "" if one["of_events"] == one["events"] else f" of {one['of_events']:,}"
            yield f"  drops     {printable(one['type'])}: {one['events']:,}{of} events, {sized(one['bytes'])}"
        if len(rule["types"]) > _TYPES_SHOWN:
            yield f"            and {len(rule['types']) - _TYPES_SHOWN:,} other types: --output csv lists them"
        for one in rule["parameters"]:
            yield f"  {one['how'].replace('_', ' '):<9} {printable(one['name'])} of {one['events']:,} events"


def _part(part: int, whole: int) -> str:
    share = 100 * part / whole if whole else 0.0
    return f"{part:,} of them ({share:.1f} %) would have been dropped."


def _counted(events: int, size_bytes: int) -> str:
    return f"{counted(events, 'event')} ({sized(size_bytes)})"

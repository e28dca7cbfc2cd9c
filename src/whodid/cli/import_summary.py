"""The summary of an import, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from whodid.amounts import counted
from whodid.datasets.sources import Problem
from whodid.datasets.summary import FileDone, Summary
from whodid.reading.printable import printable


def print_summary(summary: Summary, problems: Sequence[Problem], output: str) -> None:
    """Print a summary on standard output; paths that led nowhere are part of it."""
    if output == "json":
        as_dict = msgspec.to_builtins(summary) | {"problems": [problem._asdict() for problem in problems]}
        print(msgspec.json.encode(as_dict).decode())
    else:
        print("\n".join(printable(line) for line in _lines(summary, problems)))


def _lines(summary: Summary, problems: Sequence[Problem]) -> Iterator[str]:
    read = [file for file in summary.files if file.outcome in ("read", "continued")]
    rate = summary.events / summary.seconds if summary.seconds else 0.0
    taken = f"{counted(summary.events, 'event')} from {counted(len(read), 'file')}"
    became = f"{summary.stored:,} new, {summary.duplicates:,} were known."
    if not summary.new_are_told:
        took = summary.stored + summary.duplicates
        has = "has them" if took == summary.events else f"took {took:,} of them"
        became = f"the server {has}, and stores none twice."
    yield f"{taken} in {summary.seconds:.1f} s ({rate:,.0f}/s): {became}"
    yield from _left_out(summary)
    yield from _topics(summary)
    yield from _span(summary)
    yield from _rejects(summary)
    skipped = sum(file.outcome == "skipped" for file in summary.files)
    if skipped:
        yield f"{counted(skipped, 'file')} had been read before (--again reads them anyway)."
    for file in summary.files:
        if file.outcome == "failed":
            yield _failed(file)
    for problem in problems:
        yield f"Not read: {problem.name}: {problem.message}"


def _failed(file: FileDone) -> str:
    what = "Not read to its end" if file.events or file.rejected else "Not read"
    return f"{what}: {file.told}"


def _left_out(summary: Summary) -> Iterator[str]:
    """What a server did not take in of the events that were read."""
    for reason, count in summary.refused.items():
        yield f"{counted(count, 'event')} refused by the server, and kept as rejected there: {reason}"
    if summary.filtered:
        yield f"{counted(summary.filtered, 'event')} left out by the server's policy."


def _topics(summary: Summary) -> Iterator[str]:
    for topic, count in summary.topics.items():
        yield f"  {count:>14,}  {topic}"


def _span(summary: Summary) -> Iterator[str]:
    if summary.oldest is None or summary.newest is None:
        return
    yield f"From {_time(summary.oldest)} to {_time(summary.newest)} UTC."
    if summary.gaps_total:
        yield f"{counted(summary.gaps_total, 'gap')} without events:"
        for gap in summary.gaps:
            yield f"  {_time(gap.since)} to {_time(gap.until)}  ({_length(gap.length)})"
        if summary.gaps_total > len(summary.gaps):
            yield f"  and {summary.gaps_total - len(summary.gaps):,} shorter ones."


def _rejects(summary: Summary) -> Iterator[str]:
    if not summary.rejected:
        return
    kept = "kept with their reasons (whodid replay --list)" if summary.rejects_kept else "not kept by this server"
    yield f"{summary.rejected:,} rejected, {kept}:"
    for reject in summary.rejects:
        yield f"  {reject.file}:{reject.line}: {reject.code}: {reject.message}"
    if summary.rejected > len(summary.rejects):
        yield f"  and {summary.rejected - len(summary.rejects):,} more."


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"


def _length(length: timedelta) -> str:
    hours = length // timedelta(hours=1)
    days, rest = divmod(hours, 24)
    return " ".join([*([f"{days} d"] if days else []), *([f"{rest} h"] if rest or not days else [])])

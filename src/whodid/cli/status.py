"""`whodid status`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from whodid.amounts import sized
from whodid.cli.options import ANYWHERE, Place, verb

app = verb(
    "status",
    """  whodid status
  whodid status --watch
  whodid status --output json | jq .writer.lag_seconds""",
)
_WATCH_EVERY_S = 2.0
MEMORY_SHOWN = 3


@app.default
def status(
    *,
    watch: Annotated[bool, Parameter(help="Show it again every two seconds, until Ctrl-C.")] = False,
    output: Annotated[Literal["text", "json"], Parameter(alias="-o", help="How it is written.")] = "text",
    place: Place = ANYWHERE,
) -> None:
    """How it stands: journal, store, lag, rejects, disk, keys."""
    import msgspec

    from whodid.cli.backend import backend_of

    with backend_of(place) as backend:
        while True:
            told = backend.ask("GET", "status")
            if output == "json":
                print(msgspec.json.encode(told).decode())
            else:
                if watch and sys.stdout.isatty():
                    sys.stdout.write("\x1b[H\x1b[2J")
                print("\n".join(f"{name:<11}{text}" for name, text in _lines(told)))
            if not watch:
                return
            sys.stdout.flush()
            time.sleep(_WATCH_EVERY_S)


def _lines(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    from whodid.reading.printable import printable

    journal, writer, events = told["journal"], told["writer"], told["events"]
    yield "whodid", f"{told['version']}, {'ready' if told['ready'] else 'not ready'}"
    if events is None:
        yield "store", f"{told['store']} does not answer: {printable(told['store_error'] or 'unknown')}"
    else:
        size = sized(events["size_bytes"])
        yield "store", f"{told['store']}: {events['events']:,} events, {events['rejects']:,} rejected, {size}"
        if held := events.get("memory_bytes"):
            most = sorted(held.items(), key=lambda part: -part[1])[:MEMORY_SHOWN]
            parts = ", ".join(f"{name.replace('_', ' ')} {sized(size)}" for name, size in most)
            yield "memory", f"{sized(sum(held.values()))} in the engine: {parts}"
        if events["oldest"]:
            yield "span", f"{_time(events['oldest'])} to {_time(events['newest'])} UTC"
    yield (
        "lag",
        f"{writer['lag_batches']:,} batches, {sized(writer['lag_bytes'])}, {writer['lag_seconds']:.1f} s; "
        f"storing {writer['rate']:,.0f} events/s",
    )
    if writer["last_error"]:
        yield "", f"last error: {printable(writer['last_error'])}"
    yield from _kafka(journal) if "partitions" in journal else _disk(journal)
    yield (
        "backlog",
        f"{sized(journal['backlog_bytes'])} of {sized(journal['backlog_bytes_max'])}; "
        f"taking in {journal['events_per_second']:,.0f} events/s, commit {journal['commit_mean_ms']:.1f} ms",
    )
    if journal["refusal"]:
        yield "", f"takes nothing: {printable(journal['refusal'])}"
    if policy := told.get("policy"):
        filtered = policy["filtered"]
        captures = f"; {policy['captures']:,} captures run" if policy["captures"] else ""
        yield (
            "policy",
            f"{policy['rules_applied']:,} rules; left out {filtered['events']:,} events, "
            f"{sized(filtered['bytes'])}{captures}",
        )
    yield "disk", f"{sized(journal['disk_free_bytes'])} free, {sized(journal['disk_free_bytes_min'])} kept in reserve"
    if told["targets"]:
        kept = told["dispatch"]
        line = f"{sized(kept['kept_bytes'])} of {sized(kept['kept_bytes_max'])} of journal kept for them"
        if kept["given_up_events"]:
            line += f"; {kept['given_up_events']:,} events have to be read from the store"
        yield "targets", printable(f"{line}; {kept['last_error']}" if kept["last_error"] else line)
    for target in told["targets"] or ():
        yield "target", printable(_target(target))
    if nodes := told.get("nodes"):
        silent = f"; silent: {printable(', '.join(nodes['silent']))}" if nodes["silent"] else ""
        yield "nodes", f"{nodes['nodes']:,}{silent}"
    receivers = told.get("receivers") or ()
    for one in receivers if len(receivers) > 1 else ():
        yield "receiver", printable(_receiver(one, own=journal["receiver"]))
    for problem in told.get("problems", ()):
        yield "problem", printable(problem)
    if unknown := told.get("unknown"):
        yield "unknown", printable(f"{', '.join(unknown)} did not answer")
    for gap in told.get("missing", ()):
        yield "missing", printable(f"{gap['message']} Found {_time(gap['found_at'])} UTC.")
    if told.get("missing"):
        yield "", "import what that store has, or put it back: docs/retention.md"
    for item in journal["quarantine"]:
        what = f"{sized(item['size_bytes'])} of segment {item['segment']:,}, from byte {item['offset_bytes']:,} on"
        yield "damaged", printable(f"{what}; put aside in {item['path']}")


def _disk(journal: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield (
        "journal",
        f"receiver {journal['receiver']}, next number {journal['seq_next']:,}, "
        f"segment {journal['segment_open'] or journal['segment_sealed']:,}, stored to {journal['released']:,}",
    )


def _kafka(journal: dict[str, Any]) -> Iterator[tuple[str, str]]:
    from whodid.reading.printable import printable

    partitions = journal["partitions"]
    here = [str(one["partition"]) for one in partitions if one["here"]]
    role = (
        f"stores {', '.join(here) or 'none'} of {len(partitions)} partitions" if journal["writer"] else "receives only"
    )
    yield "journal", f"Kafka topic {journal['topic']} ({journal['topic_id']}) of cluster {journal['cluster']}; {role}"
    yield "records", f"{journal['lag_records']:,} wait; {journal['poisoned']:,} poisoned, {journal['lost']:,} lost"
    for one in partitions:
        if one["lag"] or one["in_sync"] < one["replicas"]:
            yield (
                "",
                f"partition {one['partition']}: stored {one['stored']:,} of {one['end']:,}, "
                f"{one['lag_seconds']:.0f} s without progress; {one['in_sync']} of {one['replicas']} brokers in sync",
            )
    for warning in journal["warnings"]:
        yield "warning", printable(warning)


def _target(target: dict[str, Any]) -> str:
    line = (
        f"{target['name']} ({target['kind']}): {target['state']}, {target['waiting_events']:,} waiting, "
        f"{target['sent']:,} sent, {target['rate']:,.0f} events/s"
    )
    if target["dead_letters"]:
        line += f", {target['dead_letters']:,} dead letters"
    if target["lost"]:
        line += f", {target['lost']:,} lost"
    trouble = target["reason"] or target["last_error"]
    return f"{line}; {trouble}" if trouble else line


def _receiver(one: dict[str, Any], *, own: str) -> str:
    standing = one["standing"]
    line = f"{one['name']} {one['address']}, {one['version']}: {one['state']}"
    if one["receiver"] == own:
        line += " (this one)"
    if one["state"] in ("serving", "draining"):
        lag_s, rate = standing["lag_seconds"] or 0.0, standing["events_per_second"] or 0.0
        line += f", lag {lag_s:.1f} s, taking in {rate:,.0f} events/s"
        if not standing["ready"]:
            line += ", not ready"
    else:
        line += f", seen {one['seen_s_ago']:,.0f} s ago"
    if one["state"] == "lost":
        if one["lost_events"]:
            line += f"; {one['lost_events']:,} events lost, numbers {one['lost_first']:,} to {one['lost_last']:,}"
        else:
            line += "; nothing that is known of was lost"
    elif one["state"] in ("silent", "stopped") and one["unsettled_events"]:
        line += f"; up to {one['unsettled_events']:,} events wait in its journal"
    if one["clock_off"]:
        line += f"; its clock is off by {one['clock_ahead_ms'] / 1_000:,.1f} s"
    return line


def _time(text: str) -> str:
    return text[:16].replace("T", " ")

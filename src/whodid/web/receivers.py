"""Receivers over HTTP and in metrics: which servers share the store, how each stands, what was lost with one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from litestar import Response

from whodid.directory.receivers import Receiver
from whodid.web.answers import json_answer, label_text
from whodid.web.requests import Req, caller_of, name_of, one, query_of, segments, services_of
from whodid.web.services import Services

CLOCK_OFF_MS: Final = 5_000

# Metric, kind, where its value is found in what is shown, help; one value for each receiver that has it.
METRICS: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("whodid_receiver_silent", "gauge", "is_silent", "1 for a receiver that is missed."),
    ("whodid_receiver_ready", "gauge", "is_ready", "1 for a receiver that said it was ready."),
    ("whodid_receiver_last_seen_seconds", "gauge", "seen_s_ago", "Time since a receiver's last sign of life."),
    ("whodid_receiver_clock_ahead_seconds", "gauge", "clock_ahead_s", "A receiver's clock against the database's."),
    ("whodid_receiver_lag_seconds", "gauge", "lag_seconds", "How far the store is behind a receiver's journal."),
    ("whodid_receiver_disk_free_bytes", "gauge", "disk_free_bytes", "Free disk beside a receiver's journal."),
    ("whodid_receiver_lost_events", "gauge", "lost_events", "Events a receiver acknowledged and lost with its disk."),
)


async def list_receivers(request: Req) -> Response[bytes]:
    """The servers that share the store; with `retired=true` those that were retired, too."""
    services = services_of(request)
    retired = one(query_of(request, ["retired"]), "retired", "false") == "true"
    found = await services.call(services.directory.receivers, retired=retired)
    return json_answer({"receivers": [shown(receiver) for receiver in found]})


async def show_receiver(request: Req) -> Response[bytes]:
    """One receiver, by its id or its name."""
    query_of(request, [])
    services = services_of(request)
    return json_answer(shown(await services.call(services.directory.receiver, segments(request)[2])))


async def retire_receiver(request: Req) -> Response[bytes]:
    """Wait for a receiver no more: what it acknowledged and never stored is written down as lost."""
    services, which = services_of(request), segments(request)[2]
    return json_answer(shown(await services.call(services.presence.retire, which, by=name_of(caller_of(request)))))


def shown(receiver: Receiver) -> dict[str, Any]:
    """A receiver as plain values, with what follows from them."""
    told: dict[str, Any] = msgspec.to_builtins(receiver)
    ahead_ms = receiver.clock_ahead_ms
    told["state"] = receiver.now_is
    told["said"] = receiver.state
    told["lost_events"] = receiver.lost_events
    told["unsettled_events"] = receiver.acknowledged - receiver.settled if receiver.journal == "disk" else 0
    told["clock_off"] = ahead_ms is not None and abs(ahead_ms) > CLOCK_OFF_MS
    told["seen_s_ago"] = round(receiver.seen_s_ago, 1)
    return told


def receivers_standing(services: Services) -> list[dict[str, Any]]:
    """All receivers but the retired ones. Blocks; raises as the directory does."""
    return [shown(receiver) for receiver in services.directory.receivers()]


def problems_of_receivers(receivers: Iterable[dict[str, Any]], own: str) -> list[str]:
    """What somebody should look at, in plain words; of the receiver `own` only its clock."""
    found: list[str] = []
    for receiver in receivers:
        name = receiver["name"]
        if receiver["state"] == "silent":
            waiting = receiver["unsettled_events"]
            held = f" Up to {waiting:,} events may wait in its journal." if waiting else ""
            found.append(f"The receiver {name} is silent for {receiver['seen_s_ago']:,.0f} s.{held}")
        if receiver["state"] == "lost":
            found += _losses(receiver)
        if receiver["state"] in ("serving", "draining") and receiver["receiver"] != own:
            found += [f"The receiver {name}: {problem}" for problem in receiver["standing"].get("problems", ())]
        if receiver["clock_off"]:
            found.append(f"The clock of the receiver {name} is off by {receiver['clock_ahead_ms'] / 1_000:,.1f} s.")
    return found


def _losses(lost: dict[str, Any]) -> Iterator[str]:
    """What is gone with a receiver's disk: events that were not stored, and places of targets."""
    name = lost["name"]
    if lost["lost_events"]:
        yield (
            f"The journal of the receiver {name} is gone, and with it {lost['lost_events']:,} events that it had "
            f"acknowledged: numbers {lost['lost_first']:,} to {lost['lost_last']:,}, and what came after its last "
            f"sign of life at {lost['last_seen'][:19].replace('T', ' ')} UTC."
        )
    for target in lost["standing"].get("targets", ()):
        if target["waiting_events"]:
            yield (
                f"Up to {target['waiting_events']:,} stored events of the receiver {name} did not reach the target "
                f"{target['name']}, and no other receiver sends them."
            )


def receiver_metrics(receivers: list[dict[str, Any]]) -> list[str]:
    """The lines for Prometheus."""
    lines = []
    for name, kind, field, help_text in METRICS if receivers else ():
        lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"]
        for receiver in receivers:
            if (value := _value(receiver, field)) is not None:
                labels = f'receiver="{receiver["receiver"]}",name="{label_text(receiver["name"])}"'
                lines.append(f"{name}{{{labels}}} {value}")
    return lines


def _value(receiver: dict[str, Any], field: str) -> float | int | None:
    if field == "is_silent":
        return int(receiver["state"] == "silent")
    if field == "is_ready":
        return int(receiver["state"] == "serving" and bool(receiver["standing"].get("ready")))
    if field == "clock_ahead_s":
        return None if receiver["clock_ahead_ms"] is None else receiver["clock_ahead_ms"] / 1_000
    value: float | int | None = receiver.get(field, receiver["standing"].get(field))
    return value

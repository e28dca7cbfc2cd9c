"""The page of how the server stands: what is wrong in plain words first, then its parts one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

import msgspec
from litestar import Response

from whodid import __version__
from whodid.amounts import counted
from whodid.reading import read
from whodid.reading.output import rows as rows_of
from whodid.receive.asking import Answers
from whodid.stores.base import Result, StoreStats
from whodid.web import replaying, words
from whodid.web.pages import frame
from whodid.web.pages.blocks import Block, Button, Doing, Facts, Item, Table, Text
from whodid.web.pages.settings.common import asked, by, moment_item, segment, sent, show, to
from whodid.web.receivers import problems_of_receivers
from whodid.web.requests import Req, services_of
from whodid.web.services import Services
from whodid.web.status import known, parts_of, problems_of

HERE: Final = "/settings/status"
LAG_S_NOTED: Final = 30.0
DISK_SHARE_NOTED: Final = 2.0
REJECTS_SHOWN: Final = 20
# Of what was rejected, so many characters are shown.
RAW_MAX: Final = 120


async def status(request: Req) -> Response[bytes]:
    """How the server stands."""
    asked(request)
    services, zone = services_of(request), frame.zone(request)
    store = services.store
    parts = await parts_of(
        services,
        events=store.stats,
        missing=partial(read.missing, store),
        rejects=partial(read.rejects, store, limit=REJECTS_SHOWN),
    )
    stats: StoreStats | None = known(parts["events"])
    receivers = known(parts["receivers"], [])
    wrong = [*problems_of(services, parts), *_unheard(parts), *_wrong(parts), *_missing(known(parts["missing"]), zone)]
    wrong += problems_of_receivers(receivers, services.presence.receiver)
    if wrong:
        head = Text(list(dict.fromkeys(wrong)), "What is wrong", "bad")
    else:
        head = Text(["Everything that is sent is taken, stored and can be found."], "All is well", "good")
    blocks: list[Block] = [head, _taking(parts), _storing(services, parts, stats, zone)]
    blocks += [] if known(parts["targets"]) is None else [_targets(parts["targets"])]
    blocks += [_receivers(receivers)] if len(receivers) > 1 else []
    blocks += [] if known(parts["nodes"]) is None else [_nodes(request, parts["nodes"])]
    blocks += _rejects(request, known(parts["rejects"]))
    buttons = [
        Button("Read again", HERE),
        Button("What came in", "/nodes"),
        Button("As JSON", "/v1/status"),
        Button("For Prometheus", "/metrics"),
    ]
    return show(request, "Status", blocks, buttons=buttons, lead=f"whodid {__version__} on {services.store.kind}.")


async def retire_node(request: Req) -> Response[bytes]:
    """Miss a node no more."""
    given, services = await sent(request), services_of(request)
    await services.call(services.directory.retire_node, given.get("node", ""), by=by(request))
    return to(HERE, f"{given.get('node', '')} is missed no more, until it sends again.")


async def replay_rejects(request: Req) -> Response[bytes]:
    """Take in again what was rejected and can be read today."""
    await sent(request)
    done = await replaying.replayed(request, replaying.Replay())
    told = msgspec.to_builtins(done)
    return to(
        HERE, ", ".join(f"{name.replace('_', ' ')}: {value:,}" for name, value in told.items() if type(value) is int)
    )


def _missing(answer: Result | None, zone: str) -> list[str]:
    """What the store was found to lack lately."""
    return [
        f"{gap['message']} Found {words.moment(datetime.fromisoformat(gap['found_at']), zone)}."
        " Import what that store or a target has, or put that store back."
        for gap in (rows_of(answer.table) if answer is not None else ())
    ]


def _unheard(parts: Answers) -> Iterator[str]:
    """What this page cannot show now."""
    shown = {"policy": "the policy", "nodes": "nodes", "receivers": "receivers", "targets": "targets"}
    if unheard := [name for part, name in shown.items() if known(parts[part]) is None]:
        yield f"Not known at the moment: {', '.join(unheard)}."


def _wrong(parts: Answers) -> Iterator[str]:
    """What somebody should look at, in plain words."""
    journal, writer = parts["journal"], parts["writer"]
    if known(parts["events"]) is None:
        yield f"The store does not answer: {parts['events'].message} What arrives waits in the journal meanwhile."
    if writer["last_error"]:
        yield f"The store refuses what is written: {writer['last_error']} It is tried again."
    elif writer["lag_seconds"] > LAG_S_NOTED:
        yield (
            f"The store is {words.duration(writer['lag_seconds'] * 1_000)} behind:"
            f" {words.size(writer['lag_bytes'])} wait. Nothing is lost; pages lack the latest events."
        )
    if writer["poisoned"]:
        batches = counted(writer["poisoned"], "batch", "batches")
        yield f"{batches} could not be stored; they are kept in the journal's folder."
    if journal["disk_free_bytes"] < DISK_SHARE_NOTED * journal["disk_free_bytes_min"]:
        yield (
            f"The disk is nearly full: {words.size(journal['disk_free_bytes'])} are free, below"
            f" {words.size(journal['disk_free_bytes_min'])} no more events are taken."
        )
    if journal["quarantine"]:
        pieces = counted(len(journal["quarantine"]), "damaged piece")
        yield f"{pieces} of the journal are put aside; look into its folder."
    if journal.get("poisoned"):
        records = counted(journal["poisoned"], "record")
        yield f"{records} of the topic were no frames; they are with the rejections below."
    if journal.get("lost"):
        yield f"{counted(journal['lost'], 'record')} of the topic were deleted before they were stored: they are lost."
    yield from journal.get("warnings", ())
    for target in known(parts["targets"], []):
        if target["reason"]:
            yield f"The target {target['name']} is paused: {target['reason']}"
        elif target["state"] in ("backing-off", "hung", "stopped"):
            why = target["last_error"] or target["state"]
            yield f"The target {target['name']} does not get through ({why}); it tries again."
        if target["dead_letters"]:
            letters = counted(target["dead_letters"], "event")
            yield f"The target {target['name']} refused {letters} for good: see its dead letters."
    for node in known(parts["nodes"], []):
        if node["state"] == "silent":
            yield f"The node {node['node']} is silent for {words.duration(node['last_seen_s_ago'] * 1_000)}."
        if node["clock_off"]:
            yield f"The clock of {node['node']} is off by {words.duration(abs(node['clock_ahead_ms']))}."


def _taking(parts: Mapping[str, Any]) -> Facts:
    journal = parts["journal"]
    return Facts(
        [
            (
                "Takes events",
                f"no: {journal['refusal']}" if journal["refusal"] else "yes",
                "bad" if journal["refusal"] else "good",
            ),
            ("Since the start", f"{counted(journal['events'], 'event')}, {words.size(journal['bytes'])}", ""),
            ("Lately", f"{words.count(round(journal['events_per_second'], 1))} events a second", ""),
            ("Made durable in", words.duration(journal["commit_mean_ms"]), ""),
            (
                "Waits for the store",
                f"{words.size(journal['backlog_bytes'])} of {words.size(journal['backlog_bytes_max'])}",
                "",
            ),
            ("Free disk", words.size(journal["disk_free_bytes"]), ""),
        ],
        "Journal",
    )


def _storing(services: Services, parts: Mapping[str, Any], stats: StoreStats | None, zone: str) -> Facts:
    writer = parts["writer"]
    behind = "nothing" if not writer["lag_batches"] else words.duration(writer["lag_seconds"] * 1_000)
    rows = [
        ("Engine", services.store.kind, ""),
        ("Behind the journal", behind, "warning" if writer["lag_seconds"] > LAG_S_NOTED else ""),
        (
            "Stored since the start",
            f"{counted(writer['stored'], 'event')}, {counted(writer['duplicates'], 'repetition')}",
            "",
        ),
    ]
    if stats is not None:
        span = (
            f"{words.moment(stats.oldest, zone)} to {words.moment(stats.newest, zone)}" if stats.oldest else "none yet"
        )
        rows += [
            ("Events", words.count(stats.events), ""),
            ("On disk", words.size(stats.size_bytes), ""),
            ("From, to", span, ""),
        ]
    return Facts(rows, "Store")


def _targets(targets: list[dict[str, Any]]) -> Table:
    rows = [
        [
            Item(one["name"], f"/settings/targets/{segment(one['name'])}"),
            Item(one["state"]),
            Item(words.count(one["waiting_events"]), kind="number"),
            Item(words.count(one["dead_letters"]), kind="number"),
            Item(one["reason"] or one["last_error"] or ""),
        ]
        for one in targets
    ]
    return Table("Targets", ("Target", "State", "#Waiting", "#Dead letters", "Last error"), rows, "None.")


def _nodes(request: Req, nodes: list[dict[str, Any]]) -> Table:
    tags = {"silent": "bad", "sending": "good"}
    rows = [
        [
            Item(one["node"], f"/nodes/{segment(one['node'])}"),
            Item(one["node_type"] or ""),
            Item(one["state"], tag=tags.get(one["state"], "")),
            Item(words.count(one["events"]), kind="number"),
            Item(f"{words.duration(one['last_seen_s_ago'] * 1_000)} ago", kind="time"),
            Item(buttons=[Button("Retire", f"{HERE}/retire", True, fields={"node": one["node"]},
                                 label=f"Retire {one['node']}")]),
        ]
        for one in nodes
    ]  # fmt: skip
    return Table("Nodes that send", ("Node", "Type", "State", "#Events", "Last seen", ""), rows, "None has sent yet.")


def _receivers(receivers: list[dict[str, Any]]) -> Table:
    tags = {"silent": "bad", "lost": "bad", "serving": "good", "draining": "warning"}
    rows = [
        [
            Item(one["name"]),
            Item(one["address"]),
            Item(one["version"]),
            Item(one["state"], tag=tags.get(one["state"], "")),
            Item(words.duration((one["standing"].get("lag_seconds") or 0.0) * 1_000), kind="number"),
            Item(words.count(one["lost_events"]), kind="number"),
            Item(f"{words.duration(one['seen_s_ago'] * 1_000)} ago", kind="time"),
        ]
        for one in receivers
    ]
    head = ("Receiver", "Address", "Version", "State", "#Behind", "#Lost events", "Last seen")
    return Table("Receivers", head, rows, "None.", "Each has its own journal; all share this store.")


def _short(raw: str) -> str:
    return raw if len(raw) <= RAW_MAX else f"{raw[: RAW_MAX - 1]}…"


def _rejects(request: Req, answer: Result | None) -> list[Block]:
    if answer is None:
        return []
    found = rows_of(answer.table)
    rows = [
        [
            Item(str(one["code"])),
            Item(str(one["message"])),
            Item(_short(str(one["raw"] or ""))),
            moment_item(datetime.fromisoformat(one["received_at"]), request),
        ]
        for one in found
    ]
    note = f"The latest {len(rows)}; all are at /v1/rejects." if answer.truncated else ""
    table = Table(
        "Rejected, and kept with the reason", ("Code", "Why", "What", "When"), rows, "Nothing was rejected.", note
    )
    if not rows:
        return [table]
    return [table, Doing([Button("Take in again what can be read by now", f"{HERE}/replay", True)])]

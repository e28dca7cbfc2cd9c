"""Nodes over HTTP and in metrics: who sends, since when, how many, whose clock is off, who fell silent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from litestar import Response

from whodid.directory.nodes import Node
from whodid.web.answers import json_answer, label_text
from whodid.web.requests import Req, caller_of, name_of, one, query_of, segments, services_of
from whodid.web.services import Services

CLOCK_OFF_MS: Final = 60_000
# Metric, kind, field of `shown`, help; one value for each node that has it.
METRICS: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("whodid_node_events_total", "counter", "events", "Events that arrived from a node."),
    ("whodid_node_last_seen_seconds", "gauge", "last_seen_s_ago", "Time since anything of a node arrived."),
    ("whodid_node_silent", "gauge", "silent", "1 for a node that fell silent."),
    ("whodid_node_clock_ahead_seconds", "gauge", "clock_ahead_s", "A node's clock against this server's."),
    ("whodid_node_waiting_events", "gauge", "waiting_events", "Events that the agent of a node still holds."),
)


async def list_nodes(request: Req) -> Response[bytes]:
    """The nodes; with `retired=true` those that were retired, too."""
    services = services_of(request)
    retired = one(query_of(request, ["retired"]), "retired", "false") == "true"
    nodes = await services.call(services.directory.nodes, retired=retired)
    return json_answer({"nodes": [shown(node) for node in nodes]})


async def show_node(request: Req) -> Response[bytes]:
    """One node."""
    query_of(request, [])
    services = services_of(request)
    return json_answer(shown(await services.call(services.directory.node, segments(request)[2])))


async def retire_node(request: Req) -> Response[bytes]:
    """A node is missed no more; its events stay, and it is back when it sends again."""
    services, name = services_of(request), segments(request)[2]
    node = await services.call(services.directory.retire_node, name, by=name_of(caller_of(request)))
    return json_answer(shown(node))


def shown(node: Node) -> dict[str, Any]:
    """A node as plain values, with what follows from them."""
    told: dict[str, Any] = msgspec.to_builtins(node)
    ahead_ms = node.clock_ahead_ms
    told["state"] = node.state
    told["has_agent"] = node.heartbeat_at is not None
    told["clock_off"] = ahead_ms is not None and abs(ahead_ms) > CLOCK_OFF_MS
    told["last_seen_s_ago"] = round(max(0.0, (datetime.now(UTC) - node.last_seen).total_seconds()), 1)
    return told


def nodes_standing(services: Services) -> list[dict[str, Any]]:
    """All nodes but the retired ones. Blocks; raises as the directory does."""
    return [shown(node) for node in services.directory.nodes()]


def summed(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    """How the nodes stand, in short."""
    return {
        "nodes": len(nodes),
        "silent": [node["node"] for node in nodes if node["state"] == "silent"],
        "clock_off": [node["node"] for node in nodes if node["clock_off"]],
    }


def node_metrics(nodes: list[dict[str, Any]]) -> list[str]:
    """The lines for Prometheus."""
    lines = []
    for name, kind, field, help_text in METRICS if nodes else ():
        lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"]
        for node in nodes:
            value = _value(node, field)
            if value is not None:
                lines.append(
                    f'{name}{{node="{label_text(node["node"])}",node_type="{label_text(node["node_type"])}"}} {value}'
                )
    return lines


def _value(node: dict[str, Any], field: str) -> float | int | None:
    if field == "silent":
        return int(node["state"] == "silent")
    if field == "clock_ahead_s":
        return None if node["clock_ahead_ms"] is None else node["clock_ahead_ms"] / 1000
    value: float | int | None = node[field]
    return value

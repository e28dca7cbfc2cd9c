"""How it stands: for people, for load balancers, for Prometheus."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import Response

from whodid import __version__
from whodid.errors import WhodidError
from whodid.reading import read
from whodid.web.answers import json_answer
from whodid.web.policies import policy_metrics, standing
from whodid.web.query import result_answer
from whodid.web.requests import Req, bounded, form_of, query_of, services_of
from whodid.web.services import Services

LAG_SECONDS_MAX: Final = 300.0
STORE_ANSWERS_MS: Final = 3_000

# Metric, kind, where its value is found in the status, help.
METRICS: Final[tuple[tuple[str, str, tuple[str, str], str], ...]] = (
    ("whodid_journal_events_total", "counter", ("journal", "events"), "Events made durable since the start."),
    ("whodid_journal_frames_total", "counter", ("journal", "frames"), "Requests made durable since the start."),
    ("whodid_journal_bytes_total", "counter", ("journal", "bytes"), "Bytes made durable since the start."),
    ("whodid_journal_commits_total", "counter", ("journal", "commits"), "Commits (fdatasync) since the start."),
    ("whodid_journal_backlog_bytes", "gauge", ("journal", "backlog_bytes"), "Journal that waits for the store."),
    ("whodid_journal_sealed_segments", "gauge", ("journal", "sealed_segments"), "Segments that wait for the store."),
    ("whodid_disk_free_bytes", "gauge", ("journal", "disk_free_bytes"), "Free disk beside the journal."),
    ("whodid_stored_events_total", "counter", ("writer", "stored"), "Events stored since the start."),
    ("whodid_duplicate_events_total", "counter", ("writer", "duplicates"), "Events that were stored already."),
    ("whodid_lag_batches", "gauge", ("writer", "lag_batches"), "Sealed batches that are not stored yet."),
    ("whodid_lag_bytes", "gauge", ("writer", "lag_bytes"), "Bytes that are not stored yet."),
    ("whodid_lag_seconds", "gauge", ("writer", "lag_seconds"), "Age of the oldest batch that is not stored yet."),
)


def parts_of(services: Services) -> dict[str, Any]:
    """Journal and writer as plain values; nothing here waits for the store."""
    return {
        "policy": standing(services.policies),
        "journal": msgspec.to_builtins(services.journal.status()),
        "writer": msgspec.to_builtins(services.writer.status()),
    }


async def status(request: Req) -> Response[bytes]:
    """Journal, store, lag, rejects, disk: how it stands."""
    query_of(request, [])
    services = services_of(request)
    parts = await services.call(parts_of, services)
    try:
        store: Any = msgspec.to_builtins(await services.call(services.store.stats))
        reason = None
    except WhodidError as error:
        store, reason = None, error.message
    return json_answer(
        {
            "version": __version__,
            "store": services.store.kind,
            "ready": not await _problems(services, parts),
            "policy": parts["policy"],
            "journal": parts["journal"],
            "writer": parts["writer"],
            "events": store,
            "store_error": reason,
        }
    )


async def rejects(request: Req) -> Response[bytes]:
    """What was rejected and kept with its reason, the latest first."""
    given = query_of(request, ["limit", "offset", "format"])
    services, form = services_of(request), form_of(request)
    limit, offset = bounded(given, "limit", 100, 1, read.PAGE_ROWS), bounded(given, "offset", 0, 0, read.ROWS_MAX)
    answer = await services.call(read.rejects, services.store, limit=limit, offset=offset)
    return await services.call(result_answer, answer, form, "rejects")


async def healthz(request: Req) -> Response[bytes]:
    """Whether the process answers."""
    return json_answer({"status": "ok"})


async def readyz(request: Req) -> Response[bytes]:
    """Whether events can be taken, stored and found: 503 with the reasons when not."""
    services = services_of(request)
    problems = await _problems(services, await services.call(parts_of, services))
    if problems:
        raise WhodidError("unavailable", " ".join(problems), "See whodid status.", retry_after_s=5)
    return json_answer({"status": "ready"})


async def metrics(request: Req) -> Response[bytes]:
    """Numbers for Prometheus."""
    services = services_of(request)
    parts = await services.call(parts_of, services)
    lines = []
    for name, kind, (part, field), help_text in METRICS:
        value = parts[part].get(field)
        if value is not None:
            lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}", f"{name} {value}"]
    if counted := services.counted():
        name = "whodid_client_items_total"
        lines += [f"# HELP {name} What clients sent that is counted and not stored.", f"# TYPE {name} counter"]
        lines += [f'{name}{{client="{client}",kind="{kind}"}} {n}' for (client, kind), n in sorted(counted.items())]
    lines += policy_metrics(parts["policy"])
    ready = int(not await _problems(services, parts))
    lines += ["# HELP whodid_ready Whether events can be taken, stored and found.", "# TYPE whodid_ready gauge"]
    lines += [f"whodid_ready {ready}", ""]
    return Response("\n".join(lines).encode(), media_type="text/plain; version=0.0.4")


async def _problems(services: Services, parts: dict[str, Any]) -> list[str]:
    problems = []
    if refusal := parts["journal"].get("refusal"):
        problems.append(f"The journal takes nothing: {refusal}")
    if (parts["writer"].get("lag_seconds") or 0) > LAG_SECONDS_MAX:
        problems.append(f"The store is more than {LAG_SECONDS_MAX:.0f} s behind.")
    try:
        await services.call(services.store.query, "SELECT 1 AS one", timeout_ms=STORE_ANSWERS_MS, trusted=True)
    except WhodidError as error:
        problems.append(f"The store does not answer: {error.message}")
    return problems

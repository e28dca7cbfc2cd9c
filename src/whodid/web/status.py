"""How it stands: for people, for load balancers, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from litestar import Response

from whodid import __version__
from whodid.errors import WhodidError
from whodid.reading import read
from whodid.reading.output import rows
from whodid.receive import readiness
from whodid.receive.asking import Answers
from whodid.web.alerts import beside_metrics
from whodid.web.answers import json_answer
from whodid.web.nodes import node_metrics, nodes_standing, summed
from whodid.web.policies import policy_metrics, standing
from whodid.web.query import result_answer
from whodid.web.receivers import receiver_metrics, receivers_standing
from whodid.web.requests import Req, bounded, form_of, one, query_of, services_of
from whodid.web.services import Services

# Metric, kind, where its value is found in the status, help.
METRICS: Final[tuple[tuple[str, str, tuple[str, str], str], ...]] = (
    ("whodid_journal_events_total", "counter", ("journal", "events"), "Events made durable since the start."),
    ("whodid_journal_frames_total", "counter", ("journal", "frames"), "Requests made durable since the start."),
    ("whodid_journal_bytes_total", "counter", ("journal", "bytes"), "Bytes made durable since the start."),
    ("whodid_journal_commits_total", "counter", ("journal", "commits"), "Commits (fdatasync) since the start."),
    ("whodid_journal_backlog_bytes", "gauge", ("journal", "backlog_bytes"), "Journal that waits for the store."),
    ("whodid_journal_backlog_bytes_max", "gauge", ("journal", "backlog_bytes_max"), "Its limit; then posts get 429."),
    ("whodid_journal_quarantined", "gauge", ("journal", "quarantine"), "Damaged pieces of the journal, put aside."),
    ("whodid_journal_sealed_segments", "gauge", ("journal", "sealed_segments"), "Segments that wait for the store."),
    ("whodid_journal_lag_records", "gauge", ("journal", "lag_records"), "Kafka's records that wait for the store."),
    (
        "whodid_journal_poisoned_records_total",
        "counter",
        ("journal", "poisoned"),
        "Kafka's records that were no frames, put aside.",
    ),
    (
        "whodid_journal_lost_records_total",
        "counter",
        ("journal", "lost"),
        "Kafka's records that were deleted before they were stored.",
    ),
    ("whodid_dispatch_kept_bytes", "gauge", ("dispatch", "kept_bytes"), "Stored journal that is kept for targets."),
    ("whodid_dispatch_kept_bytes_max", "gauge", ("dispatch", "kept_bytes_max"), "Its limit."),
    ("whodid_disk_free_bytes", "gauge", ("journal", "disk_free_bytes"), "Free disk beside the journal."),
    ("whodid_disk_free_bytes_min", "gauge", ("journal", "disk_free_bytes_min"), "Its reserve; below it posts get 507."),
    ("whodid_stored_events_total", "counter", ("writer", "stored"), "Events stored since the start."),
    ("whodid_duplicate_events_total", "counter", ("writer", "duplicates"), "Events that were stored already."),
    ("whodid_rejected_events_total", "counter", ("writer", "rejects"), "Rejections stored since the start."),
    (
        "whodid_poisoned_batches_total",
        "counter",
        ("writer", "poisoned"),
        "Batches the store could not take, put aside.",
    ),
    (
        "whodid_missing_batches_total",
        "counter",
        ("writer", "missing"),
        "Batches that only another store has, found since the start.",
    ),
    ("whodid_lag_batches", "gauge", ("writer", "lag_batches"), "Sealed batches that are not stored yet."),
    ("whodid_lag_bytes", "gauge", ("writer", "lag_bytes"), "Bytes that are not stored yet."),
    ("whodid_lag_seconds", "gauge", ("writer", "lag_seconds"), "Age of the oldest batch that is not stored yet."),
)


# Metric, field of `journal.kafka_standing.PartitionStatus`, help; one value for each partition.
PARTITION_METRICS: Final[tuple[tuple[str, str, str], ...]] = (
    ("whodid_journal_partition_lag_records", "lag", "Records of a partition that wait for the store."),
    ("whodid_journal_partition_lag_seconds", "lag_seconds", "For how long a partition has waited without progress."),
    ("whodid_journal_partition_in_sync", "in_sync", "Brokers that have all of a partition."),
)

# Metric, kind, field of `dispatch.worker.TargetStatus`, help; one value for each target.
TARGET_METRICS: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("whodid_target_waiting_events", "gauge", "waiting_events", "Events that a target does not have yet."),
    ("whodid_target_waiting_bytes", "gauge", "waiting_bytes", "Bytes of journal kept for a target."),
    ("whodid_target_oldest_waiting_seconds", "gauge", "oldest_waiting_s", "Age of the oldest event that waits."),
    ("whodid_target_sent_events_total", "counter", "sent", "Events that a target took since it was made."),
    ("whodid_target_sent_bytes_total", "counter", "bytes", "Bytes sent to a target since it was made."),
    ("whodid_target_refused_events_total", "counter", "refused", "Events that a target refused for good."),
    ("whodid_target_lost_events_total", "counter", "lost", "Events that were gone before a target had them."),
    ("whodid_target_dead_letters", "gauge", "dead_letters", "Refused events that are kept."),
    ("whodid_target_events_per_second", "gauge", "rate", "Events a second that a target takes lately."),
)


async def parts_of(services: Services, **more: Callable[[], object]) -> Answers:
    """How the parts stand, as plain values, and what `more` is asked besides; a `WhodidError` from whoever is away.

    Raises
    ------
    WhodidError("unavailable")
        Not even this server's own journal answers.
    """
    return await needed_for_readiness(
        services,
        dispatch=lambda: msgspec.to_builtins(services.dispatch.dispatcher.keeping()),
        policy=partial(standing, services.policies),
        targets=lambda: msgspec.to_builtins(services.dispatch.dispatcher.status()),
        nodes=partial(nodes_standing, services),
        receivers=partial(receivers_standing, services),
        **more,
    )


async def needed_for_readiness(services: Services, **more: Callable[[], object]) -> Answers:
    """The same of the parts alone by which a server is ready, or not."""
    parts = await services.asking.asked(
        {
            "journal": partial(_journal, services),
            "writer": lambda: msgspec.to_builtins(services.writer.status()),
            **readiness.questions(services.store, services.directory),
            **more,
        }
    )
    for own in ("journal", "writer", "dispatch"):
        refuse_away(own, parts.get(own))
    return parts


def refuse_away(part: str, answer: object) -> None:
    """Raises WhodidError("unavailable") when a part of this server itself did not answer."""
    if isinstance(answer, WhodidError):
        raise WhodidError("unavailable", f"The {part} does not answer: {answer.message}", retry_after_s=5)


def known(answer: Any, otherwise: Any = None) -> Any:
    """What a part said; `otherwise` when it is away."""
    return otherwise if isinstance(answer, WhodidError) else answer


def _journal(services: Services) -> Any:
    return msgspec.to_builtins(services.journal.status(), enc_hook=str)


async def status(request: Req) -> Response[bytes]:
    """Journal, store, lag, rejects, disk: how it stands. What does not answer is named in `unknown`."""
    query_of(request, [])
    services = services_of(request)
    parts = await parts_of(services, events=services.store.stats, missing=partial(read.missing, services.store))
    problems = problems_of(services, parts)
    events, missing, nodes = known(parts["events"]), known(parts["missing"]), known(parts["nodes"])
    return json_answer(
        {
            "version": __version__,
            "store": services.store.kind,
            "ready": not problems,
            "problems": problems,
            "unknown": sorted(name for name, answer in parts.items() if isinstance(answer, WhodidError)),
            "policy": known(parts["policy"]),
            "journal": parts["journal"],
            "writer": parts["writer"],
            "dispatch": parts["dispatch"],
            "targets": known(parts["targets"]),
            "nodes": None if nodes is None else summed(nodes),
            "receivers": known(parts["receivers"]),
            "events": msgspec.to_builtins(events),
            "store_error": parts["events"].message if events is None else None,
            "missing": [] if missing is None else rows(missing.table),
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
    """Whether events can be taken, stored and found: 503 with the reasons when not. With `for=receiving` only whether
    they can be taken: what waits for a store that is away is safe in the journal."""
    wanted = one(query_of(request, ["for"]), "for", "all")
    if wanted not in ("all", "receiving"):
        raise WhodidError("invalid", f"There is no readiness for {wanted[:100]!r}.", "Ask for=receiving, or for all.")
    services = services_of(request)
    if wanted == "receiving":
        journal = (await services.asking.asked({"journal": partial(_journal, services)}))["journal"]
        refuse_away("journal", journal)
        found = readiness.receiving_problems(journal, stopping=services.presence.stopping)
        problems = [problem.text for problem in found]
    else:
        problems = problems_of(services, await needed_for_readiness(services))
    if problems:
        raise WhodidError("unavailable", " ".join(problems), "See whodid status.", retry_after_s=5)
    return json_answer({"status": "ready"})


async def metrics(request: Req) -> Response[bytes]:
    """Numbers for Prometheus."""
    services = services_of(request)
    parts = await parts_of(services, alerts=services.beside.alerts.firings.counts)
    lines = []
    for name, kind, (part, field), help_text in METRICS:
        value = parts[part].get(field)
        value = len(value) if isinstance(value, list) else value
        if value is not None:
            lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}", f"{name} {value}"]
    lines += _partition_lines(parts["journal"].get("partitions", ()))
    lines += _target_lines(known(parts["targets"], []))
    lines += node_metrics(known(parts["nodes"], []))
    lines += receiver_metrics(known(parts["receivers"], []))
    if counted := services.counted():
        name = "whodid_client_items_total"
        lines += [f"# HELP {name} What clients sent that is counted and not stored.", f"# TYPE {name} counter"]
        lines += [f'{name}{{client="{client}",kind="{kind}"}} {n}' for (client, kind), n in sorted(counted.items())]
    lines += beside_metrics(services.beside, known(parts["alerts"]))
    lines += policy_metrics(known(parts["policy"]))
    ready = int(not problems_of(services, parts))
    lines += ["# HELP whodid_ready Whether events can be taken, stored and found.", "# TYPE whodid_ready gauge"]
    lines += [f"whodid_ready {ready}", ""]
    return Response("\n".join(lines).encode(), media_type="text/plain; version=0.0.4")


def _partition_lines(partitions: Sequence[dict[str, Any]]) -> list[str]:
    lines = []
    for name, field, help_text in PARTITION_METRICS if partitions else ():
        lines += [f"# HELP {name} {help_text}", f"# TYPE {name} gauge"]
        lines += [f'{name}{{partition="{one["partition"]}"}} {one[field]}' for one in partitions]
    return lines


def _target_lines(targets: list[dict[str, Any]]) -> list[str]:
    lines = []
    for name, kind, field, help_text in TARGET_METRICS if targets else ():
        lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"]
        lines += [f'{name}{{target="{target["name"]}",kind="{target["kind"]}"}} {target[field]}' for target in targets]
    if targets:
        name = "whodid_target_state"
        lines += [f"# HELP {name} 1 for the state that a target is in.", f"# TYPE {name} gauge"]
        lines += [f'{name}{{target="{target["name"]}",state="{target["state"]}"}} 1' for target in targets]
    return lines


def problems_of(services: Services, parts: Answers) -> list[str]:
    """What keeps this server from being ready; `parts` as `parts_of` gives them."""
    found = readiness.problems(parts["journal"], parts["writer"], parts, stopping=services.presence.stopping)
    return [problem.text for problem in found]

"""CloudWatch Logs by moto, made as strict as the service: limits, order, throttling, rights."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.logs.models import LogsBackend

from support.s3 import S3Server, s3_server

DAY_MS = 24 * 3_600 * 1_000


@dataclass
class Service:
    """The service as a test sees it.

    throttled_until  monotonic seconds until which every put is throttled.
    puts             (events, bytes with overhead) of every put that was taken.
    """

    server: S3Server
    throttled_until: float = 0.0
    throttled: int = 0
    puts: list[tuple[int, int]] = field(default_factory=list)

    def options(self, **more: Any) -> dict[str, Any]:
        """Options of a target in it."""
        return {
            "log_group": "/whodid",
            "region": "us-east-1",
            "endpoint": self.server.endpoint,
            "access_key_id": self.server.access_key_id,
            "secret_access_key": self.server.secret_access_key,
            **more,
        }

    def messages(self, group: str = "/whodid", stream: str | None = None) -> list[str]:
        """What the real client reads back, stream by stream in their order."""
        client = self.server.client("logs")
        if not client.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            return []
        found: list[str] = []
        streams = [one["logStreamName"] for one in client.describe_log_streams(logGroupName=group)["logStreams"]]
        for name in streams if stream is None else [stream]:
            pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, logStreamNames=[name])
            found += [event["message"] for page in pages for event in page["events"]]
        return found


@contextmanager
def cloudwatch() -> Iterator[Service]:
    """A service of its own. Puts that break a limit are refused as the service documents it."""
    original = LogsBackend.put_log_events
    with s3_server() as server:
        service = Service(server)

        def strict(backend: LogsBackend, log_group_name: str, log_stream_name: str, log_events: list[Any]) -> Any:
            _check(service, log_events)
            token, told = original(backend, log_group_name, log_stream_name, log_events)
            if "tooOldLogEventEndIndex" in told:
                # moto tells the last index; documented is the one behind it.
                told["tooOldLogEventEndIndex"] += 1
            if "tooNewLogEventStartIndex" in told:
                ahead_ms = (time.time() + 2 * 3_600) * 1_000
                told["tooNewLogEventStartIndex"] = next(
                    place for place, event in enumerate(log_events) if event["timestamp"] > ahead_ms
                )
            service.puts.append((len(log_events), sum(map(_size_bytes, log_events))))
            return token, told

        LogsBackend.put_log_events = strict  # type: ignore[method-assign, assignment]
        try:
            yield service
        finally:
            LogsBackend.put_log_events = original  # type: ignore[method-assign]


def _check(service: Service, events: list[Any]) -> None:
    if time.monotonic() < service.throttled_until:
        service.throttled += 1
        raise JsonRESTError("ThrottlingException", "Rate exceeded")
    times = [event["timestamp"] for event in events]
    if not 1 <= len(events) <= 10_000:
        raise JsonRESTError("InvalidParameterException", "Log events must be between 1 and 10000")
    if sum(map(_size_bytes, events)) > 1_048_576:
        raise JsonRESTError("InvalidParameterException", "Upload too large")
    if times != sorted(times):
        raise JsonRESTError("InvalidParameterException", "Log events must be in chronological order")
    if max(times) - min(times) >= DAY_MS:
        raise JsonRESTError("InvalidParameterException", "The batch of log events spans more than 24 hours")


def _size_bytes(event: Any) -> int:
    return len(event["message"].encode()) + 26

"""What whodid itself tells in the short story, and a process that idles: what the demo's platform does not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from support.story import END
from whodid.event import Entity, Event, foreign_id

ADMINISTRATOR = "ida.hansen"


def _told(number: int, kind: str, at: datetime, **fields: Any) -> Event:
    parameters = msgspec.Raw(msgspec.json.encode(fields.pop("parameters", {})))
    defaults: dict[str, Any] = {"source": "server", "user": ADMINISTRATOR, "node": "whodid-1", "node_type": "server"}
    return Event(id=foreign_id(f"house {number}"), time=at, type=kind, parameters=parameters, **(defaults | fields))


def _idle(number: int, phase: str, hours: float) -> Event:
    began = END - timedelta(days=2)
    usage = {
        "id": "idle-webapp",
        "type": "LOCAL_PROCESS",
        "context": {
            "type": "WEBAPP_BACKEND",
            "projectKey": "SALES",
            "authIdentifier": "erika.brandt",
            "webappId": "w1",
        },
        "startTime": int(began.timestamp() * 1000),
        "localProcess": {"vmRSSTotalMBS": 2048 * hours * 3600, "cpuTotalMS": hours * 36_000},
    }
    return _told(
        number,
        f"compute-resource-usage-{phase}",
        began + timedelta(hours=hours),
        topic="compute-resource-usage",
        user="erika.brandt",
        parameters={"computeResourceUsage": usage},
    )


def events() -> list[Event]:
    """A dozen events in the last days of the story."""
    at = END - timedelta(days=3)
    key = Entity(type="key", id="k-1", name="crm")
    setting = Entity(type="setting", id="retention", name="retention")
    policy = Entity(type="policy", id="p-1", name="quiet clicks")
    return [
        _told(1, "key-created", at, entities=[key], parameters={"after": {"name": "crm", "scopes": ["write"]}}),
        _told(2, "key-revoked", at + timedelta(hours=1), entities=[key], parameters={"before": {"name": "crm"}}),
        _told(
            3,
            "settings-changed",
            at + timedelta(hours=2),
            entities=[setting],
            parameters={"before": {"value": {"audit": 365}}, "after": {"value": {"audit": 730}}},
        ),
        _told(
            4, "log-settings-changed", at + timedelta(hours=3), entities=[policy], parameters={"after": {"on": True}}
        ),
        _told(5, "sign-in", at - timedelta(hours=1), parameters={"ip": "10.9.8.7"}),
        *(
            _told(
                10 + number,
                kind,
                at + timedelta(hours=4, minutes=number),
                user="maria.svensson",
                description=f"Read {what}.",
                parameters={"what": what, "format": form, "filter": asked},
            )
            for number, (kind, what, form, asked) in enumerate(
                [
                    ("audit-read", "events", "json", {"user": ["tom.walker"]}),
                    ("audit-read", "events", "json", {"user": ["ravi.banerjee"]}),
                    ("audit-exported", "events", "csv", {"limit": 10_000}),
                    ("query-run", "query", "json", {"sql": "SELECT 1 FROM events"}),
                ]
            )
        ),
        *(
            _idle(20 + step, phase, hours)
            for step, (phase, hours) in enumerate([("start", 0), ("update", 6), ("complete", 12)])
        ),
    ]

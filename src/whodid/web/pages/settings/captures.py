"""Pages of captures: started for a reason and a while, listed with what they took, stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from litestar import Response

from whodid.policy.capture import EVENTS_DEFAULT
from whodid.policy.captures import NewCapture
from whodid.web import words
from whodid.web.pages import frame
from whodid.web.pages.blocks import Button, Item, Table
from whodid.web.pages.forms import Field
from whodid.web.pages.settings.common import Failed, ask, asked, by, segment, sent, show, to, tried
from whodid.web.policies import seen_by
from whodid.web.requests import Req, segments, services_of

POLICY: Final = "/settings/policy"
ADD: Final = "/settings/add/captures"

_WHY: Final = {"time": "its time was over", "events": "it had enough", "stopped": "stopped"}
_SPANS: Final = (
    ("900", "15 minutes"),
    ("3600", "1 hour"),
    ("14400", "4 hours"),
    ("86400", "1 day"),
    ("604800", "7 days"),
)
FIELDS: Final[tuple[Field, ...]] = (
    Field("reason", "Reason", required=True, help="What it is for; it stands in the audit."),
    Field("user", "User", help="Of this login; without user and group of everyone.", suggest="user"),
    Field("group", "or group", suggest="group"),
    Field("types", "Types", "list", "Only these; * stands for anything.", placeholder="viewer-*"),
    Field("duration_s", "For", "choice", required=True, choices=_SPANS),
    Field("events_max", "Events at most", "whole", required=True),
    Field("anonymous", "without user, session and address", "flag"),
    Field("name", "Name", help="Empty: a number.", more=True),
    Field("entities", "Things", "list", "Only events that touched them: type:id.", more=True),
    Field("topics", "Topics", "list", "Only these.", more=True),
    Field("accept_unknown", "take types that nobody has sent yet", "flag", more=True),
)


async def new_capture(request: Req, failed: Failed | None = None) -> Response[bytes]:
    """The form of a capture."""
    asked(request)
    values = {"duration_s": "3600", "events_max": str(EVENTS_DEFAULT)}
    form = ask(failed, "capture", ADD, FIELDS, "Start the capture", values,
               help="For a while, what the policy leaves out of a subject is kept after all.")  # fmt: skip
    return show(request, "Start a capture", [form], back=(POLICY, "Policy"), status=failed.status if failed else 200)


async def start_capture(request: Req) -> Response[bytes]:
    """Start a capture."""
    services, given = services_of(request), await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        new = NewCapture(**{**values, "duration_s": float(values["duration_s"])})
        capture = await services.call(services.policies.start, new, by=by(request), seen=seen_by(services))
        return to(POLICY, f"{capture.name} runs until {words.moment(capture.ends_at, frame.zone(request))}.")

    return await tried(request, "capture", FIELDS, given, work, lambda failed: new_capture(request, failed))


async def stop_capture(request: Req) -> Response[bytes]:
    """End a capture."""
    await sent(request)
    services, which = services_of(request), segments(request)[2]
    ended = await services.call(services.policies.stop, which, by=by(request))
    return to(POLICY, f"{ended.name} is stopped.")


def listed(request: Req, captures: Sequence[Mapping[str, Any]]) -> Table:
    """Captures, those that run first."""
    found = sorted(captures, key=lambda one: one["ended_at"] is not None)
    rows = [_row(request, one) for one in found[:50]]
    heads = ("Capture", "Of", "What", "Reason", "#Events", "State", "")
    return Table("Captures", heads, rows, "None: nothing is kept that the policy leaves out.")


def _row(request: Req, one: Mapping[str, Any]) -> list[Item]:
    zone = frame.zone(request)
    ends: datetime = one["ended_at"] or one["ends_at"]
    stop = Button("Stop", f"/settings/captures/{segment(one['name'])}/stop", True, label=f"Stop {one['name']}")
    is_running = one["ended_at"] is None
    what = ", ".join([*one["types"], *one["entities"], *one["topics"]]) or "everything"
    return [
        Item(one["name"], note="anonymous" if one["anonymous"] else ""),
        Item(one["user"] or (one["group"] and f"group {one['group']}") or "everyone"),
        Item(what),
        Item(one["reason"], note=f"by {one['started_by']}" if one["started_by"] else ""),
        Item(f"{one['events']:,}", kind="number", note=f"of {one['events_max']:,}" if is_running else ""),
        Item(f"runs until {words.stamp(ends, zone)}", tag="good")
        if is_running
        else Item(f"{words.stamp(ends, zone)}: {_WHY.get(one['ended_why'], 'ended')}"),
        Item(buttons=[stop]) if is_running else Item(),
    ]

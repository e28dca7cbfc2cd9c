"""The page of retention: days by level, what a change would take away in numbers, what went lately."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from litestar import Response

from whodid.amounts import counted
from whodid.directory.due_work import Work
from whodid.event import LEVELS
from whodid.retention.outlook import stored_by_level, would_go
from whodid.retention.rule import Retention, check, retention_of, set_retention
from whodid.stores.base import Store
from whodid.web import words
from whodid.web.pages.blocks import Block, Button, Item, Table, Text
from whodid.web.pages.forms import Field
from whodid.web.pages.settings.common import (
    Failed,
    ask,
    asked,
    by,
    confirm,
    moment_item,
    sent,
    show,
    to,
    tried,
)
from whodid.web.requests import Req, services_of

HERE: Final = "/settings/retention"
SESSIONS: Final = "sessions"
_MEANT: Final = {
    "audit": "What an auditor will ask for; laws often name a time.",
    "usage": "What people used.",
    "error": "",
    "warning": "",
    "info": "",
    "debug": "Grows fastest and is needed shortest.",
}
FIELDS: Final[tuple[Field, ...]] = (
    *(Field(level, level, "whole", _MEANT[level], unit="days", placeholder="for ever") for level in LEVELS),
    Field(SESSIONS, "sessions that have ended", "whole", "Their events stay.", unit="days", placeholder="for ever"),
)


async def retention(request: Req, failed: Failed | None = None) -> Response[bytes]:
    """How long events are kept."""
    asked(request)
    services = services_of(request)
    kept = retention_of(services.directory)
    levels = await services.call(stored_by_level, services.store)
    runs = await services.call(services.retention.runs)
    rows = [
        [
            Item(level),
            Item(words.count(levels.get(level, {}).get("events", 0)), kind="number"),
            moment_item(levels.get(level, {}).get("oldest"), request, "–"),
            Item(f"{counted(kept.levels[level], 'day')}" if level in kept.levels else "for ever"),
        ]
        for level in LEVELS
    ]
    values = {**{level: str(days) for level, days in kept.levels.items()}}
    values |= {SESSIONS: str(kept.sessions)} if kept.sessions is not None else {}
    told = "Empty: for ever. Once a day, after 02:00 UTC, what is older goes for good, in short steps."
    blocks: list[Block] = [
        Table("What is stored", ("Level", "#Events", "Oldest", "Kept"), rows, note=_sessions(kept)),
        ask(failed, "retention", HERE, FIELDS, "What would go?", values, title="How long it is kept", help=told),
        Table("Daily steps", ("When", "State", "Took away"), [_run(request, one) for one in runs], "None yet."),
    ]
    if not kept.keeps_all:
        blocks.append(Text(["What goes is also told by the event events-forgotten."]))
    buttons = [] if kept.keeps_all else [Button("Take away now what is too old", f"{HERE}/run", True)]
    return show(request, "Retention", blocks, buttons=buttons, status=failed.status if failed else 200)


async def change(request: Req) -> Response[bytes]:
    """Say in numbers what would go; set it once that is confirmed."""
    services, given = services_of(request), await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        levels = {level: values[level] for level in LEVELS if values[level] is not None}
        wanted = Retention(levels=levels, sessions=values[SESSIONS])
        if given.get("confirmed") == "1":
            await services.call(set_retention, services.directory, wanted, by=by(request))
            return to(HERE, "Kept. What is too old goes with the next daily step.")
        check(wanted)
        sentences = await services.call(consequences, services.store, wanted)
        fields = {name: given[name] for name in (*LEVELS, SESSIONS) if given.get(name)}
        return confirm(request, "Keep events so long?", sentences, action=HERE, words="Keep them so long", back=HERE,
                       confirmed="1", **fields)  # fmt: skip

    return await tried(request, "retention", FIELDS, given, work, lambda failed: retention(request, failed))


async def run(request: Req) -> Response[bytes]:
    """Have what is too old taken away at once."""
    await sent(request)
    services = services_of(request)
    await services.call(services.retention.ask, by=by(request))
    return to(HERE, "It begins within a few seconds; this page tells what went.")


def consequences(store: Store, wanted: Retention) -> list[str]:
    """What would go by a retention, in sentences; blocks."""
    counts = would_go(store, wanted, datetime.now(UTC))
    sentences = [
        f"{level}: {counted(counts[level], 'event')} older than {counted(days, 'day')} go."
        for level, days in wanted.levels.items()
    ]
    if wanted.sessions is not None:
        sentences.append(f"Sessions that ended more than {counted(wanted.sessions, 'day')} ago go; their events stay.")
    rest = [level for level in LEVELS if level not in wanted.levels]
    if rest:
        sentences.append(f"{', '.join(rest).capitalize()}: kept for ever.")
    if gone := sum(counts.values()):
        sentences.append(f"{counted(gone, 'event')} in all, for good: they are in no report, export or pane any more.")
    return sentences


def _sessions(kept: Retention) -> str:
    span = "for ever" if kept.sessions is None else f"for {counted(kept.sessions, 'day')}"
    return f"Sessions that have ended are kept {span}."


def _run(request: Req, work: Work) -> list[Item]:
    state = {"done": "", "running": "good", "failed": "bad"}.get(work.state, "")
    return [moment_item(work.started_at or work.due, request), Item(work.state, tag=state), Item(_took(work.outcome))]


def _took(outcome: Mapping[str, Any] | None) -> str:
    if not outcome:
        return "nothing yet"
    if "error" in outcome:
        return str(outcome["error"])
    gone = [f"{count:,} {name}" for name, count in outcome.items() if count]
    return ", ".join(gone) or "nothing was too old"

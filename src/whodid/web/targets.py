"""Targets over HTTP: kinds and their options, rows, how each stands, trials, dead letters."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import Response
from msgspec import Struct

from whodid.dispatch.management import NewTarget, TargetFields, kinds
from whodid.dispatch.trial import REPLAY_MAX
from whodid.web.answers import json_answer
from whodid.web.requests import Req, body_of, bounded, caller_of, name_of, one, query_of, segments, services_of
from whodid.web.unknown_users import warning_of

LETTERS_MAX: Final = 10_000


class DryRun(Struct, kw_only=True, forbid_unknown_fields=True):
    """What would go: of a target that there is (`name`), or of one before it is made (`target`)."""

    since: str = "1d"
    name: str | None = None
    target: NewTarget | None = None


class Replay(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which dead letters: the oldest `limit`; `drop` throws them away instead of sending them."""

    limit: int = REPLAY_MAX
    drop: bool = False


async def list_kinds(request: Req) -> Response[bytes]:
    """The kinds of targets and their options: name, default, unit, help, secret, kind, choices."""
    query_of(request, [])
    return json_answer({"kinds": await services_of(request).call(kinds)})


async def list_targets(request: Req) -> Response[bytes]:
    """All targets, without their secrets, and how each stands."""
    query_of(request, [])
    services = services_of(request)
    return json_answer({"targets": await services.call(services.dispatch.shown)})


async def show_target(request: Req) -> Response[bytes]:
    """A target, without its secrets, and how it stands."""
    return await _shown(request, segments(request)[2])


async def create_target(request: Req) -> Response[bytes]:
    """Make a target; it runs within a second."""
    new, services = await body_of(request, NewTarget), services_of(request)
    await services.call(services.dispatch.book.create, new, by=_by(request))
    return await _shown(request, new.name, status=201)


async def change_target(request: Req) -> Response[bytes]:
    """Change a target; what is left out stays, and it goes on from where it is."""
    fields, services, name = await body_of(request, TargetFields), services_of(request), segments(request)[2]
    await services.call(services.dispatch.book.change, name, fields, by=_by(request))
    return await _shown(request, name)


async def delete_target(request: Req) -> Response[bytes]:
    """Take a target away. With dead letters it has to be said that they go, too (`drop=true`)."""
    given, services, name = query_of(request, ["drop"]), services_of(request), segments(request)[2]
    drop = one(given, "drop", "false") == "true"
    await services.call(services.dispatch.delete, name, drop=drop, by=_by(request))
    return json_answer({"deleted": name})


async def pause_target(request: Req) -> Response[bytes]:
    """Let a target rest; its place is kept."""
    services, name = services_of(request), segments(request)[2]
    await services.call(services.dispatch.book.pause, name, by=_by(request))
    return await _shown(request, name)


async def resume_target(request: Req) -> Response[bytes]:
    """Let a target go on from where it is."""
    services, name = services_of(request), segments(request)[2]
    await services.call(services.dispatch.book.resume, name, by=_by(request))
    return await _shown(request, name)


async def test_target(request: Req) -> Response[bytes]:
    """Send one marked event, and tell what the other side answered."""
    services, name = services_of(request), segments(request)[2]
    return json_answer(await services.call(services.dispatch.test, name, by=_by(request)))


async def dry_run(request: Req) -> Response[bytes]:
    """What of the events since a time would go: how many of each type, how many bytes, a few lines."""
    asked, services = await body_of(request, DryRun), services_of(request)
    if asked.target is not None:
        outcome = await services.call(services.dispatch.dry_run_draft, asked.target, asked.since)
    else:
        outcome = await services.call(services.dispatch.dry_run, asked.name or "", asked.since)
    return json_answer(outcome)


async def dead_letters(request: Req) -> Response[bytes]:
    """The oldest events that a target refused for good, with the reason of each."""
    given, services = query_of(request, ["limit"]), services_of(request)
    limit = bounded(given, "limit", 100, 1, LETTERS_MAX)
    found = await services.call(services.dispatch.dead_letters, segments(request)[2], limit)
    return json_answer({"dead_letters": msgspec.json.decode(msgspec.json.encode(found))})


async def replay_dead_letters(request: Req) -> Response[bytes]:
    """Send dead letters once more, as the target is set by now; those that are taken are no more."""
    asked, services = await body_of(request, Replay), services_of(request)
    limit = max(1, min(asked.limit, LETTERS_MAX))
    outcome = await services.call(
        services.dispatch.replay, segments(request)[2], limit=limit, drop=asked.drop, by=_by(request)
    )
    return json_answer(outcome)


async def _shown(request: Req, name: str, status: int = 200) -> Response[bytes]:
    services = services_of(request)
    shown: dict[str, Any] = await services.call(services.dispatch.shown_one, name)
    warning = await services.call(warning_of, services.directory, shown["selection"].get("users", ()))
    return json_answer({**shown, "warning": warning}, status=status)


def _by(request: Req) -> str:
    return name_of(caller_of(request))

"""The policy over HTTP: what a client shall log, the rules, drafts tried on real traffic, captures."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import msgspec
from litestar import Response
from msgspec import Struct

from whodid.errors import WhodidError
from whodid.policy.capture import Capture
from whodid.policy.captures import NewCapture
from whodid.policy.compiling import Members, shadows
from whodid.policy.counts import Count
from whodid.policy.live import Policies
from whodid.policy.rule import Rule, RuleFields, told
from whodid.policy.rules import ANYWHERE, Place
from whodid.policy.trial import Trial, try_out
from whodid.policy.wire import MAX_AGE_S
from whodid.reading.dialect import dialect_of
from whodid.receive.cors import cors_headers
from whodid.web.answers import json_answer, label_text
from whodid.web.events import record
from whodid.web.requests import Req, body_of, caller_of, name_of, one, query_of, segments, services_of
from whodid.web.services import Services

_VARY: Final = "authorization, cookie, origin"


class NewRule(RuleFields, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rule to make, and where: `before` or `after` another, or at a `position` from 1; by default it goes to the
    end, but before rules for everyone. `accept_unknown` takes types that nobody has sent yet."""

    name: str
    before: str | None = None
    after: str | None = None
    position: int | None = None
    accept_unknown: bool = False


class RuleChange(RuleFields, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What of a rule changes; what is left out stays."""

    name: str | None = None
    accept_unknown: bool = False


class RulePlace(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where a rule goes."""

    before: str | None = None
    after: str | None = None
    position: int | None = None


class RuleTest(RuleFields, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A draft to try on the events of a time: a rule of these fields and its place, or the rule `which` with these
    fields instead of its own; with neither the rules as they are."""

    since: str = "7d"
    until: str | None = None
    which: str | None = None
    name: str = "draft"
    before: str | None = None
    after: str | None = None
    position: int | None = None


class HashQuestion(Struct, kw_only=True, forbid_unknown_fields=True):
    """A value of a parameter that is hashed."""

    value: Any


async def show_policy(request: Req) -> Response[bytes]:
    """What shall be logged of what a user does: the key's own, or `user`. ETag; 304 when nothing has changed."""
    given, services, caller = query_of(request, ["user"]), services_of(request), caller_of(request)
    wire = services.policies.wire(one(given, "user") or caller.user)
    tag = f'"{wire["version"]}"'
    headers = {"etag": tag, "cache-control": f"max-age={MAX_AGE_S}", "vary": _VARY, **_cors(request, services)}
    asked = request.headers.get("if-none-match", "")
    if asked.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in asked.split(",")}:
        return Response(b"", status_code=304, headers=headers)
    return json_answer(wire, headers=headers)


async def list_rules(request: Req) -> Response[bytes]:
    """The rules in their order, with what each has filtered and what is wrong with it; captures that run."""
    query_of(request, [])
    services = services_of(request)
    return json_answer(await services.call(overview_of, services.policies))


async def show_rule(request: Req) -> Response[bytes]:
    """One rule by name or id."""
    services, which = services_of(request), segments(request)[2]
    return json_answer(await services.call(_shown, services.policies, which))


async def create_rule(request: Req) -> Response[bytes]:
    """Make a rule. It counts at once; clients have it within 5 seconds."""
    new, services = await body_of(request, NewRule), services_of(request)
    rule = await services.call(
        services.policies.create,
        new.name,
        _fields(new),
        Place(new.before, new.after, new.position),
        by=name_of(caller_of(request)),
        accept_unknown=new.accept_unknown,
        seen=seen_by(services),
    )
    return json_answer(await services.call(_shown, services.policies, rule.id), status=201)


async def change_rule(request: Req) -> Response[bytes]:
    """Change a rule; what is left out stays. It counts at once."""
    change, services = await body_of(request, RuleChange), services_of(request)
    rule = await services.call(
        services.policies.change,
        segments(request)[2],
        _fields(change),
        name=change.name,
        by=name_of(caller_of(request)),
        accept_unknown=change.accept_unknown,
        seen=seen_by(services),
    )
    return json_answer(await services.call(_shown, services.policies, rule.id))


async def move_rule(request: Req) -> Response[bytes]:
    """Put a rule to another place: the first that matches wins."""
    place, services = await body_of(request, RulePlace), services_of(request)
    to = Place(place.before, place.after, place.position)
    await services.call(services.policies.move, segments(request)[2], to, by=name_of(caller_of(request)))
    return json_answer(await services.call(overview_of, services.policies))


async def delete_rule(request: Req) -> Response[bytes]:
    """Take a rule away; what it filtered stays counted."""
    services = services_of(request)
    rule = await services.call(services.policies.delete, segments(request)[2], by=name_of(caller_of(request)))
    return json_answer({"deleted": rule.name})


async def test_rules(request: Req) -> Response[bytes]:
    """What a draft would have dropped of the events of a time, by rule, type and parameter; nothing is changed."""
    test, services = await body_of(request, RuleTest), services_of(request)
    found = await services.call(tried, services, test)
    await record(request, "audit-read", "policy test", {"since": test.since, "until": test.until, "which": test.which})
    return json_answer(found)


async def hash_value(request: Req) -> Response[bytes]:
    """What stands for a value in parameters that are hashed, to search for it."""
    asked, services = await body_of(request, HashQuestion), services_of(request)
    return json_answer({"hash": await services.call(services.policies.hash, asked.value)})


async def list_captures(request: Req) -> Response[bytes]:
    """Captures that run and the last ones that ended, the latest first."""
    query_of(request, [])
    services = services_of(request)
    return json_answer({"captures": await services.call(captures_of, services.policies)})


async def start_capture(request: Req) -> Response[bytes]:
    """Keep for a while what the policy leaves out: of a subject, in a scope, for a reason."""
    new, services = await body_of(request, NewCapture), services_of(request)
    capture = await services.call(services.policies.start, new, by=name_of(caller_of(request)), seen=seen_by(services))
    shown = await services.call(_shown_capture, services.policies, capture, {})
    return json_answer(shown, status=201)


async def stop_capture(request: Req) -> Response[bytes]:
    """End a capture by name or id."""
    services = services_of(request)
    ended = await services.call(services.policies.stop, segments(request)[2], by=name_of(caller_of(request)))
    return json_answer(await services.call(_shown_capture, services.policies, ended, {}))


def overview_of(policies: Policies) -> dict[str, Any]:
    """Rules, what was filtered in all, and the captures that run; blocks."""
    kept, counts = policies.rules.read(), counts_of(policies)
    warnings = _warnings(policies, kept.items)
    known = {capture.id for capture in policies.captures.all()}
    every = [count for name, count in counts.items() if name not in known]
    return {
        "version": kept.version,
        "rules": [_rule(policies, rule, position, counts, warnings) for position, rule in enumerate(kept.items, 1)],
        "filtered": {"events": sum(each.events for each in every), "bytes": sum(each.bytes for each in every)},
        "captures": [each for each in captures_of(policies) if each["ended_at"] is None],
    }


def counts_of(policies: Policies) -> dict[str, Count]:
    """What was counted so far, by rule and capture; blocks."""
    policies.write_counts()
    return policies.counts.all()


def _fields(given: RuleFields) -> RuleFields:
    return RuleFields(**given.given())


def _cors(request: Req, services: Services) -> dict[str, str]:
    headers = {name.lower(): value for name, value in request.scope["headers"]}
    if b"origin" not in headers:
        return {}
    found = {name.decode(): value.decode("latin-1") for name, value in cors_headers(services.access, headers)}
    return {name: value for name, value in found.items() if name != "vary"} | (
        {"access-control-expose-headers": "etag, x-request-id, retry-after"} if len(found) > 1 else {}
    )


def _shown(policies: Policies, which: str) -> dict[str, Any]:
    for rule in overview_of(policies)["rules"]:
        if which in (rule["name"], rule["id"]):
            return dict(rule)
    raise WhodidError("not_found", f"There is no rule {which!r}.", "See: whodid policy list")


def _rule(
    policies: Policies, rule: Rule, position: int, counts: dict[str, Count], warnings: dict[str, str]
) -> dict[str, Any]:
    group = policies.rules.group_name(rule.group)
    count = counts.get(rule.id, Count())
    filtered = {"events": count.events, "bytes": count.bytes, "first_at": count.first_at, "last_at": count.last_at}
    shown = told(rule) | {"group": group, "group_id": rule.group}
    return {"position": position, **shown, "filtered": filtered, "warning": warnings.get(rule.id)}


def _warnings(policies: Policies, rules: list[Rule]) -> dict[str, str]:
    """Why rules cannot match as things are: groups change after the rule was made."""
    warnings: dict[str, str] = {}
    for rule, by in shadows(rules, Members(policies.directory)):
        if by:
            names = ", ".join(each.name for each in by[:3])
            warnings[rule.id] = f"can never match: {names} before it matches first"
        elif rule.group is not None:
            gone = policies.rules.group_name(rule.group) is None
            warnings[rule.id] = "can never match: its group " + ("is gone" if gone else "has no members")
    return warnings


def captures_of(policies: Policies) -> list[dict[str, Any]]:
    counts = counts_of(policies)
    return [_shown_capture(policies, capture, counts) for capture in policies.captures.all()]


def _shown_capture(policies: Policies, capture: Capture, counts: dict[str, Count]) -> dict[str, Any]:
    events = max(capture.events, counts.get(capture.id, Count()).events)
    shown = msgspec.to_builtins(capture, builtin_types=(datetime,))
    return {**shown, "group": policies.rules.group_name(capture.group), "group_id": capture.group, "events": events}


def seen_by(services: Services) -> Any:
    """Asks the store which of some types events had."""

    def seen(names: Collection[str]) -> Collection[str]:
        params = {f"t{number}": name for number, name in enumerate(names)}
        listed = ", ".join(f"CAST(${name} AS varchar)" for name in params)
        sql = f'SELECT DISTINCT e."type" AS type FROM {dialect_of(services.store.kind).events} e WHERE e."type" IN ({listed})'  # noqa: S608, E501
        found = services.store.query(sql, params, limit=len(params), trusted=True)
        return [str(name) for name in found.table.column("type").to_pylist()]

    return seen


def tried(services: Services, test: RuleTest) -> dict[str, Any]:
    policies, fields, place = services.policies, _fields(test), Place(test.before, test.after, test.position)
    if test.which is None and not fields.given() and place == ANYWHERE:
        rules = policies.rules.read().items
    else:
        rules = policies.rules.draft(fields, place, which=test.which, name=test.name)
    trial: Trial = try_out(
        services.store,
        policies.compiled(rules),
        rules,
        since=test.since,
        until=test.until,
        users_of_keys={key.id: key.user for key in services.directory.keys(revoked=True)},
        timeout_ms=services.config.query_timeout_ms,
    )
    told: dict[str, Any] = msgspec.to_builtins(trial, builtin_types=(datetime,))
    return told


def standing(policies: Policies) -> dict[str, Any]:
    """Rules and what they filtered, in short. Blocks; raises as the directory does."""
    told_of = overview_of(policies)
    by_rule = [
        {"rule": rule["name"], "events": rule["filtered"]["events"], "bytes": rule["filtered"]["bytes"]}
        for rule in told_of["rules"]
    ]
    return {
        "version": told_of["version"],
        "rules_applied": sum(rule["enabled"] for rule in told_of["rules"]),
        "rules": len(told_of["rules"]),
        "captures": len(told_of["captures"]),
        "captured": [{"capture": each["name"], "events": each["events"]} for each in told_of["captures"]],
        "filtered": {**told_of["filtered"], "by_rule": by_rule},
    }


def policy_metrics(told_of: dict[str, Any] | None) -> list[str]:
    """Lines for Prometheus: what each rule left out, and what captures took."""
    if told_of is None:
        return []
    by_rule, captured = told_of["filtered"]["by_rule"], told_of["captured"]
    lines: list[str] = []
    for name, help_text, label, field, rows in (
        ("whodid_filtered_events_total", "Events that a rule of the policy left out.", "rule", "events", by_rule),
        ("whodid_filtered_bytes_total", "Bytes that a rule of the policy left out.", "rule", "bytes", by_rule),
        ("whodid_captured_events_total", "Events that a running capture took.", "capture", "events", captured),
    ):
        if rows:
            lines += [f"# HELP {name} {help_text}", f"# TYPE {name} counter"]
            lines += [f'{name}{{{label}="{label_text(row[label])}"}} {row[field]}' for row in rows]
    return lines

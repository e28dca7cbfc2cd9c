"""Pages of the policy: rules in their order, a draft tried on real traffic before it is switched on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from litestar import Response

from whodid.amounts import counted
from whodid.errors import WhodidError
from whodid.policy.rule import TIMEOUTS, RuleFields
from whodid.policy.rules import Place
from whodid.web import words
from whodid.web.events import record
from whodid.web.pages import frame
from whodid.web.pages.blocks import Block, Button, Doing, Facts, Table, Text
from whodid.web.pages.forms import Field, Problems, kept, lengths, shown
from whodid.web.pages.settings.captures import listed
from whodid.web.pages.settings.common import (
    Failed,
    ask,
    asked,
    by,
    confirm,
    segment,
    sent,
    show,
    to,
    tried,
)
from whodid.web.pages.settings.policy_parts import HERE, row, said, said_for, timeout, told_trial
from whodid.web.policies import RuleTest, captures_of, overview_of, seen_by
from whodid.web.policies import tried as tried_out
from whodid.web.requests import Req, segments, services_of

ADD: Final = "/settings/add/policy"
FIRST_WINS: Final = (
    "The first rule that fits who did it counts, whole; rules behind it do not. Without a rule everything is logged."
)

LEVELS: Final = (
    ("standard", "standard: without noisy types of the interface"),
    ("verbose", "verbose: all types"),
    ("custom", "custom: the types named below alone"),
)
SPANS: Final = (("1d", "the last day"), ("7d", "the last 7 days"), ("30d", "the last 30 days"))
FIELDS: Final[tuple[Field, ...]] = (
    Field("name", "Name", required=True, help="What it does, in a few words."),
    Field("user", "User", help="For this login; without user and group it is for everyone.", suggest="user"),
    Field("group", "or group", help="For its members, through groups in it.", suggest="group"),
    Field("level", "Level", "choice", required=True, choices=LEVELS),
    Field("types", "Types", "list", "With level custom: what is logged; * stands for anything.", placeholder="query-*"),
    Field("switched_off", "Types switched off", "list", "Not logged, at any level."),
    Field("sampling", "Sampling", "map", "A share of a type's events: click = 10%.", placeholder="click = 10%"),
    Field("left_out", "Parameters left out", "list", "Taken out of every event.", more=True),
    Field("hashed", "Parameters hashed", "list", "A keyed hash stands for them: searchable, not readable.", more=True),
    Field("truncated", "Parameters cut", "map", "To so many characters: sql = 200.", more=True),
    *(Field(name, timeout(name), "whole", unit="ms", more=True, help=f"{least:,} to {most:,}; empty: as they are.")
      for name, least, most in TIMEOUTS),
    Field("note", "Note", "lines", "Why it is there.", more=True),
    Field("accept_unknown", "take types and users that nobody has sent yet", "flag", more=True),
    Field("since", "Try it on", "choice", "What it would have dropped of the events of this time.", choices=SPANS,
          required=True),
)  # fmt: skip
MOVES: Final = {"up": -1, "down": 1}


async def policy(request: Req) -> Response[bytes]:
    """The rules in their order, and captures."""
    asked(request)
    services = services_of(request)
    overview = await services.call(overview_of, services.policies)
    captures = await services.call(captures_of, services.policies)
    rules = overview["rules"]
    filtered = overview["filtered"]
    total = f"{counted(filtered['events'], 'event')}, {words.size(filtered['bytes'])}, since they are counted"
    blocks: list[Block] = [
        Text([FIRST_WINS]),
        Table(
            "Rules",
            ("Rule", "For", "Logs", "#Left out", "#Bytes", "State", ""),
            [row(rule, len(rules)) for rule in rules],
            "No rules: everything that is sent is logged.",
            f"Left out in all: {total}." if rules else "",
        ),
        listed(request, captures),
    ]  # fmt: skip
    buttons = [
        Button("Add a rule", ADD, kind="main"),
        Button("Start a capture", "/settings/add/captures"),
        *([Button("Try the rules", f"{HERE}-test")] if rules else []),
    ]
    return show(request, "Policy", blocks, buttons=buttons)


async def try_rules(request: Req) -> Response[bytes]:
    """What the rules as they are would have dropped of the last 7 days."""
    asked(request)
    trial = await _trial(request, RuleTest(since="7d"))
    return show(request, "The rules on the last 7 days", told_trial(trial, frame.zone(request)), back=(HERE, "Policy"))


async def new_rule(
    request: Req, failed: Failed | None = None, trial: Mapping[str, Any] | None = None
) -> Response[bytes]:
    """The form of a rule."""
    asked(request)
    form = ask(failed, "rule", ADD, FIELDS, _submits(trial), {"level": "standard", "since": "7d"})
    blocks: list[Block] = [*(told_trial(trial, frame.zone(request)) if trial else []), form]
    return show(request, "Add a rule", blocks, back=(HERE, "Policy"), status=failed.status if failed else 200)


async def create_rule(request: Req) -> Response[bytes]:
    """Try a rule on real traffic, keep it as a draft, or switch it on."""
    services, given = services_of(request), await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        fields = _fields(values)
        if given.get("do") not in ("on", "draft"):
            trial = await _trial(request, _test(values, fields))
            return await new_rule(request, Failed("rule", kept(FIELDS, given), {}, 200), trial)
        fields.enabled = given["do"] == "on"
        how = {"by": by(request), "accept_unknown": values["accept_unknown"], "seen": seen_by(services)}
        rule = await services.call(services.policies.create, values["name"], fields, **how)
        state = "It counts from this moment on." if rule.enabled else "It is a draft: it counts once it is switched on."
        return to(HERE, f"{rule.name} is kept. {state}")

    return await _taken(request, given, work, lambda failed: new_rule(request, failed))


async def rule(request: Req, failed: Failed | None = None, trial: Mapping[str, Any] | None = None) -> Response[bytes]:
    """One rule."""
    asked(request)
    services, which = services_of(request), segments(request)[2]
    found = await _found(request, which)
    here = f"{HERE}/{segment(found['name'])}"
    values = shown(FIELDS, {**found, "sampling": _shares(found["sampling"]), "since": "7d"})
    count = found["filtered"]
    facts = Facts(
        [
            ("For", said_for(found), ""),
            ("Logs", said(found), ""),
            *((timeout(name), f"{found[name]:,} ms", "") for name, *_ in TIMEOUTS if found[name]),
            *([("Note", found["note"], "")] if found["note"] else []),
            ("State", "on" if found["enabled"] else "a draft, off", "good" if found["enabled"] else "warning"),
            ("Place", f"{found['position']} of {len(services.policies.rules.read().items)}", ""),
            ("Left out", f"{counted(count['events'], 'event')}, {words.size(count['bytes'])}", ""),
            *([("Careful", found["warning"], "warning")] if found["warning"] else []),
        ]
    )
    switch = (
        Button("Switch off", f"{here}/enabled", True, fields={"enabled": "0"})
        if found["enabled"]
        else Button("Try it, then switch it on", f"{here}/switch-on", kind="main")
    )
    form = ask(failed, "rule", here, FIELDS, _changes(trial), values, title="What it says")
    blocks: list[Block] = [facts, *(told_trial(trial, frame.zone(request)) if trial else []), form]
    blocks.append(Doing([switch, Button("Delete", f"{here}/delete", kind="danger")]))
    return show(request, found["name"], blocks, back=(HERE, "Policy"), status=failed.status if failed else 200)


async def change_rule(request: Req) -> Response[bytes]:
    """Try a change of a rule on real traffic, or keep it."""
    services, which, given = services_of(request), segments(request)[2], await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        fields = _fields(values)
        if given.get("do") != "keep":
            trial = await _trial(request, _test(values, fields, which))
            return await rule(request, Failed("rule", kept(FIELDS, given), {}, 200), trial)
        how = {"by": by(request), "accept_unknown": values["accept_unknown"], "seen": seen_by(services)}
        changed = await services.call(services.policies.change, which, fields, name=values["name"], **how)
        return to(f"{HERE}/{segment(changed.name)}", "Kept; it counts at once.")

    return await _taken(request, given, work, lambda failed: rule(request, failed))


async def move_rule(request: Req) -> Response[bytes]:
    """Put a rule one place up or down."""
    services, which, given = services_of(request), segments(request)[2], await sent(request)
    step = MOVES.get(given.get("to", ""))
    if step is None:
        raise WhodidError("invalid", "A rule goes up or down.", "Press one of the buttons.")
    place = (await _found(request, which))["position"] + step
    rules = await services.call(services.policies.rules.read)
    position = min(max(place, 1), len(rules.items))
    await services.call(services.policies.move, which, Place(position=position), by=by(request))
    return to(HERE, f"{which} is at place {position}.")


async def confirm_switch_on(request: Req) -> Response[bytes]:
    """What a draft would drop, by rule, before it is switched on."""
    asked(request)
    which = segments(request)[2]
    found = await _found(request, which)
    here = f"{HERE}/{segment(found['name'])}"
    trial = await _trial(request, RuleTest(since="7d", which=which, enabled=True))
    button = Button("Switch it on", f"{here}/enabled", True, kind="main", fields={"enabled": "1"})
    blocks: list[Block] = [*told_trial(trial, frame.zone(request)), Doing([button, Button("No, go back", here)])]
    return show(request, f"Switch {found['name']} on?", blocks, back=(here, found["name"]))


async def set_enabled(request: Req) -> Response[bytes]:
    """Switch a rule on or off."""
    services, which, given = services_of(request), segments(request)[2], await sent(request)
    fields = RuleFields(enabled=given.get("enabled") == "1")
    await services.call(services.policies.change, which, fields, by=by(request), accept_unknown=True)
    return to(HERE, f"{which} is switched {'on' if fields.enabled else 'off'}; clients have it within 5 seconds.")


async def confirm_delete(request: Req) -> Response[bytes]:
    """What deleting a rule will do."""
    asked(request)
    found = await _found(request, segments(request)[2])
    here = f"{HERE}/{segment(found['name'])}"
    count = found["filtered"]
    sentences = [
        f"{found['name']} left out {counted(count['events'], 'event')} ({words.size(count['bytes'])}) so far;"
        " that stays counted.",
        "Whom it was for falls to the next rule that fits; without one everything of theirs is logged."
        if found["enabled"]
        else "It is a draft: nothing changes for anybody.",
    ]
    return confirm(
        request, f"Delete {found['name']}?", sentences, action=f"{here}/delete", words="Delete the rule", back=here
    )


async def delete_rule(request: Req) -> Response[bytes]:
    """Take a rule away."""
    await sent(request)
    services, which = services_of(request), segments(request)[2]
    await services.call(services.policies.delete, which, by=by(request))
    return to(HERE, f"{which} is deleted.")


async def _found(request: Req, which: str) -> dict[str, Any]:
    services = services_of(request)
    overview = await services.call(overview_of, services.policies)
    for each in overview["rules"]:
        if which in (each["name"], each["id"]):
            return dict(each)
    raise WhodidError("not_found", f"There is no rule {which[:100]!r}.", f"Rules are listed at {HERE}.")


async def _trial(request: Req, test: RuleTest) -> dict[str, Any]:
    services = services_of(request)
    found: dict[str, Any] = await services.call(tried_out, services, test)
    await record(request, "audit-read", "policy test", {"since": test.since, "until": test.until, "which": test.which})
    return found


async def _taken(
    request: Req,
    given: Mapping[str, str],
    work: Callable[[dict[str, Any]], Awaitable[Response[bytes]]],
    again: Callable[[Failed], Awaitable[Response[bytes]]],
) -> Response[bytes]:
    async def checked(values: dict[str, Any]) -> Response[bytes]:
        try:
            return await work(values)
        except Problems as problems:
            return await again(Failed("rule", kept(FIELDS, given), problems.by_field, 400))

    return await tried(request, "rule", FIELDS, given, checked, again)


def _fields(values: Mapping[str, Any]) -> RuleFields:
    """A form's values as a rule's. Raises Problems."""
    given = {name: values[name] for name in RuleFields.__struct_fields__ if name in values}
    problems: dict[str, str] = {}
    given["sampling"] = {}
    for name, text in values["sampling"].items():
        try:
            given["sampling"][name] = _share(text)
        except ValueError:
            problems["sampling"] = f"{text[:50]!r} is no share: write 10% or 0.1."
    try:
        given["truncated"] = lengths("truncated", values["truncated"])
    except Problems as problem:
        problems |= problem.by_field
    if problems:
        raise Problems(problems)
    return RuleFields(**given)


def _share(text: str) -> float:
    return float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)


def _shares(sampling: Mapping[str, float]) -> dict[str, str]:
    return {name: f"{100 * share:.6g}%" for name, share in sampling.items()}


def _test(values: Mapping[str, Any], fields: RuleFields, which: str | None = None) -> RuleTest:
    return RuleTest(since=values["since"], which=which, name=values["name"], **fields.given())


def _submits(trial: object) -> list[tuple[str, str]]:
    if trial is None:
        return [("test", "Try it on real traffic"), ("draft", "Keep it as a draft, off")]
    return [("on", "Switch it on"), ("draft", "Keep it as a draft, off"), ("test", "Try it again")]


def _changes(trial: object) -> list[tuple[str, str]]:
    if trial is None:
        return [("test", "Try the change on real traffic")]
    return [("keep", "Keep the change"), ("test", "Try it again")]

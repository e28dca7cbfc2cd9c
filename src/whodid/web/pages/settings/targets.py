"""Pages of targets: how each stands, forms made from the options of its kind, trials, dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from litestar import Response

from whodid.amounts import counted
from whodid.dispatch.management import kinds
from whodid.dispatch.trial import REPLAY_MAX
from whodid.errors import WhodidError
from whodid.web import words
from whodid.web.pages.blocks import Block, Button, Doing, Table, Text
from whodid.web.pages.forms import kept
from whodid.web.pages.settings.common import (
    Failed,
    ask,
    asked,
    by,
    confirm,
    doubted,
    segment,
    sent,
    show,
    to,
    tried,
)
from whodid.web.pages.settings.target_forms import changes, fields_of, first_values, new_target, values_of
from whodid.web.pages.settings.target_parts import ADD, HERE, kind_row, letters_of, row, standing, told_dry_run
from whodid.web.requests import Req, segments, services_of

LETTERS_SHOWN: Final = 50
DRY_SINCE: Final = "1d"
# Kinds that have a list of their own, with what distinguishes their targets.
BLOCKS: Final = {"cloudwatch": ("Amazon CloudWatch", ("log_group", "region"))}


async def targets(request: Req) -> Response[bytes]:
    """All targets and how each stands; what kinds there are."""
    asked(request)
    services = services_of(request)
    found = await services.call(services.dispatch.shown)
    known = await services.call(kinds)
    others = [one for one in found if one["kind"] not in BLOCKS]
    heads = ("Target", "Kind", "State", "#Waiting", "#Oldest", "#Events/s", "#Sent", "Last error", "")
    none = "No others." if found else "None yet: events stay in the store."
    blocks: list[Block] = [Table("Targets", heads, [row(one) for one in others], none)]
    for kind, (title, options) in BLOCKS.items():
        mine = [one for one in found if one["kind"] == kind]
        names = tuple(name.replace("_", " ").capitalize() for name in options)
        rows = [row(one, options) for one in mine]
        blocks.append(Table(title, ("Block", *names, *heads[2:]), rows, "No block yet."))
        if any(one["kind"] == kind and one["installed"] for one in known):
            blocks.append(Doing([Button("ADD", f"{ADD}/{kind}", label=f"Add a block of {title}")]))
    blocks.append(Table("Kinds of targets", ("Kind", "What", "Exactly once", ""), [kind_row(one) for one in known]))
    return show(request, "Targets", blocks)


async def new(request: Req, failed: Failed | None = None, more: Sequence[Block] = ()) -> Response[bytes]:
    """The form of a target, from the options of its kind."""
    asked(request)
    kind = segments(request)[3]
    submits = [("", "Add the target"), ("paused", "Add it paused"), ("dry-run", "What would go?")]
    form = ask(failed, "target", f"{ADD}/{segment(kind)}", fields_of(kind, is_new=True), submits, first_values())
    status = failed.status if failed else 200
    return show(request, f"Add a target: {kind}", [*more, form], back=(HERE, "Targets"), status=status)


async def create(request: Req) -> Response[bytes]:
    """Make a target, or tell what would go to it."""
    services, kind, given = services_of(request), segments(request)[3], await sent(request)
    fields = fields_of(kind, is_new=True)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        draft = new_target(kind, values, running=given.get("do") != "paused")
        if given.get("do") == "dry-run":
            outcome = await services.call(services.dispatch.dry_run_draft, draft, DRY_SINCE)
            return await new(request, Failed("target", kept(fields, given), {}, 200), told_dry_run(outcome))
        made = await services.call(services.dispatch.book.create, draft, by=by(request))
        said = "it runs within a second" if draft.running else "it is paused"
        return to(f"{HERE}/{segment(made.name)}", f"{made.name} is added; {said}. Test it below.")

    return await tried(request, "target", fields, given, work, lambda failed: new(request, failed))


async def target(request: Req, failed: Failed | None = None, more: Sequence[Block] = ()) -> Response[bytes]:
    """One target: how it stands, what it is told to do, what it refused."""
    asked(request)
    services, name = services_of(request), segments(request)[2]
    found = await services.call(services.dispatch.shown_one, name)
    here = f"{HERE}/{segment(found['name'])}"
    letters = await services.call(services.dispatch.dead_letters, name, LETTERS_SHOWN)
    fields = fields_of(found["kind"], is_new=False)
    form = ask(failed, "target", here, fields, "Keep", values_of(fields, found), title="What it does", open=False)
    doubts = await doubted(request, found["selection"].get("users", ()))
    blocks: list[Block] = [
        *more,
        *doubts,
        *standing(found),
        form,
        *letters_of(letters, found["status"]["dead_letters"], here),
    ]
    blocks.append(Doing([Button("Delete", f"{here}/delete", kind="danger")]))
    goes = Button("Pause", f"{here}/pause", True) if found["running"] else Button("Resume", f"{here}/resume", True)
    buttons = [
        Button("Test", f"{here}/test", True, kind="main"),
        Button("What would go?", f"{here}/dry-run", True),
        goes,
    ]
    status = failed.status if failed else 200
    return show(
        request, found["name"], blocks, buttons=buttons, back=(HERE, "Targets"), lead=found["kind"], status=status
    )


async def change(request: Req) -> Response[bytes]:
    """Change a target; it goes on from where it is."""
    services, name, given = services_of(request), segments(request)[2], await sent(request)
    found = await services.call(services.dispatch.shown_one, name)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        fields = changes(found["kind"], values)
        await services.call(services.dispatch.book.change, name, fields, by=by(request))
        return to(f"{HERE}/{segment(name)}", "Kept; it goes on from where it is.")

    fields = fields_of(found["kind"], is_new=False)
    return await tried(request, "target", fields, given, work, lambda failed: target(request, failed))


async def test(request: Req) -> Response[bytes]:
    """Send one marked event, and show what the other side answered."""
    await sent(request)
    services, name = services_of(request), segments(request)[2]
    try:
        outcome = await services.call(services.dispatch.test, name, by=by(request))
    except WhodidError as error:
        if error.code in ("not_found", "internal"):
            raise
        told = Text([error.message, error.hint or ""], "The test failed", "bad")
        return await target(request, more=[told])
    took = f"It took {words.duration(outcome['took_ms'])}; the event is {outcome['event_id']}."
    if outcome["refused"]:
        reasons = [f"{one['code']}: {one['message']}" for one in outcome["refused"]]
        return await target(request, more=[Text([*reasons, took], "The other side refused the event", "bad")])
    told = Text([outcome["answer"] or "The other side took it.", took], "The test went well", "good")
    return await target(request, more=[told])


async def dry_run(request: Req) -> Response[bytes]:
    """Show what of the last day would go."""
    await sent(request)
    services, name = services_of(request), segments(request)[2]
    outcome = await services.call(services.dispatch.dry_run, name, DRY_SINCE)
    return await target(request, more=told_dry_run(outcome))


async def pause(request: Req) -> Response[bytes]:
    """Let a target rest."""
    await sent(request)
    services, name = services_of(request), segments(request)[2]
    await services.call(services.dispatch.book.pause, name, by=by(request))
    return to(f"{HERE}/{segment(name)}", f"{name} is paused; its place is kept.")


async def resume(request: Req) -> Response[bytes]:
    """Let a target go on."""
    await sent(request)
    services, name = services_of(request), segments(request)[2]
    await services.call(services.dispatch.book.resume, name, by=by(request))
    return to(f"{HERE}/{segment(name)}", f"{name} goes on from where it is.")


async def replay(request: Req) -> Response[bytes]:
    """Send dead letters once more, or throw them away."""
    services, name, given = services_of(request), segments(request)[2], await sent(request)
    drop = given.get("drop") == "1"
    try:
        outcome = await services.call(services.dispatch.replay, name, limit=REPLAY_MAX, drop=drop, by=by(request))
    except WhodidError as error:
        if error.code in ("not_found", "internal"):
            raise
        return await target(request, more=[Text([error.message, error.hint or ""], "They could not be sent", "bad")])
    if drop:
        return to(f"{HERE}/{segment(name)}", f"{counted(outcome.get('dropped', 0), 'dead letter')} are thrown away.")
    told = f"{outcome['replayed']:,} were taken, {outcome['refused']:,} refused again, {outcome['left']:,} are left."
    return to(f"{HERE}/{segment(name)}", told)


async def confirm_drop(request: Req) -> Response[bytes]:
    """What throwing dead letters away will do."""
    asked(request)
    services, name = services_of(request), segments(request)[2]
    found = await services.call(services.dispatch.shown_one, name)
    here = f"{HERE}/{segment(found['name'])}"
    letters = found["status"]["dead_letters"]
    sentences = [
        f"{counted(min(letters, REPLAY_MAX), 'event')} that {name} refused will not be sent to it any more."
        " They stay in the store.",
        "This cannot be taken back.",
    ]
    return confirm(request, f"Throw {counted(letters, 'dead letter')} away?", sentences, action=f"{here}/replay",
                   words="Throw them away", back=here, drop="1")  # fmt: skip


async def confirm_delete(request: Req) -> Response[bytes]:
    """What deleting a target will do."""
    asked(request)
    services, name = services_of(request), segments(request)[2]
    found = await services.call(services.dispatch.shown_one, name)
    stands, here = found["status"], f"{HERE}/{segment(found['name'])}"
    sentences = [
        f"{counted(stands['waiting_events'], 'event')} that wait for {name} will not be sent, and"
        f" {counted(stands['dead_letters'], 'dead letter')} are thrown away. All of them stay in the store.",
        f"What {name} has sent ({counted(stands['sent'], 'event')}) stays where it is.",
        "Its credentials are forgotten. This cannot be taken back.",
    ]
    return confirm(request, f"Delete {name}?", sentences, action=f"{here}/delete", words="Delete the target", back=here)


async def delete(request: Req) -> Response[bytes]:
    """Take a target away, with its dead letters."""
    await sent(request)
    services, name = services_of(request), segments(request)[2]
    await services.call(services.dispatch.delete, name, drop=True, by=by(request))
    return to(HERE, f"{name} is deleted.")

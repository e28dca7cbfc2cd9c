"""What all pages of settings share: their frame, notices after a change, forms that failed, what is asked before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from litestar import Response

from whodid.addresses import parts_of
from whodid.errors import WhodidError
from whodid.receive.access import LOCAL_PROGRAM
from whodid.web import browsers, words
from whodid.web.pages import forms, frame
from whodid.web.pages.blocks import Asked, Block, Button, Item, Text
from whodid.web.pages.forms import Field, Form, Problems
from whodid.web.pages.settings import allowed
from whodid.web.requests import Req, caller_of, name_of, one, query_of, services_of
from whodid.web.rights import Doors
from whodid.web.unknown_users import warning_of

FIELDS_MAX: Final = 200
FORM_BYTES_MAX: Final = 512 * 1024
NOTICE_MAX: Final = 200


class Section(NamedTuple):
    """A part of the settings."""

    path: str
    title: str
    lead: str


SECTIONS: Final[tuple[Section, ...]] = (
    Section("/settings/users", "Users", "Who they are, what they may, where they are signed in."),
    Section("/settings/groups", "Groups", "Users under one name: for roles, rules, filters and connections."),
    Section("/settings/keys", "Keys", "What programs show instead of a sign-in."),
    Section("/settings/policy", "Policy", "What is logged of whom, and what is kept for a while after all."),
    Section("/settings/targets", "Targets", "Where events are sent to besides the store."),
    Section("/settings/connections", "Connections", "Places that hold files, with their credentials."),
    Section("/settings/datasets", "Datasets", "Files of a connection: looked into, read, imported."),
    Section("/settings/schedules", "Schedules", "Reports that go out by themselves, as files or by mail."),
    Section("/settings/alerts", "Alerts", "What is looked for, who is told, what is firing."),
    Section("/settings/mail", "Mail", "The mail server that reports and alerts go by."),
    Section("/settings/retention", "Retention", "How long events are kept."),
    Section("/settings/status", "Status", "How the server stands, in plain words."),
)


# Addresses that belong to a section under another name.
_ALSO: Final = {
    "/settings/captures": "/settings/policy",
    "/settings/policy-test": "/settings/policy",
    "/settings/webhooks": "/settings/alerts",
    "/settings/extensions": "/settings/connections",
}


def section_of(path: str) -> Section:
    """The section that an address lies in."""
    path = path.replace("/settings/add/", "/settings/", 1)
    path = next((_ALSO[part] for part in _ALSO if path.startswith(part)), path)
    return next((one for one in SECTIONS if path == one.path or path.startswith(f"{one.path}/")), SECTIONS[0])


def may_change(request: Req) -> bool:
    """Whether the caller may change settings, or only reads some."""
    return "admin" in caller_of(request).scopes


def reads_only(request: Req) -> str:
    """What is said to who may only read; nothing to who may change settings."""
    caller = caller_of(request)
    if caller is LOCAL_PROGRAM:
        return "You may read this. To change it, sign in with the link that whodid user sign-in prints."
    return "" if may_change(request) else "You may read this; administrators change it."


def opens(request: Req, address: str) -> bool:
    """Whether the caller may open an address."""
    doors: Doors = request.app.state.doors
    return doors.open_to(caller_of(request), address)


def sections_for(request: Req) -> list[Section]:
    """The parts of the settings that the caller may open."""
    return [one for one in SECTIONS if opens(request, one.path)]


def show(
    request: Req,
    title: str,
    blocks: Sequence[Block],
    *,
    buttons: Sequence[Button] = (),
    back: tuple[str, str] | None = None,
    lead: str = "",
    search: str | None = None,
    watched: bool = False,
    status: int = 200,
) -> Response[bytes]:
    """A page of settings.

    back    where it belongs to: address and words.
    search  what is looked for in the list; None when it cannot be searched.
    watched whether something goes on that the page follows.
    What was done, by `done` of the address, is its notice. Forms, buttons and links that the caller may not use are
    left out.
    """
    section = section_of(request.url.path)

    def leads(address: str) -> bool:
        return opens(request, address)

    return frame.page(
        request,
        "settings.html",
        status=status,
        at="/settings",
        title=title,
        section=section,
        sections=sections_for(request),
        reads_only=reads_only(request),
        blocks=allowed.blocks_for(blocks, leads, may_change=may_change(request)),
        search=search,
        watched=watched,
        buttons=allowed.buttons_for(buttons, leads, may_change=may_change(request)),
        back=back,
        lead=lead,
        done=_notice(request),
    )


def shown_in_use(request: Req, name: str, uses: Sequence[str], *, back: str) -> Response[bytes]:
    """Instead of what deleting will do: what uses it, and has to go or to change first."""
    sentences = [f"{name} cannot be deleted as long as it is used. Delete or change first:", *uses]
    return show(request, f"{name} is in use", [Text(sentences, kind="warning")], back=(back, name))


async def doubted(request: Req, logins: Iterable[str | None]) -> list[Block]:
    """A word on logins that nobody has."""
    services = services_of(request)
    warning = await services.call(warning_of, services.directory, logins)
    return [Text([warning], kind="warning")] if warning else []


def _notice(request: Req) -> str:
    """What was done, when a page of ours led here: nobody else puts words into the mouth of this one."""
    came_from = parts_of(request.headers.get("referer", "")).netloc
    own = {request.headers.get("host", ""), parts_of(services_of(request).config.public_url).netloc}
    return (request.query_params.get("done") or "")[:NOTICE_MAX] if came_from and came_from in own else ""


async def sent(request: Req) -> dict[str, str]:
    """The fields of a form of settings."""
    return await browsers.form_of(request, bytes_max=FORM_BYTES_MAX, fields_max=FIELDS_MAX)


def by(request: Req) -> str:
    """Who does it."""
    return name_of(caller_of(request))


def asked(request: Req, *names: str) -> dict[str, str]:
    """The query parameters of a page of settings, `done` besides."""
    given = query_of(request, [*names, "done"])
    return {name: one(given, name) for name in names}


def to(path: str, done: str = "", **query: str) -> Response[bytes]:
    """On to another page by GET, with a notice of what was done."""
    pairs = {**query, **({"done": done[:NOTICE_MAX]} if done else {})}
    return browsers.goes_on(f"{path}?{urlencode(pairs)}" if pairs else path)


class Failed(NamedTuple):
    """A form that could not be taken: which of the page, what stood in it, what is wrong, and the status to answer."""

    which: str
    values: Mapping[str, Any]
    problems: Mapping[str, str]
    status: int


async def tried(
    request: Req,
    which: str,
    fields: Sequence[Field],
    given: Mapping[str, str],
    work: Callable[[dict[str, Any]], Awaitable[Response[bytes]]],
    again: Callable[[Failed], Awaitable[Response[bytes]]],
) -> Response[bytes]:
    """Read a form and do its work; what is wrong is shown in the form `which` of the page `again`, beside its field."""
    try:
        return await work(forms.read(fields, given, frame.zone(request)))
    except Problems as problems:
        return await again(Failed(which, forms.kept(fields, given), problems.by_field, 400))
    except WhodidError as error:
        if error.code == "internal":
            raise
        told = forms.about(error, fields)
        return await again(Failed(which, forms.kept(fields, given), told, error.kind.status))


def ask(
    failed: Failed | None,
    which: str,
    action: str,
    fields: Sequence[Field],
    submits: str | Sequence[tuple[str, str]],
    values: Mapping[str, Any] | None = None,
    **more: Any,
) -> Asked:
    """A form of a page: with `values`, or as it was sent when it was this one that failed."""
    buttons = [("", submits)] if isinstance(submits, str) else submits
    if failed is not None and failed.which == which:
        return Asked(Form(action, fields, buttons, failed.values, failed.problems, **more))
    return Asked(Form(action, fields, buttons, values or {}, **more))


def confirm(
    request: Req, title: str, sentences: Sequence[str], *, action: str, words: str, back: str, **fields: str
) -> Response[bytes]:
    """The page that says in numbers what something dangerous will do, with the button that does it."""
    hidden = [Field(name, name, "hidden") for name in fields]
    form = Form(action, hidden, [("", words)], values=fields, danger=True)
    return frame.page(
        request,
        "confirm.html",
        at="/settings",
        title=title,
        section=section_of(request.url.path),
        sections=sections_for(request),
        sentences=sentences,
        form=Asked(form),
        back=back,
    )


def segment(name: str) -> str:
    """A name as a part of an address."""
    return quote(name, safe="")


def moment_item(value: Any, request: Req, never: str = "never") -> Item:
    """A time: how long ago, exactly on hovering."""
    if value is None:
        return Item(never, kind="time")
    return Item(words.ago(value), title=words.moment(value, frame.zone(request)), kind="time")

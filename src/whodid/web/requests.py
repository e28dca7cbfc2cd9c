"""What handlers read from a request: who asks, the filter, the format, the parts of the path, the body."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote, unquote_to_bytes

import msgspec
from litestar import Request

from whodid.errors import WhodidError
from whodid.reading.filters import LISTS, EventFilter, make_filter
from whodid.reading.output import FORMATS
from whodid.receive.access import Caller
from whodid.typed import decode
from whodid.web.misfits import misfit
from whodid.web.services import Services

Req = Request[Any, Any, Any]
T = TypeVar("T")

BODY_BYTES_MAX: Final = 1024 * 1024
FILTERS: Final = EventFilter.__struct_fields__
_FORMS_BY_MEDIA_TYPE: Final = {form.media_type.partition(";")[0]: name for name, form in FORMATS.items()} | {
    "application/x-parquet": "parquet",
    "application/jsonl": "ndjson",
}


def services_of(request: Req) -> Services:
    services: Services = request.app.state.services
    return services


def address_here(request: Req) -> str:
    """The address of this server as others reach it, without a slash at its end."""
    return services_of(request).config.public_url.rstrip("/") or str(request.base_url).rstrip("/")


def caller_of(request: Req) -> Caller:
    """Who asks; the guard has let them in."""
    caller: Caller = request.state.caller
    return caller


def name_of(caller: Caller) -> str:
    """The caller as `user` of an event: the person's login, else the program's name, marked as that of a program."""
    return caller.user or f"api:{caller.name}"


def query_of(request: Req, known: Iterable[str] | None) -> dict[str, list[str]]:
    """The query parameters; None knows all. Raises WhodidError("invalid") for one that is not `known`."""
    allowed = None if known is None else set(known)
    given: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        if allowed is not None and name not in allowed:
            raise WhodidError(
                "invalid", f"There is no parameter {name[:100]!r} here.", f"Parameters: {', '.join(sorted(allowed))}."
            )
        given.setdefault(name, []).append(value)
    return given


def filter_of(request: Req, names: Sequence[str] = FILTERS, *, also: Sequence[str] = ("format",)) -> EventFilter:
    """The filter that the query parameters `names` make."""
    given = query_of(request, [*names, *also])
    return make_filter(
        **{name: _value(name, values) for name, values in given.items() if name not in also and values != [""]}
    )


def number(name: str, text: str) -> int:
    """A whole number of a query parameter, which no database finds too large."""
    if not (text.isascii() and (digits := text.removeprefix("-")).isdigit() and len(digits) < 19):
        raise WhodidError("invalid", f"{name} is {text[:50]!r}, which is no whole number.")
    return int(text)


def bounded(given: dict[str, list[str]], name: str, default: int, least: int, most: int) -> int:
    """A whole number of a query parameter, within its bounds."""
    value = number(name, one(given, name, str(default)))
    if not least <= value <= most:
        raise WhodidError("invalid", f"{name} is {value}; it goes from {least:,} to {most:,}.")
    return value


def one(given: dict[str, list[str]], name: str, default: str = "") -> str:
    """The one value of a parameter."""
    return _single(name, given.get(name, [default]))


def form_of(request: Req) -> str:
    """The format to answer in: `?format=`, else the first of the Accept header that there is, else JSON."""
    wanted = request.query_params.getall("format", [])
    if wanted:
        if wanted[-1] not in FORMATS:
            raise WhodidError("invalid", f"There is no format {wanted[-1][:50]!r}.", f"Formats: {', '.join(FORMATS)}.")
        return str(wanted[-1])
    choices = []
    for place, choice in enumerate(request.headers.get("accept", "")[:1_000].split(",")):
        media_type, *options = (part.strip().lower() for part in choice.split(";"))
        weight = next((option[2:] for option in options if option.startswith("q=")), "1")
        choices.append((-_weight(weight), place, media_type))
    found = (_FORMS_BY_MEDIA_TYPE.get(media_type) for weight, _, media_type in sorted(choices) if weight < 0)
    return next((form for form in found if form), "json")


def segments(request: Req) -> list[str]:
    """The path's segments, each decoded by itself, so that a name may hold a slash (`%2F`)."""
    raw: bytes = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    try:
        return [unquote_to_bytes(part).decode() for part in raw.partition(b"?")[0].split(b"/") if part]
    except UnicodeDecodeError:
        raise WhodidError("invalid", "The path is not UTF-8.", "Percent-encode names as UTF-8.") from None


def routed_path(scope: Any) -> str:
    """The path to find the route by: slashes within a segment stay encoded, so that they divide nothing."""
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    parts = raw.partition(b"?")[0].split(b"/")
    return "/".join(unquote_to_bytes(part).decode("utf-8", "replace").replace("/", "%2F") for part in parts)


async def body_of(request: Req, kind: type[T]) -> T:
    """The JSON body as `kind`.

    Raises
    ------
    WhodidError("too_large")
        It is longer than `BODY_BYTES_MAX`.
    WhodidError("invalid"), WhodidError("unsupported")
        It is no JSON, or not this.
    """
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise WhodidError("unsupported", f"The body is {media_type[:100]!r}.", "Send application/json.")
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > BODY_BYTES_MAX:
            raise WhodidError("too_large", f"The body is longer than {BODY_BYTES_MAX:,} bytes.")
    try:
        return decode(bytes(data), kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise misfit(error, kind) from error


def _value(name: str, values: list[str]) -> Any:
    if name in LISTS:
        return values
    text = _single(name, values)
    return number(name, text) if name == "limit" else text


def _single(name: str, values: list[str]) -> str:
    if len(values) > 1:
        raise WhodidError("invalid", f"{name} is given {len(values)} times.", "Give it once.")
    return values[0]


def _weight(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0

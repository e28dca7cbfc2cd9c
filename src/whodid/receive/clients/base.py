"""The contract of a foreign client: its requests in, native events out, and answers that it understands.

A client is one file with rows of `Route`. `Route.read` turns a request into events; it does not block and knows no
journal. What the request goes through besides (key, limits, binding, journal) is the same as for `POST /v1/events`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from whodid.errors import WhodidError
from whodid.event import Rejection
from whodid.formats.base import Decoded
from whodid.receive.access import Caller
from whodid.receive.answer import error_body

if TYPE_CHECKING:
    from whodid.receive.clients.library import Library


class Request(NamedTuple):
    """A request of a client.

    names    what stood for the `{names}` of the route's path, decoded.
    query    the query's values; of several for a name the last.
    headers  lower-case names.
    body     whole and decompressed; empty while the key is looked for.
    caller   whose key it is; None while that is looked for.
    """

    method: str
    path: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    body: bytes
    received_at: datetime
    caller: Caller | None = None

    @property
    def media_type(self) -> str:
        return self.headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")


class Person(NamedTuple):
    """Somebody whom a client introduces: to be known under `login`, with what the directory can hold of them."""

    login: str
    fields: Mapping[str, str]
    groups: Sequence[str] = ()
    group_names: Mapping[str, str] = {}


class Taken(NamedTuple):
    """What a request told.

    decoded  its events, and what could not become one.
    counted  things that are counted and not stored, by name.
    people   whom it introduces.
    """

    decoded: Decoded
    counted: Mapping[str, int] = {}
    people: Sequence[Person] = ()


class Outcome(NamedTuple):
    """What became of the events of a request. Those accepted are on disk; those filtered the policy left out."""

    accepted: int = 0
    duplicates: int = 0
    rejects: Sequence[Rejection] = ()
    filtered: int = 0


class Answer(NamedTuple):
    """An HTTP answer; `headers` beyond content type, length and request id."""

    status: int
    body: bytes
    media_type: str = "application/json"
    headers: Sequence[tuple[bytes, bytes]] = ()


# Answers to a request whose events are on disk, and to one that failed: the error, the outcome if all were rejected.
Accepted = Callable[[Request, Outcome], Answer]
Failed = Callable[[Request, WhodidError, Outcome, bytes], Answer]


def no_key(request: Request) -> str | None:
    """The key is where `Access` looks: in the header Authorization, as Bearer or Basic."""
    return None


def accepted_plainly(request: Request, outcome: Outcome) -> Answer:
    counts = {"accepted": outcome.accepted, "duplicates": outcome.duplicates, "filtered": outcome.filtered}
    return json_answer(counts)


def failed_plainly(request: Request, error: WhodidError, outcome: Outcome, identifier: bytes) -> Answer:
    """The one shape of errors, with what clients look for besides: `code`, `message`, `detail`."""
    told = {"code": error.code, "message": error.message, "detail": str(error)}
    return json_answer(error_body(error, identifier) | told | _rejected(outcome), status=error.kind.status)


def _rejected(outcome: Outcome) -> dict[str, Any]:
    rejected = [{"index": each.index, "code": each.code, "message": each.message} for each in outcome.rejects]
    return {"rejected": rejected} if rejected else {}


class Route(NamedTuple):
    """One address of a client.

    client       names the client in the events' `format` and in counts.
    path         with `{names}` for variable parts; the last may be `{name*}`, the rest of the path. A trailing slash
                 makes no difference.
    scope        what the caller's key needs; "" for any key.
    read         turns a request that writes into events; raises WhodidError for one that cannot be read at all.
    show         answers a request that reads; blocks, and is called in a thread.
    key          finds the key where this client sends it, if not in the header Authorization.
    key_in_body  `key` needs the body.
    """

    client: str
    method: str
    path: str
    read: Callable[[Request], Taken] | None = None
    show: Callable[[Request, Library], Answer] | None = None
    scope: str = "write"
    key: Callable[[Request], str | None] = no_key
    key_in_body: bool = False
    accepted: Accepted = accepted_plainly
    failed: Failed = failed_plainly


def json_answer(value: Any, *, status: int = 200) -> Answer:
    """An answer in JSON."""
    return Answer(status, msgspec.json.encode(value))


EMPTY: Final = Outcome()

"""Who is acting, in which session, request and run: kept in a context variable, so threads and tasks do not mix."""

from __future__ import annotations

import contextvars
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from whodid.client.message import fresh_id

User = str | Callable[[], str | None] | None

# A session that is silent for so long is over, unless the policy says otherwise.
SESSION_IDLE_MS: Final = 30 * 60 * 1000

_NOTHING: Final[MappingProxyType[str, Any]] = MappingProxyType({})


class Session:
    """The id of a session that was begun here; after a silence it is another one."""

    __slots__ = ("_last_s", "id")

    def __init__(self) -> None:
        self.id = fresh_id()
        self._last_s = time.monotonic()

    def at(self, idle_ms: int | None) -> str:
        """The id for what happens at this moment. Two threads at once may each begin one: the later one stays."""
        at_s = time.monotonic()
        if at_s - self._last_s > (SESSION_IDLE_MS if idle_ms is None else idle_ms) / 1000:
            self.id = fresh_id()
        self._last_s = at_s
        return self.id


class Scope(NamedTuple):
    """What messages get that do not say it themselves. `run` is the id of the run of an audited function.

    A session that was `begun` here is followed by another after a silence; `session` is the id that it began with.
    """

    user: User = None
    session: str | None = None
    begun: Session | None = None
    acting_for: str | None = None
    via: str | None = None
    request_id: str | None = None
    run: str | None = None
    params: MappingProxyType[str, Any] = _NOTHING


NOWHERE: Final = Scope()
CURRENT: Final[contextvars.ContextVar[Scope]] = contextvars.ContextVar("whodid_scope", default=NOWHERE)


@contextmanager
def within(scope: Scope) -> Iterator[Scope]:
    """Make `scope` the current one until the block ends."""
    before = CURRENT.get()
    token = CURRENT.set(scope)
    try:
        yield scope
    finally:
        try:
            CURRENT.reset(token)
        except ValueError:
            # A generator that is closed by another task or thread ends in that one's context.
            if CURRENT.get() is scope:
                CURRENT.set(before)


@contextmanager
def session(
    user: User = None,
    *,
    id: str | None = None,
    acting_for: str | None = None,
    via: str | None = None,
    params: dict[str, Any] | None = None,
) -> Iterator[Scope]:
    """Messages within the block belong to one session of `user`; a new one unless `id` names it (a UUID). A new one is
    followed by another after a silence of `session_idle_ms` (the policy's, else 30 minutes).

    user    login, or a function that tells it when a message is made.
    params  parameters of every message within.

    A session within a session inherits what it does not say itself, except the session's id when it has another user.
    """
    outer = CURRENT.get()
    same = user is None or user == outer.user
    if id is not None:
        name, begun = _session_id(id), None
    elif same and outer.session is not None:
        name, begun = outer.session, outer.begun
    else:
        begun = Session()
        name = begun.id
    scope = outer._replace(
        user=outer.user if user is None else user,
        session=name,
        begun=begun,
        acting_for=acting_for if acting_for is not None else outer.acting_for if same else None,
        via=via if via is not None else outer.via if same else None,
        params=merged(outer.params, params),
    )
    with within(scope):
        yield scope


@contextmanager
def request(request_id: str | None = None, *, params: dict[str, Any] | None = None) -> Iterator[str]:
    """Messages within the block share a request id: a new one unless it is given. Yields it."""
    outer = CURRENT.get()
    identifier = request_id or fresh_id()
    with within(outer._replace(request_id=identifier[:1000], params=merged(outer.params, params))):
        yield identifier


@contextmanager
def context(**params: Any) -> Iterator[None]:
    """Messages within the block have these parameters too."""
    outer = CURRENT.get()
    with within(outer._replace(params=merged(outer.params, params))):
        yield


def merged(outer: MappingProxyType[str, Any], params: dict[str, Any] | None) -> MappingProxyType[str, Any]:
    """Parameters with more of them on top."""
    return MappingProxyType({**outer, **params}) if params else outer


def user_of(user: User) -> str | None:
    """The login; None when the function that should tell it fails."""
    if not callable(user):
        return user
    try:
        found = user()
    except Exception:
        return None
    return None if found is None else str(found)[:200]


def _session_id(given: str) -> str:
    """A UUID in its canonical form; another id stays as it is: the server keeps it beside the UUID it makes of it."""
    try:
        return str(uuid.UUID(given))
    except (ValueError, AttributeError):
        return str(given)

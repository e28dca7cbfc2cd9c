"""The Logger: what a program calls to say who did what."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self, Unpack

from whodid.client import scope as scopes
from whodid.client.carrier import Carrier
from whodid.client.encode import encoded
from whodid.client.exceptions import message_of, trace_of, type_of
from whodid.client.message import DROP, Fields, FieldsOfError, Message, entities_of, fresh_id
from whodid.client.scope import CURRENT, NOWHERE, Scope, User
from whodid.client.settings import settings_of
from whodid.client.stats import Stats
from whodid.client.sync import SyncSender

Processor = Callable[[Message], Any]

# The fields that may be told once for every message.
_OF_ALL: Final = frozenset(
    ("user", "session", "acting_for", "via", "topic", "routing_key", "source", "node", "node_type", "function")
)

_processing: Final = threading.local()


class Logger:
    """Logs messages to a whodid server. Calls return at once; what they log is sent in batches, and nothing is lost
    while the server is away. Made once for a program; safe for threads, tasks and forks.

    url, key         of the server; else `WHODID_SERVER` and `WHODID_KEY`.
    callback         sees every message before it is sent, and may change it; `processors` are called after it, in
                     order. One that returns a Message replaces it, `DROP` keeps it back; one that throws changes
                     nothing about the sending, and is counted.
    params           parameters of every message.
    user, session, acting_for, via, topic, routing_key, source, node, node_type, function
                     of every message that does not say its own.
    spool            the folder for events while the server is away; else `WHODID_SPOOL`, else the user's state folder;
                     False keeps them in memory only. `spool_bytes_max` (512 MiB) is what it may hold.
    overflow         when buffer and spool are full: "drop" (counted), "block" or "raise".
    buffer_events_max (100,000), buffer_bytes_max (64 MiB)  what waits in memory.
    batch_events_max (1,000), batch_bytes_max (1 MiB), flush_interval_ms (1,000)  when a batch is sent.
    request_timeout_ms (10,000), retry_min_ms (200), retry_max_ms (30,000)  for requests and between tries.
    refused_pause_ms (300,000)  between tries while the server refuses the key.
    exit_timeout_ms (5,000)     for sending at exit; the rest goes to the spool.
    policy           whether to apply the server's policy before sending.
    tls              an `ssl.SSLContext` for https.
    uncaught         log uncaught exceptions; see `catch_uncaught`.
    enabled          False: every call returns at once and sends nothing.

    Raises
    ------
    WhodidError("invalid")
        No server, or an option that cannot be; permanent.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        callback: Processor | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        processors: Iterable[Processor] = (),
        spool: str | Path | bool | None = None,
        uncaught: bool = False,
        enabled: bool = True,
        **options: Any,
    ):
        self._fields = {name: options.pop(name) for name in list(options) if name in _OF_ALL}
        self._params = dict(params or {})
        self._processors = (*((callback,) if callback else ()), *processors)
        self._enabled = enabled
        self._carrier: Carrier | None = None
        self._sync: SyncSender | None = None
        if enabled:
            settings = settings_of(url, key, spool, options)
            self._carrier = Carrier(settings)
            self._sync = SyncSender(settings, self._carrier.counters)
        if uncaught:
            self.catch_uncaught()

    @classmethod
    def create(cls, **options: Any) -> Self:
        """A Logger from the environment, with `params` and other options by name."""
        return cls(**options)

    def log(
        self,
        message: str | None,
        params: Mapping[str, Any] | None = None,
        type: str = "log",
        **fields: Unpack[Fields],
    ) -> str:
        """Log what happened, at the level audit; with type "error" at the level error. Returns the event's id."""
        return self._log("error" if type == "error" else "audit", type, message, params, fields)

    def audit(
        self,
        message: str | None,
        params: Mapping[str, Any] | None = None,
        type: str = "log",
        **fields: Unpack[Fields],
    ) -> str:
        """Log who did what, at the level audit. Returns the event's id."""
        return self._log("audit", type, message, params, fields)

    def usage(
        self,
        message: str | None,
        params: Mapping[str, Any] | None = None,
        type: str = "usage",
        **fields: Unpack[Fields],
    ) -> str:
        """Log how the program is used."""
        return self._log("usage", type, message, params, fields)

    def info(self, message: str | None, params: Mapping[str, Any] | None = None, **fields: Unpack[Fields]) -> str:
        """Log what may be good to know."""
        return self._log("info", "info", message, params, fields)

    def debug(self, message: str | None, params: Mapping[str, Any] | None = None, **fields: Unpack[Fields]) -> str:
        """Log what helps to find errors."""
        return self._log("debug", "debug", message, params, fields)

    def warning(self, message: str | None, params: Mapping[str, Any] | None = None, **fields: Unpack[Fields]) -> str:
        """Log what may go wrong."""
        return self._log("warning", "warning", message, params, fields)

    def error(
        self,
        message: str | BaseException | None,
        params: Mapping[str, Any] | str | None = None,
        stack_trace: str | None = None,
        **fields: Unpack[FieldsOfError],
    ) -> str:
        """Log what went wrong: a text, or an exception with its stack trace and the chain of its causes.

        The stack trace may also be the second argument.
        """
        if isinstance(params, str):
            params, stack_trace = None, params
        told: dict[str, Any] = {**fields}
        if stack_trace is not None:
            told["stack_trace"] = stack_trace
        if isinstance(message, BaseException):
            told.setdefault("error_message", message_of(message))
            told.setdefault("stack_trace", trace_of(message))
            params = {"error_type": type_of(message), **(params or {})}
            message = told["error_message"]
        elif message is not None:
            told.setdefault("error_message", str(message))
        return self._log("error", "error", message, params, told)

    def audit_sync(
        self,
        message: str | None,
        params: Mapping[str, Any] | None = None,
        type: str = "log",
        *,
        timeout_s: float = 30.0,
        **fields: Unpack[Fields],
    ) -> str:
        """Log who did what, and return only when the server has it on its disk. Returns the event's id.

        It goes at once, before what still waits. When it raises, the event is not kept here; the server may have it if
        only its answer was lost.

        Raises
        ------
        WhodidError
            "unavailable" (temporary): the server did not take it within `timeout_s` seconds. Other codes (permanent):
            the server refused it, and says why.
        """
        if self._sync is None:
            return ""
        found = self._message("audit", type, message, params, fields)
        if found is None:
            return ""
        self._sync.send(encoded(found), timeout_s)
        return found.id

    def session(
        self,
        user: User = None,
        *,
        id: str | None = None,
        acting_for: str | None = None,
        via: str | None = None,
        params: dict[str, Any] | None = None,
    ) -> Any:
        """`with logger.session(user="ann"):` what is logged within belongs to one session; see `scope.session`."""
        return scopes.session(user, id=id, acting_for=acting_for, via=via, params=params)

    def request(self, request_id: str | None = None, *, params: dict[str, Any] | None = None) -> Any:
        """`with logger.request() as id:` what is logged within shares a request id."""
        return scopes.request(request_id, params=params)

    @contextmanager
    def context(self, **params: Any) -> Iterator[Self]:
        """`with logger.context(order=7):` what is logged within has these parameters."""
        with scopes.context(**params):
            yield self

    def package(self, name: str) -> Self:
        """A logger for a package: its messages have the parameters `package` and `packageName`."""
        return self.bind(package=name, packageName=name)

    def bind(self, **params: Any) -> Self:
        """A logger with more parameters, on the same buffer and connection."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._params = {**self._params, **params}
        return other

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Have the server settle everything logged before. Returns False when `timeout_s` seconds were not enough:
        then it still waits, in memory or on disk, and will be sent."""
        return self._carrier is None or self._carrier.flush(timeout_s)

    def close(self, timeout_s: float | None = None) -> bool:
        """Send what waits, or bring it to the spool, and end the threads; the next call starts them again. Done at
        exit by itself. Returns whether everything logged was settled."""
        if self._carrier is None or self._sync is None:
            return True
        self._sync.close()
        return self._carrier.close(timeout_s)

    def stats(self) -> Stats:
        """What became of the messages."""
        return Stats() if self._carrier is None else self._carrier.stats()

    def catch_uncaught(self) -> Callable[[], None]:
        """Log exceptions that nothing catches: of the program, its threads and its asyncio tasks. What handled them
        before still does. Returns a function that undoes it."""
        from whodid.client.uncaught import install

        return install(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        where = self._carrier.settings.url if self._carrier else "disabled"
        return f"<Logger {where}>"

    def emit(
        self, level: str, type: str, message: str | None, params: Mapping[str, Any] | None = None, **fields: Any
    ) -> str:
        """Log a message of any level and type; `fields` are those of `Fields`. For pieces that tell all of it."""
        return self._log(level, type, message, params, fields)

    def count_failure(self, error: Exception) -> None:
        """A message could not be made, or not as it was meant: counted, and reported once."""
        self._failed(error)

    def _log(self, level: str, kind: str, text: Any, params: Mapping[str, Any] | None, fields: Any) -> str:
        carrier = self._carrier
        if carrier is None:
            return ""
        message = self._message(level, kind, text, params, fields)
        if message is None:
            return ""
        policy = carrier.policies.of(message.user)
        if policy is not None:
            if not policy.admits(message):
                carrier.counters.add(filtered=1)
                return message.id
            policy.trim(message)
        try:
            line = encoded(message)
        except Exception as error:
            self._failed(error)
            return message.id
        carrier.put(line)
        return message.id

    def _message(
        self, level: str, kind: str, text: Any, params: Mapping[str, Any] | None, fields: Any
    ) -> Message | None:
        scope = CURRENT.get()
        told: dict[str, Any] = {**self._fields, **fields} if self._fields else dict(fields)
        message = Message(
            id=told.pop("id", None) or fresh_id(),
            time=told.pop("time").astimezone(UTC) if "time" in told else datetime.now(UTC),
            type=kind,
            level=level,
            message=text,
            params=self._merged(scope, params),
        )
        if told:
            self._fill(message, told)
        if scope is not NOWHERE:
            self._situate(message, scope)
        if "stackTrace" in message.params and message.stack_trace is None:
            _take_trace(message)
        return self._processed(message) if self._processors else message

    def _situate(self, message: Message, scope: Scope) -> None:
        if message.user is None:
            message.user = scopes.user_of(scope.user)
            message.acting_for = message.acting_for or scope.acting_for
            message.via = message.via or scope.via
        if message.session is None:
            message.session = self._session(scope, message.user)
        if message.request_id is None:
            message.request_id = scope.request_id

    def _session(self, scope: Scope, user: str | None) -> str | None:
        if scope.begun is None:
            return scope.session
        policy = self._carrier.policies.of(user) if self._carrier is not None else None
        return scope.begun.at(policy.session_idle_ms if policy is not None else None)

    def _merged(self, scope: Scope, params: Any) -> dict[str, Any]:
        merged = {**self._params, **scope.params}
        if params is None:
            return merged
        try:
            merged.update(params)
        except (TypeError, ValueError):
            merged["value"] = params
        return merged

    def _fill(self, message: Message, told: dict[str, Any]) -> None:
        entities = told.pop("entities", None)
        if entities is not None:
            try:
                message.entities = entities_of(entities)
            except Exception as error:
                message.params["entities"] = entities
                self._failed(error)
        for name, value in told.items():
            if name not in Fields.__annotations__:
                raise TypeError(f"A message has no field {name!r}; give it in params.")
            setattr(message, name, scopes.user_of(value) if name == "user" else value)

    def _processed(self, message: Message) -> Message | None:
        if getattr(_processing, "active", False):
            # A processor that logs would be asked about its own messages, and theirs.
            return message
        _processing.active = True
        try:
            for processor in self._processors:
                try:
                    found = processor(message)
                except Exception as error:
                    self._carrier_counts(callback_failures=1)
                    self._report("callback", "A callback of the Logger failed; the message is sent.", error)
                    continue
                if found is DROP:
                    self._carrier_counts(discarded=1)
                    return None
                if isinstance(found, Message):
                    message = found
        finally:
            _processing.active = False
        if not isinstance(message.params, dict):
            message.params = {"value": message.params}
        return message

    def _failed(self, error: Exception) -> None:
        self._carrier_counts(failures=1)
        self._report("failure", "A message could not be made as it was meant.", error)

    def _carrier_counts(self, **more: int) -> None:
        if self._carrier is not None:
            self._carrier.counters.add(**more)

    def _report(self, kind: str, text: str, error: Exception) -> None:
        if self._carrier is not None:
            self._carrier.counters.report(kind, text, error=error)


def _take_trace(message: Message) -> None:
    """A stack trace among the parameters, as Datagrok's logger takes it."""
    trace = message.params["stackTrace"]
    if isinstance(trace, str):
        message.stack_trace = trace
        del message.params["stackTrace"]
        if message.level == "error" and message.error_message is None:
            message.error_message = message.message

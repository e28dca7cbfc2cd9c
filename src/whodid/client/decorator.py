"""`@audited`: each run of a function becomes an event."""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, overload

from whodid.client.arguments import CHARS_MAX, Arguments, kind_of
from whodid.client.default import default_logger
from whodid.client.exceptions import message_of, trace_of, type_of
from whodid.client.logger import Logger
from whodid.client.message import fresh_id
from whodid.client.scope import CURRENT, within
from whodid.event import Level

TYPE: Final = "action-start"

F = TypeVar("F", bound=Callable[..., Any])


class _Declared:
    """What a decorator was told about its function."""

    def __init__(self, function: Callable[..., Any], told: dict[str, Any]):
        self.logger: Logger | None = told.pop("logger")
        self.type: str = told.pop("type")
        self.level: str = told.pop("level")
        self.description: str | None = told.pop("description")
        self.entities: Callable[..., Any] | None = told.pop("entities")
        self.name = f"{function.__module__}.{function.__qualname__}"[:1000]
        self.arguments = Arguments(function, **told)


class _Run:
    """One run, from its start to its event."""

    __slots__ = ("_declared", "_entities", "_logger", "_outer", "_params", "_start", "_time", "items", "scope")

    def __init__(self, declared: _Declared, logger: Logger, args: tuple[Any, ...], kwargs: dict[str, Any]):
        self._declared = declared
        self._logger = logger
        self._outer = outer = CURRENT.get()
        self.scope = outer._replace(run=fresh_id(), request_id=outer.request_id or fresh_id())
        self.items: int | None = None
        self._entities = None
        try:
            self._params = declared.arguments.told(args, kwargs)
            if declared.entities is not None:
                self._entities = declared.entities(*args, **kwargs)
        except Exception as error:
            # What is wrong with the telling must not become wrong with the run.
            self._params = {"parameters_unreadable": type_of(error)}
            logger.count_failure(error)
        self._time = datetime.now(UTC)
        self._start = time.perf_counter()

    def returned(self, result: Any) -> None:
        self._end("done", {"result_kind": kind_of(result)})

    def yielded(self) -> None:
        self._end("done", {"result_kind": "generator", "items": self.items or 0})

    def closed(self) -> None:
        self._end("closed", {"result_kind": "generator", "items": self.items or 0})

    def raised(self, error: BaseException) -> None:
        """It ended by an error, or because it was cancelled."""
        if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            self._end("cancelled", {})
            return
        told = {"error_message": message_of(error), "stack_trace": trace_of(error)}
        self._end("failed", {"error_type": type_of(error)}, **told)

    def _end(self, status: str, more: dict[str, Any], **fields: Any) -> None:
        duration_ms = round((time.perf_counter() - self._start) * 1000, 3)
        declared = self._declared
        if self.items is not None:
            more["items"] = self.items
        if self._outer.run is not None:
            more["parent_id"] = self._outer.run
        for name, value in more.items():
            self._params[name if name not in self._params else f"run.{name}"] = value
        if self._entities is not None:
            fields["entities"] = self._entities
        try:
            self._logger.emit(
                declared.level,
                declared.type,
                declared.description or declared.name,
                self._params,
                id=self.scope.run,
                time=self._time,
                function=declared.name,
                duration_ms=duration_ms,
                request_id=self.scope.request_id,
                status=status,
                **fields,
            )
        except Exception as error:
            self._logger.count_failure(error)


@overload
def audited(function: F, /) -> F: ...
@overload
def audited(
    *,
    type: str = TYPE,
    level: Level = "audit",
    description: str | None = None,
    values: bool = True,
    redact: Iterable[str] = (),
    leave_out: Iterable[str] = (),
    truncate: int | Mapping[str, int] = CHARS_MAX,
    entities: Callable[..., Any] | None = None,
    logger: Logger | None = None,
) -> Callable[[F], F]: ...


def audited(
    function: Any = None,
    /,
    *,
    type: str = TYPE,
    level: Level = "audit",
    description: str | None = None,
    values: bool = True,
    redact: Iterable[str] = (),
    leave_out: Iterable[str] = (),
    truncate: int | Mapping[str, int] = CHARS_MAX,
    entities: Callable[..., Any] | None = None,
    logger: Logger | None = None,
) -> Any:
    """Log each run of a function: its name, parameters, duration, kind of result, error.

    Takes functions, coroutine functions, generators and async generators (the run lasts from the first item to the
    last), methods, class and static methods. Runs within a run share its request id, and name it in `parent_id`.

    type, level   of the event.
    description   of the event; may hold `@parameter`; the function's name by default.
    values        False: only the names of the parameters are logged.
    redact        parameters whose values are not (names, `*` allowed), beside those that sound like secrets.
    leave_out     parameters that are not logged at all.
    truncate      characters that a value may have, for all or by name; 1,000 by default.
    entities      a function that gets the arguments and returns the entities of the event.
    logger        where to; by default the one given to `whodid.client.use`, or one made from `WHODID_SERVER`.

    Raises
    ------
    TypeError
        It is no function, or has no parameter that was declared; when it is decorated, never when it runs.
    """
    told = {
        "type": type, "level": level, "description": description, "values": values, "redact": tuple(redact),
        "leave_out": tuple(leave_out), "truncate": truncate, "entities": entities, "logger": logger,
    }  # fmt: skip
    if function is None:
        return functools.partial(_decorated, told=told)
    return _decorated(function, told)


def _decorated(function: Any, told: dict[str, Any]) -> Any:
    if isinstance(function, (staticmethod, classmethod)):
        return function.__class__(_decorated(function.__func__, told))
    if not callable(function) or inspect.isclass(function):
        raise TypeError("@audited takes functions and methods; put it below @property, and on methods of a class.")
    named = function if hasattr(function, "__qualname__") else function.__class__.__call__
    declared = _Declared(named, dict(told))
    for applies, wrap in _WRAPS:
        if applies(function):
            return functools.wraps(named)(wrap(function, declared))
    return functools.wraps(named)(_plain(function, declared))


def _begun(declared: _Declared, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Run | None:
    logger = declared.logger or default_logger()
    return None if logger is None else _Run(declared, logger, args, kwargs)


def _plain(function: Callable[..., Any], declared: _Declared) -> Callable[..., Any]:
    def run_audited(*args: Any, **kwargs: Any) -> Any:
        run = _begun(declared, args, kwargs)
        if run is None:
            return function(*args, **kwargs)
        try:
            with within(run.scope):
                result = function(*args, **kwargs)
        except BaseException as error:
            run.raised(error)
            raise
        run.returned(result)
        return result

    return run_audited


def _coroutine(function: Callable[..., Any], declared: _Declared) -> Callable[..., Any]:
    async def run_audited(*args: Any, **kwargs: Any) -> Any:
        run = _begun(declared, args, kwargs)
        if run is None:
            return await function(*args, **kwargs)
        try:
            with within(run.scope):
                result = await function(*args, **kwargs)
        except BaseException as error:
            run.raised(error)
            raise
        run.returned(result)
        return result

    return run_audited


def _generator(function: Callable[..., Any], declared: _Declared) -> Callable[..., Any]:
    def run_audited(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        run = _begun(declared, args, kwargs)
        inner = function(*args, **kwargs)
        if run is None:
            return (yield from inner)
        run.items = 0
        step: Callable[[Any], Any] = inner.send
        given: Any = None
        try:
            while True:
                # A generator runs in its caller's context, which must be the caller's own again between items.
                with within(run.scope):
                    item = step(given)
                run.items += 1
                try:
                    given = yield item
                    step = inner.send
                except GeneratorExit:
                    with within(run.scope):
                        inner.close()
                    raise
                except BaseException as error:
                    step, given = inner.throw, error
        except StopIteration as stop:
            run.yielded()
            return stop.value
        except GeneratorExit:
            run.closed()
            raise
        except BaseException as error:
            run.raised(error)
            raise

    return run_audited


def _async_generator(function: Callable[..., Any], declared: _Declared) -> Callable[..., Any]:
    async def run_audited(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        run = _begun(declared, args, kwargs)
        inner = function(*args, **kwargs)
        if run is not None:
            run.items = 0
        step: Callable[[Any], Any] = inner.asend
        given: Any = None
        scope = run.scope if run is not None else CURRENT.get()
        try:
            while True:
                with within(scope):
                    item = await step(given)
                if run is not None:
                    run.items = (run.items or 0) + 1
                try:
                    given = yield item
                    step = inner.asend
                except GeneratorExit:
                    with within(scope):
                        await inner.aclose()
                    raise
                except BaseException as error:
                    step, given = inner.athrow, error
        except StopAsyncIteration:
            if run is not None:
                run.yielded()
        except GeneratorExit:
            if run is not None:
                run.closed()
            raise
        except BaseException as error:
            if run is not None:
                run.raised(error)
            raise

    return run_audited


_WRAPS: Final = (
    (inspect.iscoroutinefunction, _coroutine),
    (inspect.isasyncgenfunction, _async_generator),
    (inspect.isgeneratorfunction, _generator),
)

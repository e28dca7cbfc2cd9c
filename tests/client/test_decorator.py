"""`@audited`: one event for each run, and nothing else about the function changes."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from support.logging_server import Events, Scripted
from whodid import audited
from whodid.client import Logger, default, use

MakeLogger = Callable[..., Logger]


class Runs:
    """The events of what was run since."""

    def __init__(self, server: Scripted, logger: Logger):
        self._server = server
        self._logger = logger

    def all(self) -> list[dict[str, Any]]:
        """In the order of their start."""
        assert self._logger.flush(10)
        found = [event for request in self._server.requests for event in request]
        return sorted(found, key=lambda event: (event["time"], event["id"]))

    def one(self) -> dict[str, Any]:
        found = self.all()
        assert len(found) == 1, found
        return found[0]


@pytest.fixture
def runs(make_logger: MakeLogger) -> Iterator[Runs]:
    with Scripted() as server:
        logger = make_logger(server.url)
        before = use(logger)
        yield Runs(server, logger)
        use(before)


def test_a_run_is_told_with_parameters_duration_and_kind_of_result(events: Events, make_logger: MakeLogger) -> None:
    logger = make_logger(events.url, topic=events.topic)

    @audited(logger=logger, entities=lambda query, limit=10: [("query", query)])
    def run_query(query: str, limit: int = 10) -> list[int]:
        """Runs it."""
        return [1, 2, 3]

    assert run_query("q1") == [1, 2, 3]
    row = events.of(logger)[0]
    assert row["type"] == "action-start"
    assert row["function"].endswith("run_query")
    assert row["parameters"] == {"query": "q1", "limit": 10, "result_kind": "list[3]"}
    assert (row["status"], row["entity_id"]) == ("done", "q1")
    assert 0 <= row["duration_ms"] < 10_000
    assert row["request_id"]
    assert run_query.__doc__ == "Runs it."
    assert list(inspect.signature(run_query).parameters) == ["query", "limit"]


def test_an_error_is_told_and_goes_on(runs: Runs) -> None:
    @audited
    def fail(x: int) -> None:
        raise ValueError(f"no {x}")

    with pytest.raises(ValueError, match="no 1"):
        fail(1)
    event = runs.one()
    assert (event["status"], event["error_message"]) == ("failed", "no 1")
    assert "ValueError: no 1" in event["error_stack_trace"]
    assert event["parameters"] == {"x": 1, "error_type": "ValueError"}


def test_names_only_redacted_left_out_and_truncated(runs: Runs) -> None:
    @audited(values=False)
    def names(a: int, *rest: int, **more: int) -> None: ...

    @audited(redact=["diagnosis"], leave_out=["noise"], truncate={"text": 5})
    def some(diagnosis: str, noise: str, text: str, password: str = "x", **more: Any) -> None: ...

    names(1, 2, 3, z=4)
    some("flu", "noise", "long text", api_key="k", nested={"token": "t", "plain": 1})
    first, second = runs.all()
    assert first["parameters"]["parameter_names"] == ["a", "z", "rest"]
    told = second["parameters"]
    assert told["diagnosis"] == told["password"] == told["api_key"] == "[redacted]"
    assert told["nested"] == {"token": "[redacted]", "plain": 1}
    assert told["text"] == {"$text": "long ", "$length": 9, "$truncated": True}
    assert "noise" not in told


def test_what_a_function_does_to_its_arguments_comes_too_late(runs: Runs) -> None:
    @audited
    def empty(items: list[int]) -> None:
        items.clear()

    empty([1, 2])
    assert runs.one()["parameters"]["items"] == [1, 2]


def test_large_arguments_are_bounded(runs: Runs) -> None:
    @audited
    def take(items: list[int], text: str) -> None: ...

    take(list(range(1_000_000)), "x" * 1_000_000)
    told = runs.one()["parameters"]
    assert told["items"]["$length"] == 1_000_000 and len(told["items"]["$first"]) == 50
    assert len(told["text"]["$text"]) == 1_000


def test_a_parameter_named_like_ours_stays(runs: Runs) -> None:
    @audited
    def run(result_kind: str) -> int:
        return 1

    run("mine")
    assert runs.one()["parameters"] == {"result_kind": "mine", "run.result_kind": "int"}


def test_methods_of_every_kind(runs: Runs) -> None:
    class Shop:
        @audited
        def sell(self, item: str) -> None: ...

        @audited
        @classmethod
        def open(cls, name: str) -> None: ...

        @classmethod
        @audited
        def shut(cls, name: str) -> None: ...

        @audited
        @staticmethod
        def count(number: int) -> None: ...

        @audited
        async def wait(self, s: int) -> str:
            return "waited"

    shop = Shop()
    shop.sell("book")
    Shop.open("a")
    shop.shut("b")
    shop.count(3)
    assert asyncio.run(shop.wait(0)) == "waited"
    found = {event["function"].rpartition(".")[2]: event["parameters"] for event in runs.all()}
    assert found == {
        "sell": {"item": "book", "result_kind": "NoneType"},
        "open": {"name": "a", "result_kind": "NoneType"},
        "shut": {"name": "b", "result_kind": "NoneType"},
        "count": {"number": 3, "result_kind": "NoneType"},
        "wait": {"s": 0, "result_kind": "str"},
    }


def test_nested_runs_share_a_request_and_name_their_parent(runs: Runs) -> None:
    @audited
    def inner() -> None: ...

    @audited
    def middle() -> None:
        inner()

    @audited
    def outer() -> None:
        middle()
        inner()

    outer()
    outer()
    found = runs.all()
    assert len(found) == 8
    assert len({event["request_id"] for event in found}) == 2
    by_id = {event["id"]: event for event in found}
    for event in found:
        name = event["function"].rpartition(".")[2]
        parent = by_id.get(event["parameters"].get("parent_id"))
        assert (parent is None) == (name == "outer")
        if parent is not None:
            assert parent["request_id"] == event["request_id"]
            assert parent["time"] <= event["time"]


def test_concurrent_tasks_have_requests_of_their_own(runs: Runs) -> None:
    @audited
    async def leaf(name: str) -> None:
        await asyncio.sleep(0)

    @audited
    async def root(name: str) -> None:
        await asyncio.gather(leaf(name), leaf(name))

    async def all_at_once() -> None:
        await asyncio.gather(*(root(str(number)) for number in range(10)))

    asyncio.run(all_at_once())
    requests: dict[str, set[str]] = {}
    for event in runs.all():
        requests.setdefault(event["request_id"], set()).add(event["parameters"]["name"])
    assert len(requests) == 10
    assert all(len(names) == 1 for names in requests.values())


def test_a_cancelled_task_is_told_as_such(runs: Runs) -> None:
    @audited
    async def wait() -> None:
        await asyncio.sleep(60)

    async def cancelled() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert runs.one()["status"] == "cancelled"


def test_generators_run_from_first_to_last_item(runs: Runs) -> None:
    logger = Logger(enabled=False)

    @audited
    def inner() -> None: ...

    @audited
    def numbers(count: int) -> Any:
        total = 0
        for number in range(count):
            inner()
            total += (yield number) or 0
        return total

    assert inspect.isgeneratorfunction(numbers)
    unused = numbers(5)
    del unused
    found = numbers(2)
    assert next(found) == 0
    inner()
    assert found.send(10) == 1
    with pytest.raises(StopIteration) as stop:
        found.send(20)
    assert stop.value.value == 30
    half = numbers(3)
    next(half)
    half.close()
    whole, *others = [event for event in runs.all() if event["function"].endswith("numbers")]
    assert whole["parameters"] == {"count": 2, "result_kind": "generator", "items": 2}
    assert [event["status"] for event in others] == ["closed"]
    inners = [event for event in runs.all() if event["function"].endswith("inner")]
    parents = [event["parameters"].get("parent_id") for event in inners]
    assert parents.count(whole["id"]) == 2
    assert parents.count(None) == 1, "what runs between the items is not within the generator"
    assert logger.close()


def test_a_generator_handles_what_is_thrown_into_it(runs: Runs) -> None:
    @audited
    def patient() -> Iterator[str]:
        try:
            yield "first"
        except KeyError:
            yield "caught"
        raise ValueError("end")

    found: Any = patient()
    assert next(found) == "first"
    assert found.throw(KeyError("x")) == "caught"
    with pytest.raises(ValueError, match="end"):
        next(found)
    event = runs.one()
    assert (event["status"], event["parameters"]["items"]) == ("failed", 2)


def test_async_generators(runs: Runs) -> None:
    @audited
    async def numbers(count: int) -> AsyncIterator[int]:
        for number in range(count):
            await asyncio.sleep(0)
            yield number

    async def use_them() -> list[int]:
        half: Any = numbers(3)
        await half.__anext__()
        await half.aclose()
        return [number async for number in numbers(3)]

    assert inspect.isasyncgenfunction(numbers)
    assert asyncio.run(use_them()) == [0, 1, 2]
    assert [(event["status"], event["parameters"]["items"]) for event in runs.all()] == [("closed", 1), ("done", 3)]


def test_telling_never_breaks_the_run(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError("no repr")

    def broken(*_: Any) -> Any:
        raise RuntimeError("no entities")

    @audited(entities=broken)
    def run(odd: Odd) -> str:
        return "result"

    assert run(Odd()) == "result"
    assert runs.one()["status"] == "done"


def test_without_a_logger_functions_just_run(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delenv("WHODID_SERVER", raising=False)
    before = use(None)
    try:

        @audited
        def run() -> int:
            return 1

        @audited
        async def run_async() -> int:
            return 2

        @audited
        def items() -> Iterator[int]:
            yield 3

        @audited
        async def items_async() -> AsyncIterator[int]:
            yield 4

        async def gather() -> list[int]:
            return [await run_async(), *[item async for item in items_async()]]

        with caplog.at_level(logging.WARNING):
            assert [run(), *items(), *asyncio.run(gather())] == [1, 3, 2, 4]
    finally:
        use(before)


def test_a_server_that_is_no_address_is_told_once_and_breaks_no_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WHODID_SERVER", "ftp://audit.example.com")
    monkeypatch.setattr(default, "_warned", False)
    before = use(None)
    try:

        @audited
        def run() -> int:
            return 1

        with caplog.at_level(logging.WARNING):
            assert [run(), run()] == [1, 1]
        (told,) = (record.getMessage() for record in caplog.records)
        assert "audit.example.com" in told
    finally:
        use(before)


def test_a_wrong_declaration_fails_where_it_is_written() -> None:
    with pytest.raises(TypeError, match="amount"):

        @audited(leave_out=["amount"])
        def pay(sum: int) -> None: ...

    with pytest.raises(TypeError, match="methods"):
        audited(int)

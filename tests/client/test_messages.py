"""What a call of the Logger becomes on the server."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from support.logging_server import Events, Scripted
from whodid.client import DROP, Logger, Message
from whodid.client.encode import encoded
from whodid.client.message import fresh_id
from whodid.client.policy import Policy
from whodid.event import Entity, Event
from whodid.formats.strict import strict_events

MakeLogger = Callable[..., Logger]
Told = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def told(make_logger: MakeLogger) -> Any:
    """Runs a function with a Logger; returns what its server was sent."""

    def run(call: Callable[[Logger], Any], *more: Any, **options: Any) -> list[dict[str, Any]]:
        with Scripted() as server:
            logger = make_logger(server.url, None, *more, **options)
            call(logger)
            assert logger.flush(10)
            return [event for request in server.requests for event in request]

    return run


def test_methods_have_the_levels_and_types_of_datagrok(logger: Logger, events: Events) -> None:
    logger.log("a")
    logger.audit("b", {"x": 1}, "query-edited")
    logger.usage("c")
    logger.usage("d", {}, "click")
    logger.info("e")
    logger.debug("f")
    logger.warning("g")
    logger.error("h")
    found = [(row["description"], row["level"], row["type"]) for row in events.of(logger)]
    assert found == [
        ("a", "audit", "log"),
        ("b", "audit", "query-edited"),
        ("c", "usage", "usage"),
        ("d", "usage", "click"),
        ("e", "info", "info"),
        ("f", "debug", "debug"),
        ("g", "warning", "warning"),
        ("h", "error", "error"),
    ]


def test_both_documented_forms_of_a_stack_trace_end_as_one(logger: Logger, events: Events) -> None:
    trace = "#0      main (package:app/main.dart:3:5)"
    logger.error("Error!", trace)
    logger.log("Error!", {"stackTrace": trace}, "error")
    first, second = events.of(logger)
    for row in (first, second):
        assert (row["level"], row["error_message"], row["error_stack_trace"]) == ("error", "Error!", trace)
        assert row["parameters"] in (None, {})
    assert first["error_hash"] == second["error_hash"]


def test_an_exception_tells_its_chain_of_causes(logger: Logger, events: Events) -> None:
    try:
        try:
            raise KeyError("deep")
        except KeyError as cause:
            raise ValueError("shallow") from cause
    except ValueError as error:
        logger.error(error, {"order": 7})
    row = events.of(logger)[0]
    assert row["error_message"] == row["description"] == "shallow"
    assert row["parameters"] == {"error_type": "ValueError", "order": 7}
    trace = row["error_stack_trace"]
    assert trace.index("KeyError: 'deep'") < trace.index("direct cause") < trace.index("ValueError: shallow")


def test_entities_arrive_in_order(logger: Logger, events: Events) -> None:
    entities: list[Any] = [("query", "q1", "Sales"), ("table", 7), {"type": "file", "id": "f", "role": "input"},
                Entity(type="model", id="m")]  # fmt: skip
    logger.audit("ran", entities=entities)
    logger.audit("ran", entities=("query", "q2"))
    several, one = events.of(logger)
    assert (several["entity_type"], several["entity_id"], several["entity_name"]) == ("query", "q1", "Sales")
    assert [each["type"] for each in several["entities"]] == ["query", "table", "file", "model"]
    assert one["entity_id"] == "q2"


def test_an_unreadable_entity_becomes_a_parameter(told: Told) -> None:
    event = told(lambda logger: logger.audit("ran", entities=[("query",)]))[0]
    assert event["parameters"] == {"entities": [["query"]]}


def test_unknown_fields_are_refused_at_once(make_logger: MakeLogger) -> None:
    with pytest.raises(TypeError, match="userr"):
        make_logger("http://127.0.0.1:9").audit("x", userr="ann")  # type: ignore[call-arg]


def test_default_parameters_package_and_bind(told: Told) -> None:
    def call(logger: Logger) -> None:
        logger.info("plain")
        logger.package("Chem").info("packed", {"own": 2})
        logger.bind(own=1).info("bound")

    plain, packed, bound = (event["parameters"] for event in told(call, params={"app": "shop", "own": 0}))
    assert plain == {"app": "shop", "own": 0}
    assert packed == {"app": "shop", "own": 2, "package": "Chem", "packageName": "Chem"}
    assert bound == {"app": "shop", "own": 1}


def test_the_documented_callback_works_and_params_is_always_a_dict(told: Told) -> None:
    def persistent(message: Message) -> None:
        message.params["persistent"] = "value"

    def call(logger: Logger) -> None:
        logger.info("none")
        logger.info("own", {"a": 1})
        logger.info("odd", "not a dict")  # type: ignore[arg-type]

    params = [event["parameters"] for event in told(call, persistent)]
    assert params == [
        {"persistent": "value"},
        {"a": 1, "persistent": "value"},
        {"value": "not a dict", "persistent": "value"},
    ]


def test_the_callers_parameters_are_never_changed(told: Told) -> None:
    given = {"a": 1}
    told(lambda logger: logger.info("x", given), lambda message: message.params.update(b=2))
    assert given == {"a": 1}


def test_a_chain_of_processors_sees_changes_replaces_and_drops(make_logger: MakeLogger) -> None:
    def replace(message: Message) -> Message:
        return msgspec.structs.replace(message, message=f"{message.message}!")

    def drop(message: Message) -> object:
        return DROP if message.message == "secret!" else None

    with Scripted() as server:
        logger = make_logger(server.url, processors=[replace, drop])
        logger.info("open")
        logger.info("secret")
        assert logger.flush(10)
        assert [event["description"] for request in server.requests for event in request] == ["open!"]
        assert logger.stats().discarded == 1


def test_a_callback_that_throws_is_counted_and_the_event_is_sent(
    logger: Logger, events: Events, make_logger: MakeLogger, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(message: Message) -> None:
        message.params["before"] = True
        raise RuntimeError("callback")

    def after(message: Message) -> None:
        message.params["after"] = True

    logger = make_logger(events.url, None, broken, processors=[after], topic=events.topic)
    logger.audit("one")
    logger.audit("two")
    assert [row["parameters"] for row in events.of(logger)] == [{"before": True, "after": True}] * 2
    assert logger.stats().callback_failures == 2
    assert len(caplog.records) == 1, "reported once"


def test_a_callback_that_logs_does_not_call_itself(told: Told) -> None:
    loggers: list[Logger] = []

    def call(logger: Logger) -> None:
        loggers.append(logger)
        logger.info("outer")

    found = told(call, lambda message: loggers[0].info("inner"))
    assert sorted(event["description"] for event in found) == ["inner", "outer"]


def test_a_callback_that_breaks_params_is_mended(told: Told) -> None:
    def break_params(message: Message) -> None:
        message.params = None  # type: ignore[assignment]

    assert told(lambda logger: logger.info("x", {"a": 1}), break_params)[0]["parameters"] == {"value": None}


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@dataclasses.dataclass
class Point:
    x: int
    y: float


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (object, {"$repr": "<class 'object'>", "$type": "type"}),
        (1j, {"$repr": "1j", "$type": "complex"}),
        (Point(1, 2.5), {"x": 1, "y": 2.5}),
        ({1: {2}}, {"1": [2]}),
        ({(1, 2): "pair"}, {"(1, 2)": "pair"}),
        (float("nan"), {"$repr": "nan", "$type": "float"}),
        ([1.5, float("inf")], [1.5, {"$repr": "inf", "$type": "float"}]),
        ("half \ud83d", "half \\ud83d"),
        ("nul\0", "nul␀"),
        (2**70, 2**70),
        (Decimal("1.10"), "1.10"),
        (PurePosixPath("/a/b"), "/a/b"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
        (b"bytes", "Ynl0ZXM="),
        (None, None),
        (True, True),
    ],
)  # fmt: skip
def test_any_value_has_some_json(value: Any, expected: Any, told: Told) -> None:
    event = told(lambda logger: logger.info("x", {"value": value, "sound": 1}))[0]
    assert event["parameters"] == {"value": expected, "sound": 1}


def test_values_without_json_are_marked_and_cut(told: Told) -> None:
    def call(logger: Logger) -> None:
        logger.info("x", {"value": Unprintable()})
        logger.info("x", {"value": range(10**9)})
        logger.info("x", {"value": type("Long", (), {"__repr__": lambda self: "x" * 5_000})()})
        circle: list[Any] = []
        circle.append(circle)
        logger.info("x", {"value": circle, "sound": 1})

    unprintable, lazy, long, circle = (event["parameters"] for event in told(call))
    assert "RuntimeError" in unprintable["value"]["$repr"]
    assert lazy["value"]["$repr"] == "range(0, 1000000000)"
    assert long["value"]["$truncated"] is True and len(long["value"]["$repr"]) == 1_000
    assert circle["sound"] == 1


def test_numbers_and_tables_of_scientific_packages(told: Told) -> None:
    pandas = pytest.importorskip("pandas")
    numpy = pytest.importorskip("numpy")
    frame = pandas.DataFrame({"secret content": [1, 2]})
    event = told(
        lambda logger: logger.info("x", {"frame": frame, "zero": numpy.int64(0), "array": numpy.ones((2, 3))})
    )[0]
    assert event["parameters"]["zero"] == 0
    assert event["parameters"]["frame"]["$shape"] == [2, 1]
    assert event["parameters"]["array"]["$shape"] == [2, 3]
    assert "secret" not in str(event)


@pytest.mark.parametrize(
    "params",
    [
        {"text": "x" * 3_000_000},
        {f"p{number}": number for number in range(5_000)},
        {"list": list(range(1_000_000))},
        {"texts": ["y" * 10_000] * 2_000},
    ],
    ids=["text", "many", "list", "texts"],
)
def test_what_is_beyond_the_servers_limits_is_cut_and_marked(
    params: dict[str, Any], logger: Logger, events: Events
) -> None:
    logger.audit("big", params)
    row = events.of(logger)[0]
    assert logger.stats().rejected == 0
    assert "$" in str(row["parameters"])


def test_fields_beyond_the_servers_limits_are_cut(logger: Logger, events: Events) -> None:
    entity = Entity(type="t" * 300, id="i" * 2_000, name="n" * 2_000)
    logger.audit("long", user="u" * 300, status="s" * 300, function="f" * 2_000, request_id="r" * 2_000,
                 entities=[entity])  # fmt: skip
    row = events.of(logger)[0]
    assert logger.stats().rejected == 0
    assert [len(row[name]) for name in ("user", "status", "function", "request_id")] == [200, 200, 1_000, 1_000]
    assert [len(row[name]) for name in ("entity_type", "entity_id", "entity_name")] == [200, 1_000, 1_000]


def test_what_is_sent_takes_the_servers_fast_path() -> None:
    message = Message(id=fresh_id(), time=datetime.now(UTC), type="log", message="ü", params={"a": [1, {"b": None}]},
                      session=str(uuid.uuid4()), entities=[Entity(type="t", id="1")])  # fmt: skip
    event = strict_events(b"[" + encoded(message) + b"]")
    assert event is not None and isinstance(event[0], Event)


def test_ids_are_fresh_version_7_and_in_the_order_of_time() -> None:
    ids = [fresh_id() for _ in range(20_000)]
    assert len(set(ids)) == len(ids)
    for each in ids[::1_000]:
        parsed = uuid.UUID(each)
        assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, each)
    assert [each[:13] for each in ids] == sorted(each[:13] for each in ids)


def test_sessions_and_users_join_what_is_logged_within(logger: Logger, events: Events) -> None:
    with logger.session(user="ann", via="notebook", params={"tenant": 1}) as outer:
        logger.audit("one")
        with logger.session(params={"step": 2}):
            logger.audit("two")
        with logger.session(user="bob"):
            logger.audit("three", user="eve")
    logger.audit("four")
    one, two, three, four = events.of(logger)
    assert (one["user"], one["session"], one["via"]) == ("ann", outer.session, "notebook")
    assert (two["user"], two["session"]) == ("ann", outer.session)
    assert two["parameters"] == {"tenant": 1, "step": 2}
    assert three["user"] == "eve" and three["session"] not in (None, outer.session) and three["via"] is None
    assert (four["user"], four["session"]) == (None, None)


@pytest.mark.parametrize(("idle_ms", "silent_s", "another"), [(None, 1_799, False), (None, 1_801, True),
                                                              (60_000, 59, False), (60_000, 61, True)])  # fmt: skip
def test_a_session_is_followed_by_another_after_a_silence(
    logger: Logger, events: Events, monkeypatch: pytest.MonkeyPatch, idle_ms: int | None, silent_s: float, another: bool
) -> None:
    at = time.monotonic()
    monkeypatch.setattr("whodid.client.scope.time", SimpleNamespace(monotonic=lambda: at))
    if idle_ms is not None:
        assert logger._carrier is not None
        monkeypatch.setattr(logger._carrier.policies, "of", lambda user: Policy(session_idle_ms=idle_ms))
    with logger.session(user="ann") as scope:
        logger.audit("one")
        at += silent_s
        logger.audit("two")
        with logger.session(params={"inner": True}):
            at += 1
            logger.audit("three")
    with logger.session(user="ann", id="0b0e9f0a-7f50-4b0c-8f0e-1f2a3b4c5d6e"):
        logger.audit("four")
        at += 10_000
        logger.audit("five")
    one, two, three, four, five = (each["session"] for each in events.of(logger))
    assert one == scope.session
    assert (one != two) == another
    assert two == three
    assert four == five == "0b0e9f0a-7f50-4b0c-8f0e-1f2a3b4c5d6e"


def test_contexts_of_tasks_and_threads_do_not_mix(told: Told) -> None:
    def call(logger: Logger) -> None:
        async def work(name: str) -> None:
            with logger.session(user=name), logger.context(task=name):
                for _ in range(5):
                    await asyncio.sleep(0)
                    logger.info(name)

        async def all_at_once() -> None:
            await asyncio.gather(*(work(f"user-{number}") for number in range(20)))

        asyncio.run(all_at_once())
        with logger.session(user="main"):
            thread = threading.Thread(target=logger.info, args=("thread",))
            thread.start()
            thread.join()

    for event in told(call):
        if event["description"] == "thread":
            assert "user" not in event
        else:
            assert event["user"] == event["description"] == event["parameters"]["task"]


def test_a_request_shares_its_id(told: Told) -> None:
    def call(logger: Logger) -> None:
        with logger.request() as identifier, contextlib.suppress(KeyError):
            logger.info(identifier)
            raise KeyError
        logger.info("after")

    within, after = told(call)
    assert within["request_id"] == within["description"]
    assert "request_id" not in after


def test_a_disabled_logger_does_nothing() -> None:
    logger = Logger(enabled=False)
    assert logger.audit("x") == ""
    assert logger.audit_sync("x") == ""
    assert logger.flush() and logger.close()
    with logger.session(user="ann"):
        logger.error(ValueError("x"))
    assert logger.stats().logged == 0

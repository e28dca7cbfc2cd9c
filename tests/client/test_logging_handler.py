"""Records of Python's own logging on a whodid server."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator

import pytest

from support.logging_server import Events
from whodid.client import Logger
from whodid.client.logging_handler import WhodidHandler


@pytest.fixture
def program(logger: Logger) -> Iterator[logging.Logger]:
    """A logger of the program with the handler on it."""
    found = logging.getLogger(f"program-{uuid.uuid4()}")
    found.setLevel(logging.DEBUG)
    found.propagate = False
    handler = WhodidHandler(logger)
    found.addHandler(handler)
    yield found
    found.removeHandler(handler)


def test_records_keep_level_text_place_and_extra(program: logging.Logger, logger: Logger, events: Events) -> None:
    program.debug("one %s", "argument")
    program.info("two", extra={"order": 7, "user": "ann", "entities": [("order", 7)], "type": "ordered", "token": "t"})
    program.warning("three")
    program.error("four")
    program.critical("five")
    one, two, *others = events.of(logger)
    assert (one["level"], one["type"], one["description"]) == ("debug", "log", "one argument")
    assert one["parameters"]["logger"] == program.name
    assert one["parameters"]["function"] == "test_records_keep_level_text_place_and_extra"
    assert (two["user"], two["type"], two["entity_id"]) == ("ann", "ordered", "7")
    assert (two["parameters"]["order"], two["parameters"]["token"]) == (7, "[redacted]")
    assert [row["level"] for row in others] == ["warning", "error", "error"]
    assert others[1]["error_message"] == "four"
    assert others[2]["parameters"]["severity"] == "critical"


def test_exceptions_come_with_their_trace(program: logging.Logger, logger: Logger, events: Events) -> None:
    try:
        raise KeyError("x")
    except KeyError:
        program.exception("it failed")
    row = events.of(logger)[0]
    assert (row["description"], row["error_message"]) == ("it failed", "'x'")
    assert "KeyError: 'x'" in row["error_stack_trace"]
    assert row["parameters"]["error_type"] == "KeyError"


def test_the_loggers_own_reports_do_not_come_back(logger: Logger) -> None:
    handler = WhodidHandler(logger)
    assert not handler.filter(logging.makeLogRecord({"name": "whodid.client"}))
    assert handler.filter(logging.makeLogRecord({"name": "whodid.clientele"}))


def test_a_record_that_cannot_be_made_is_told_as_logging_does(
    logger: Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    record = logging.makeLogRecord({"name": "program", "msg": "%d", "args": ("no number",), "levelno": logging.INFO})
    assert WhodidHandler(logger).handle(record)
    assert "--- Logging error ---" in capsys.readouterr().err

"""What is asked of a new target: options that make no sense are told when it is made, not once it runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.targets import Watched, watched
from whodid.dispatch.management import NewTarget, TargetFields
from whodid.dispatch.row import Selection, Shaping
from whodid.errors import WhodidError


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """An engine without targets, for all tests of this file."""
    with watched(tmp_path_factory.mktemp("management") / "data") as found:
        yield found


def new(kind: str, options: dict[str, Any], **more: Any) -> NewTarget:
    return NewTarget(name="x", kind=kind, options=options, **more)


HTTP = {"url": "http://siem.example.com"}
AWS = {"log_group": "g", "region": "eu-central-1"}


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        (new("nonsense", {}), "There is no kind of target 'nonsense'. Kinds: azure, cloudwatch"),
        (new("http", {}), "The option url is missing: where to send to"),
        (new("http", {"url": "siem"}), "url is no address of an HTTP server."),
        (new("http", HTTP | {"nope": 1}), "There is no option 'nope'."),
        (new("http", HTTP | {"verify": 1}), "verify is 1, which is no true or false."),
        (new("http", HTTP | {"timeout_s": "-1"}), "timeout_s is '-1', which is no number from 0 on."),
        (new("http", HTTP | {"verify": "perhaps"}), "which is no true or false"),
        (new("whodid", HTTP, format="ocsf"), "takes events in the native format, not ocsf"),
        (new("files", {"path": "audit"}), "The path 'audit' is not absolute."),
        (new("files", {"path": "/a", "folders": "topic"}), "'topic'"),
        (new("files", {"path": "/a", "content": "parquet"}, format="ocsf"), "Choose content=lines."),
        (new("log-files", {"path": "audit.log"}), "The path 'audit.log' is not absolute."),
        (new("s3", {"bucket": "b", "close_s": "x"}), "close_s: files are closed after this long (s)."),
        (new("s3", {"bucket": "b", "encryption": "x"}), "It is one of: default, AES256, aws:kms."),
        (new("cloudwatch", AWS | {"streams": "log"}), "no map such as"),
        (new("cloudwatch", AWS | {"batch_events": 20_000}), "The service takes 1 to 10,000."),
        (new("kafka", {"brokers": "", "topic": "t"}), "The option brokers is missing"),
        (new("kafka", {"brokers": "k:9092", "topic": "a b"}), "topic"),
        (new("kafka", {"brokers": "k:9092", "topic": "t", "username": "u"}), "security=ssl shows the brokers neither"),
        (new("syslog", {"host": "h", "port": 70_000}), "At most 65,535."),
        (new("postgresql", {"url": "mysql://h/d"}), "url is no address of a PostgreSQL database."),
        (new("otlp", {"url": "collector"}), "url is no address of an HTTP server."),
        (new("http", HTTP, deadline_s=-1), "Above 0, at most 3600 s."),
        (new("http", HTTP, format="xml"), "Known: native, dss-log4j"),
        (new("http", HTTP, start="yesterday"), "start is 'yesterday', which is no time."),
        (new("http", HTTP, selection=Selection(levels=["nope"])), "Levels: audit, usage"),
        (new("http", HTTP, selection=Selection(groups=["nobody"])), "There is no group 'nobody'."),
        (new("http", HTTP, shaping=Shaping(hashed=["nofield"])), "'nofield' is no field of an event."),
    ],
    ids=lambda value: value.kind if isinstance(value, NewTarget) else value[:20],
)
def test_what_makes_no_sense_is_told(running: Watched, wanted: NewTarget, complaint: str) -> None:
    with pytest.raises(WhodidError) as caught:
        running.dispatch.book.create(wanted)
    assert complaint in str(caught.value)
    assert not caught.value.kind.temporary
    assert not running.dispatch.dispatcher.rows()


def test_a_change_is_looked_at_as_well(running: Watched) -> None:
    book = running.dispatch.book
    book.create(NewTarget(name="siem", kind="http", options=HTTP, running=False))
    with pytest.raises(WhodidError, match="no address of an HTTP server"):
        book.change("siem", TargetFields(options={"url": "siem"}))
    assert book.row("siem").options == HTTP
    book.delete("siem")


def test_a_log_file_has_one_target(running: Watched, tmp_path: Path) -> None:
    """How far it is written stands beside the file: a second target would take the first one's place for its own."""
    book = running.dispatch.book
    file = tmp_path / "audit.log"
    (tmp_path / "same").symlink_to(tmp_path)
    book.create(NewTarget(name="first", kind="log-files", options={"path": str(file)}, running=False))
    with pytest.raises(WhodidError, match=f"The target 'first' writes the file {file} already.") as refused:
        book.create(NewTarget(name="second", kind="log-files", options={"path": f"{tmp_path}/same/audit.log"}))
    assert refused.value.code == "conflict"
    with pytest.raises(WhodidError, match=f"The target 'first' writes the file {file} already."):
        book.create(NewTarget(name="second", kind="log-files", options={"path": f"{file}.2"}))
    book.create(NewTarget(name="second", kind="log-files", options={"path": f"{file}.b"}, running=False))
    with pytest.raises(WhodidError, match="The target 'first' writes"):
        book.change("second", TargetFields(options={"path": str(file)}))
    for name in ("first", "second"):
        book.delete(name)


def test_places_that_may_be_shared_are_the_administrators(running: Watched, tmp_path: Path) -> None:
    book = running.dispatch.book
    for kind, options in (("files", {"path": str(tmp_path)}), ("cloudwatch", AWS), ("http", HTTP)):
        for name in ("first", "second"):
            book.create(NewTarget(name=name, kind=kind, options=options, running=False))
        for name in ("first", "second"):
            book.delete(name)

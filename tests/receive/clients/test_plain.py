"""Loggers that post over HTTP: Python's HTTPHandler and log4j2 themselves, the bodies of Fluent Bit and Vector."""

from __future__ import annotations

import gzip
import json
import logging
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from logging.handlers import HTTPHandler
from pathlib import Path
from typing import Any

import pytest

from support.clients import ROOT, ClientServer, example, run_example
from whodid.errors import WhodidError
from whodid.receive.clients import plain
from whodid.receive.clients.base import Request
from whodid.receive.clients.python_record import formatted

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>test</groupId><artifactId>test</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>2.24.3</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-layout-template-json</artifactId><version>2.24.3</version></dependency>
<dependency><groupId>com.fasterxml.jackson.core</groupId><artifactId>jackson-databind</artifactId><version>2.18.2</version></dependency>
</dependencies></project>"""

PROGRAM = """
import org.apache.logging.log4j.*;
public class Program {
  public static void main(String[] words) {
    ThreadContext.put("user.name", "ada");
    Logger logger = LogManager.getLogger("shop.Cart");
    logger.warn("Cart {} is slow", 7);
    try { Integer.parseInt("x"); } catch (NumberFormatException error) { logger.error("It broke", error); }
  }
}
"""


def posted(body: bytes) -> Request:
    headers = {b"content-type": b"text/plain"}
    return Request("POST", "/log", {}, {}, headers, body, datetime.now(UTC))


@pytest.fixture
def logger(server: ClientServer) -> Iterator[logging.Logger]:
    handler = HTTPHandler(server.address, "/log", method="POST", credentials=(server.key, ""))
    made = logging.Logger("shop.cart")
    made.addHandler(handler)
    yield made
    handler.close()


def test_records_of_python(server: ClientServer, logger: logging.Logger) -> None:
    logger.warning("Cart %s is %5.1f%% full of %r", 7, 99.25, "ü\0", extra={"user": "ada", "request_id": "r-1"})
    try:
        raise ValueError("no such cart")
    except ValueError:
        logger.exception("It broke")
    late, broken = server.stored("log")
    assert (late["type"], late["level"], late["user"], late["request_id"]) == ("log", "warning", "ada", "r-1")
    assert late["description"] == "Cart 7 is  99.2% full of 'ü\\x00'"
    told = late["parameters"]
    assert (told["msg"], told["name"], told["funcName"], told["levelno"]) == (
        "Cart %s is %5.1f%% full of %r", "shop.cart", "test_records_of_python", "30",
    )  # fmt: skip
    assert "exc_info" not in told
    assert (broken["description"], broken["error_message"]) == ("It broke", "ValueError('no such cart')")
    assert broken["level"] == "error"
    assert "args" not in broken["parameters"]


@pytest.mark.parametrize(
    ("template", "arguments", "expected"),
    [
        ("%s and %(a)s", "('x',)", "%s and %(a)s"),
        ("%(a)03d", "{'a': 7}", "007"),
        ("%s", "(<object at 0x1>,)", "%s"),
        ("%s %s", "('x',)", "%s %s"),
        ("%*d", "(10, 5)", "%*d"),
        ("%999999999d", "(1,)", "%999999999d"),
        ("%s" * 1000, "('x',)" * 1000, "%s" * 1000),
        ("%s", "(" * 1000, "%s"),
        ("%s", "-" * 1999 + "1", "%s"),
        ("100%", "('x',)", "100%"),
    ],
)
def test_a_template_is_filled_only_where_that_is_safe(template: str, arguments: str, expected: str) -> None:
    assert formatted(template, arguments) == expected


FLUENT_BIT = [
    {"date": 1780000000.123456, "log": "line one", "stream": "stdout", "kubernetes": {"pod_name": "p"}},
    {"date": 1780000001.5, "log": "line two", "level": "WARN"},
]
_FROM = {"host": "n1", "source_type": "file"}
VECTOR = [
    {"message": "Refused", "timestamp": "2026-05-28T20:26:40.123456789Z", "PRIORITY": "3", **_FROM},
    {"message": "Fine", "timestamp": "2026-05-28T20:26:41.5Z", "severity": "notice", **_FROM},
]


@pytest.mark.parametrize("form", ["array", "lines", "stream"])
def test_what_fluent_bit_sends(server: ClientServer, form: str) -> None:
    texts = [json.dumps(each | {"form": form}) for each in FLUENT_BIT]
    body = {"array": f"[{','.join(texts)}]", "lines": "\n".join(texts) + "\n", "stream": "".join(texts)}[form]
    media_type = "application/x-ndjson" if form == "lines" else "application/json"
    for _ in range(2):
        answer = server.http.post(
            "/log", content=gzip.compress(body.encode()),
            headers={"content-type": media_type, "content-encoding": "gzip"},
        )  # fmt: skip
        assert answer.status_code == 200
    one, *others = server.stored("log")
    assert (one["description"], one["level"]) == ("line one", "info")
    assert one["time"] == "2026-05-28T20:26:40.123456Z"
    assert one["parameters"] == {"stream": "stdout", "kubernetes": {"pod_name": "p"}, "form": form}
    # Only the time of the first tells that it is the same again.
    assert [each["level"] for each in others] == ["warning", "warning"]


def test_the_default_of_fluent_bit_is_refused_with_a_hint(server: ClientServer) -> None:
    answer = server.http.post("/log", content=b"\x92", headers={"content-type": "application/msgpack"})
    assert answer.status_code == 415
    assert "Format json" in answer.json()["error"]["hint"]


def test_what_vector_sends(server: ClientServer) -> None:
    assert server.http.post("/log", json=VECTOR).status_code == 200
    refused, fine = server.stored("log")
    assert (refused["description"], refused["level"], refused["node"]) == ("Refused", "error", "n1")
    assert refused["parameters"]["timestamp"] == "2026-05-28T20:26:40.123456789Z"
    assert (fine["level"], fine["parameters"]) == ("info", {"source_type": "file", "severity": "notice"})
    server.begin()
    assert (
        server.http.post(
            "/log", content=b'plain line\n{"message":"object"}\n', headers={"content-type": "text/plain"}
        ).status_code
        == 200
    )
    assert [event["description"] for event in server.stored("log")] == ["plain line", "object"]


def test_records_with_the_fields_of_events_may_go_to_v1_events(server: ClientServer) -> None:
    shaped = [each | {"type": "line-read"} for each in FLUENT_BIT]
    assert server.http.post("/v1/events", json=shaped).json()["accepted"] == 2
    # What the server itself tells meanwhile is native, too.
    events = [event for event in server.stored("native") if event["type"] == "line-read"]
    assert [event["parameters"]["log"] for event in events] == ["line one", "line two"]


LOG4J2 = """{"instant":{"epochSecond":1780000000,"nanoOfSecond":123456789},"thread":"main","level":"FATAL",
"loggerName":"shop.Cart","message":"It broke","thrown":{"commonElementCount":0,"message":"For input string",
"name":"java.lang.NumberFormatException","extendedStackTrace":[{"class":"Program","method":"main","file":"Program.java",
"line":7,"exact":true,"location":"?","version":"?"}]},"endOfBatch":false,"threadId":1,"contextMap":{"user":"ada"}}"""


def test_the_json_layout_of_log4j2(server: ClientServer) -> None:
    headers = {"content-type": "application/json; charset=UTF-8"}
    assert server.http.post("/log", content=LOG4J2, headers=headers).status_code == 200
    (event,) = server.stored("log")
    assert (event["level"], event["description"]) == ("error", "It broke")
    assert event["time"] == "2026-05-28T20:26:40.123456Z"
    assert event["parameters"]["instant"]["nanoOfSecond"] == 123456789
    assert event["error_message"] == "java.lang.NumberFormatException: For input string"
    assert event["error_stack_trace"].splitlines()[1] == "\tat Program.main(Program.java:7)"
    assert event["parameters"]["thrown"]["extendedStackTrace"][0]["line"] == 7
    assert (event["parameters"]["level"], event["parameters"]["contextMap"]) == ("FATAL", {"user": "ada"})


@pytest.fixture(scope="session")
def log4j2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of log4j2's jars. Maven's repository is not everywhere within reach: then the test is skipped."""
    java, mvn = shutil.which("java"), shutil.which("mvn")
    if java is None or mvn is None:
        pytest.skip("java and mvn are not installed")
    jars = ROOT / "build" / "clients" / "log4j2"
    if not list(jars.glob("log4j-core-*.jar")):
        folder = tmp_path_factory.mktemp("maven")
        (folder / "pom.xml").write_text(POM)
        copy = [mvn, "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
        done = subprocess.run(copy, cwd=folder, capture_output=True, text=True, timeout=180)
        if done.returncode:
            pytest.skip(f"Maven could not get log4j2: {done.stdout[-300:]}")
    return jars


@pytest.mark.parametrize("layout", ["template", "json"])
def test_log4j2_itself(server: ClientServer, log4j2: Path, tmp_path: Path, layout: str) -> None:
    settings = example("log4j2").replace("http://127.0.0.1:8400", server.url).replace("YOUR_KEY", server.key)
    if layout == "json":
        whole = '<JsonTemplateLayout eventTemplateUri="classpath:EcsLayout.json"/>'
        assert whole in settings
        settings = settings.replace(whole, '<JsonLayout properties="true"/>')
    (tmp_path / "log4j2.xml").write_text(settings)
    (tmp_path / "Program.java").write_text(PROGRAM)
    command = ["java", "-cp", f"{log4j2}/*", f"-Dlog4j2.configurationFile={tmp_path}/log4j2.xml"]
    done = subprocess.run([*command, str(tmp_path / "Program.java")], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    slow, broke = server.stored("log")
    assert (slow["description"], slow["level"]) == ("Cart 7 is slow", "warning")
    assert slow["time"] is not None
    assert broke["level"] == "error"
    assert "NumberFormatException" in broke["error_stack_trace"]
    assert "Program" in broke["error_stack_trace"]
    told: dict[str, Any] = broke["parameters"]
    assert "ada" in (broke["user"], told.get("contextMap", {}).get("user.name"))
    assert told.get("log.logger", told.get("loggerName")) == "shop.Cart"


def test_what_looks_like_a_time_and_is_none_stays(server: ClientServer) -> None:
    records = [
        {"time": 12.5, "message": "took"},
        {"timestamp": "12:00", "ts": 1780000000123},
        {"level": 30},
        {"level": "²"},
    ]
    assert server.http.post("/log", json=records).status_code == 200
    took, later, numbered, odd = server.stored("log")
    assert (took["parameters"], took["time"][:2]) == ({"time": 12.5}, "20")
    assert (later["parameters"], later["time"]) == ({"timestamp": "12:00"}, "2026-05-28T20:26:40.123000Z")
    assert (numbered["parameters"], numbered["level"]) == ({"level": 30}, "info")
    assert (odd["parameters"], odd["level"]) == ({"level": "²"}, "info")


def test_a_broken_record_rejects_itself_only(server: ClientServer) -> None:
    answer = server.http.post("/log", content=b'[{"message":"a"},{"message":},{"message":"c"}, 5]')
    assert (answer.status_code, answer.json()["accepted"]) == (200, 2)
    assert [event["description"] for event in server.stored("log")] == ["a", "c"]
    assert {each["code"] for each in server.rejects()[:2]} == {"not_json", "not_an_event"}
    answer = server.http.post("/log", content=b"no json at all")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid"


def test_keys_and_limits_are_those_of_every_post(server: ClientServer) -> None:
    assert server.http.post("/log", json={}, headers={"authorization": "Basic eDp5"}).status_code == 401
    assert server.http.post("/log", json=[{"message": "x"}] * 10_001).status_code == 413
    with server.busy():
        answer = server.http.post("/log", json={"message": "x"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    with server.answering("full"):
        assert server.http.post("/log", json={"message": "x"}).status_code == 507


def test_the_example_of_the_docs(server: ClientServer) -> None:
    run_example("http-handler", server)
    (event,) = server.stored("log")
    assert (event["description"], event["user"], event["level"]) == ("Report 7 is late", "ada", "warning")


@pytest.mark.parametrize("name", ["fluent-bit", "vector"])
def test_the_settings_in_the_docs_name_the_right_address(server: ClientServer, name: str) -> None:
    text = example(name)
    assert "/log" in text
    assert "YOUR_KEY" in text
    assert "json" in text


def test_objects_that_follow_each_other_are_read_in_a_time_that_grows_with_them() -> None:
    many = json.dumps({"message": "x" * 3_000}).encode() * 9_000
    began = time.monotonic()
    taken = plain.read(posted(many))
    assert len(taken.decoded.events) == 9_000
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("form", [b'{"message":"x"}', b'{"message":"x"}\n', b"x\n"], ids=["objects", "lines", "text"])
def test_more_records_than_a_request_may_hold_are_refused_at_the_first_too_many(form: bytes) -> None:
    began = time.monotonic()
    with pytest.raises(WhodidError) as caught:
        plain.read(posted(form * 1_000_000))
    assert caught.value.code == "too_large"
    assert time.monotonic() - began < 5

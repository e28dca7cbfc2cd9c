"""Syslog as a target: a strict receiver with TLS, TCP and UDP, and syslog-ng where it is installed."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conftest import absent
from support.certificates import write_certificates
from support.syslog_server import SyslogServer
from support.targets import delivery_of, event, form_of, wait_until
from whodid.dispatch.row import implementation, read_options
from whodid.errors import WhodidError
from whodid.event import Event
from whodid.targets.base import Context, Sent, Target

AT = datetime(2026, 5, 4, 10, 11, 12, 131415, tzinfo=UTC)


@pytest.fixture(params=["tls", "tcp", "udp"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SyslogServer]:
    with SyslogServer(tmp_path / "server", request.param) as found:
        yield found


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[SyslogServer]:
    with SyslogServer(tmp_path / "server") as found:
        yield found


def made(server: SyslogServer, format: str = "native", **options: Any) -> Target:
    host = "localhost" if server.transport == "tls" else "127.0.0.1"
    given = {"host": host, "port": server.port, "transport": server.transport}
    if server.transport == "tls":
        given["ca_file"] = str(server.ca_file)
    kind: Any = implementation("syslog")
    context = Context(name="t", id="i", folder=Path("/nonexistent"), receiver="r", format=format, node="this host")
    target: Target = kind(read_options(kind.OPTIONS, {**given, **options}), context)
    return target


def sent(server: SyslogServer, *events: Event, format: str = "native", first: int = 1, **options: Any) -> Sent:
    target = made(server, format, **options)
    try:
        target.open()
        return target.send(delivery_of(list(events), first=first, form=form_of(format=format)))
    finally:
        target.close()


def test_a_message_says_what_the_event_said(server: SyslogServer) -> None:
    one = event(
        time=AT, level="error", node="node 7 é", node_type="api", user='ž"o]\\f\nie 😀', type="x" * 40, status="ok"
    )
    answer = sent(server, one, first=41).answer
    (message,) = server.settled()
    assert (message.facility, message.severity) == (13, 3)
    assert message.at == AT
    assert (message.host, message.app, message.id) == ("node_7__", "whodid", "x" * 32)
    assert message.data_id == "whodid@32473"
    assert message.data == {
        "id": one.id,
        "type": "x" * 40,
        "level": "error",
        "topic": "generic",
        "user": 'ž"o]\\f ie 😀',
        "status": "ok",
        "node_type": "api",
        "seq": "41",
    }
    assert json.loads(message.text)["user"] == one.user
    assert message.has_bom
    assert "does not answer" in answer and server.errors == []


def test_levels_facility_and_names_are_chosen(tls: SyslogServer) -> None:
    levels = ["audit", "usage", "error", "warning", "info", "debug"]
    options: dict[str, Any] = {
        "facility": "local3",
        "severities": "audit => alert, debug => info",
        "app_name": "platform-audit",
    }
    sent(tls, *(event(level=level) for level in levels), **options, enterprise_id=99_999, bom="no")
    messages = tls.settled()
    assert [message.severity for message in messages] == [1, 6, 3, 4, 6, 6]
    assert {(message.facility, message.app, message.data_id) for message in messages} == {
        (19, "platform-audit", "whodid@99999")
    }
    assert messages[0].host == "this_host"
    assert not any(message.has_bom for message in messages)


def test_lines_come_in_the_format_of_the_target(tls: SyslogServer) -> None:
    sent(tls, event(), format="cloudevents")
    assert json.loads(tls.settled()[0].text)["specversion"] == "1.0"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"severities": "audit => loud"}, "severities has"),
        ({"severities": "shouting => err"}, "severities has"),
        ({"facility": "nowhere"}, "facility is"),
        ({"app_name": "a b"}, "app_name is"),
        ({"app_name": "x" * 49}, "app_name is"),
        ({"enterprise_id": -1}, "enterprise_id is"),
        ({"ca_file": "/nowhere.pem"}, "cannot be read"),
        ({"certificate_file": "/nowhere.pem"}, "cannot be read"),
    ],
)
def test_options_that_make_no_sense_are_told(tls: SyslogServer, options: dict[str, Any], told: str) -> None:
    with pytest.raises(WhodidError, match=told) as caught:
        made(tls, **options)
    assert not caught.value.kind.temporary


def test_what_is_too_large_is_refused_or_cut(server: SyslogServer) -> None:
    events = [event(), event(description="é" * 5_000), event()]
    outcome = sent(server, *events, message_bytes_max=4_001)
    assert [(refusal.seq, refusal.code) for refusal in outcome.refused] == [(2, "too_large")]
    assert outcome.events == 2
    outcome = sent(server, *events, message_bytes_max=4_001, oversize="truncate")
    assert list(outcome.refused) == []
    messages = server.settled()
    # Two connections: whose messages are read first is not said.
    expected = [events[0].id, events[2].id, *(one.id for one in events)]
    assert sorted(message.data["id"] for message in messages) == sorted(expected)
    cut = next(message for message in messages if message.data["id"] == events[1].id)
    assert cut.size_bytes in (4_000, 4_001) and cut.data["truncated"] == "true"


def test_an_event_of_a_mebibyte_goes_where_it_may(tls: SyslogServer) -> None:
    big = event(description="é" * 500_000)
    assert sent(tls, event(), big, event(), message_bytes_max=2_000_000).events == 3
    assert json.loads(tls.settled()[1].text)["description"] == big.description


def test_datagrams_have_an_end(tmp_path: Path) -> None:
    with SyslogServer(tmp_path, "udp") as server:
        outcome = sent(server, event(description="x" * 66_000), event(), message_bytes_max=1_000_000)
        assert [refusal.seq for refusal in outcome.refused] == [1]
        assert len(server.settled()) == 1


def test_a_certificate_for_another_name_is_permanent(tmp_path: Path) -> None:
    with SyslogServer(tmp_path / "server", names=("elsewhere.example",)) as server:
        with pytest.raises(WhodidError, match=r"not trusted.*localhost") as caught:
            sent(server, event())
        assert caught.value.code == "forbidden"
        assert server.raw == []


@pytest.mark.parametrize("shows", ["none", "stranger", "known"])
def test_a_receiver_may_ask_for_a_certificate(tmp_path: Path, shows: str) -> None:
    for name in ("known", "stranger"):
        (tmp_path / name).mkdir()
        write_certificates(tmp_path / name)
    with SyslogServer(tmp_path / "server", client_ca=tmp_path / "known" / "ca.pem") as server:
        options: dict[str, Any] = {} if shows == "none" else {"certificate_file": str(tmp_path / shows / "server.pem")}
        if shows == "known":
            assert sent(server, event(), **options).events == 1
            assert len(server.settled()) == 1
            return
        target = made(server, **options)
        with pytest.raises(WhodidError) as caught:
            target.open()
            # TLS 1.3 lets a client begin before it knows.
            wait_until(lambda: target.send(delivery_of([event()])).events == 0)
        target.close()
        assert server.raw == []
        assert caught.value.code in ("forbidden", "unavailable")


def test_a_receiver_that_goes_away_is_noticed_before_anything_is_lost(tls: SyslogServer) -> None:
    target = made(tls)
    target.open()
    target.send(delivery_of([event()]))
    wait_until(lambda: tls.messages)
    tls.drop()

    def fails() -> bool:
        try:
            target.send(delivery_of([event()]))
        except WhodidError as error:
            assert error.kind.temporary
            return True
        return False

    wait_until(fails)
    target.close()


def test_a_receiver_that_accepts_and_says_nothing_costs_the_time_allowed(tmp_path: Path) -> None:
    with SyslogServer(tmp_path / "server", hangs=True) as server:
        began = time.monotonic()
        with pytest.raises(WhodidError) as caught:
            sent(server, event(), timeout_s=0.3)
        assert caught.value.kind.temporary
        assert time.monotonic() - began < 5


def test_a_receiver_that_reads_nothing_costs_the_time_allowed(tmp_path: Path) -> None:
    with SyslogServer(tmp_path / "server", "tcp", hangs=True) as server:
        events = [event(description="x" * 60_000) for _ in range(200)]
        with pytest.raises(WhodidError) as caught:
            sent(server, *events, timeout_s=0.5, message_bytes_max=100_000)
        assert caught.value.kind.temporary


def test_a_call_is_broken_off_from_another_thread(tmp_path: Path) -> None:
    with SyslogServer(tmp_path / "server", "tcp", hangs=True) as server:
        target = made(server, message_bytes_max=100_000)
        target.open()
        failed: list[WhodidError] = []

        def sending() -> None:
            try:
                target.send(delivery_of([event(description="x" * 60_000) for _ in range(200)]))
            except WhodidError as error:
                failed.append(error)

        thread = threading.Thread(target=sending)
        thread.start()
        target.cancel()
        thread.join(10)
        assert not thread.is_alive()
        assert failed[0].kind.temporary
        target.close()


@pytest.fixture
def syslog_ng(tmp_path: Path) -> Iterator[tuple[int, Path, Path]]:
    """A real syslog-ng with TLS: its port, its file, its authority."""
    program = shutil.which("syslog-ng", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        absent("syslog-ng is not installed (Debian: syslog-ng-core).")
    assert program is not None
    write_certificates(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    out, settings = tmp_path / "out.json", tmp_path / "syslog-ng.conf"
    settings.write_text(f"""@version: 3.38
source in {{ syslog(ip("127.0.0.1") port({port}) transport("tls") flags(syslog-protocol)
  tls(key-file("{tmp_path}/key.pem") cert-file("{tmp_path}/server.pem") peer-verify(optional-untrusted))); }};
destination out {{ file("{out}" template("$(format-json --scope rfc5424 --key .SDATA.*
  --pair FACILITY=$FACILITY)\\n")); }};
log {{ source(in); destination(out); }};
""")
    pem = (tmp_path / "server.pem").read_text()
    (tmp_path / "key.pem").write_text(pem[: pem.index("-----BEGIN CERTIFICATE")])
    command = [
        program,
        "-F",
        "-f",
        settings,
        "-R",
        tmp_path / "persist",
        "-c",
        tmp_path / "ctl",
        "-p",
        tmp_path / "pid",
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*map(str, command), "--no-caps"], stdout=log, stderr=log)
    try:

        def listens() -> bool:
            assert process.poll() is None, (tmp_path / "log").read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(listens)
        yield port, out, tmp_path / "ca.pem"
    finally:
        process.terminate()
        process.wait(20)


def test_syslog_ng_understands_it(syslog_ng: tuple[int, Path, Path]) -> None:
    port, out, ca_file = syslog_ng
    kind: Any = implementation("syslog")
    given = {"host": "localhost", "port": port, "ca_file": str(ca_file), "facility": "local1"}
    context = Context(name="t", id="i", folder=out.parent, receiver="r", format="native", node="n1")
    target: Target = kind(read_options(kind.OPTIONS, given), context)
    target.open()
    events = [event(level="error", user="žofie 😀", description='a "quote" ] and \\'), *(event() for _ in range(100))]
    target.send(delivery_of(events))
    target.close()
    wait_until(lambda: out.exists() and out.read_bytes().count(b"\n") == 101)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [json.loads(row["MESSAGE"].removeprefix("\ufeff"))["id"] for row in rows] == [one.id for one in events]
    first = rows[0]
    assert (first["FACILITY"], first["PRIORITY"], first["PROGRAM"]) == ("local1", "err", "whodid")
    assert json.loads(first["MESSAGE"].removeprefix("\ufeff"))["description"] == events[0].description
    assert "žofie 😀" in json.dumps(first, ensure_ascii=False)

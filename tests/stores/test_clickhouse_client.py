"""What an administrator is told when a ClickHouse does not let whodid in."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from support.batches import Batches
from support.clickhouse import ClickHouseServer
from support.events import event, many
from whodid.errors import WhodidError
from whodid.stores.clickhouse import ClickHouseStore
from whodid.stores.clickhouse_address import parse
from whodid.stores.clickhouse_client import QUERY, connect, told

WRONG_PASSWORD = "Code: 516. DB::Exception: ann: Authentication failed: password is incorrect. (AUTHENTICATION_FAILED)"
NO_RIGHT = "Code: 497. DB::Exception: ann: Not enough privileges. (ACCESS_DENIED)"


@contextmanager
def refusing(said: str) -> Iterator[str]:
    """The address of a server that refuses whatever it is asked."""

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(403)
            self.send_header("X-ClickHouse-Exception-Code", said.split()[1].strip("."))
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said.encode())

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"clickhouse://ann:secret@127.0.0.1:{server.server_port}/whodid"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("said", "hint"), [(WRONG_PASSWORD, "user and password"), (NO_RIGHT, "Who may what")])
def test_whom_the_server_does_not_let_in_hears_what_to_mend(said: str, hint: str) -> None:
    with refusing(said) as url, pytest.raises(WhodidError) as refused:
        connect(parse(url))
    assert refused.value.code == "forbidden"
    assert hint in str(refused.value.hint)


def test_whoever_asks_for_what_is_no_event_hears_what_can_be_read() -> None:
    with pytest.raises(WhodidError) as refused, told(QUERY):
        raise DatabaseError(NO_RIGHT)
    assert refused.value.hint == "Only the events can be read."


@pytest.mark.parametrize(("host", "reason"), [("127.0.0.1:1", "Connection refused"), ("no.such.invalid", "not known")])
def test_a_server_that_is_away_is_told_with_the_reason(host: str, reason: str) -> None:
    with pytest.raises(WhodidError) as refused:
        connect(parse(f"clickhouse://{host}/whodid"))
    assert refused.value.code == "unavailable"
    assert reason in str(refused.value.hint)


def test_of_a_server_that_is_away_nobody_but_whodid_speaks(tmp_path: Path) -> None:
    asked = [sys.executable, "-m", "whodid", "status", "--data", str(tmp_path), "--store", "clickhouse://127.0.0.1:1/x"]
    said = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    assert said.stderr.startswith("whodid: ClickHouse does not answer")


def test_a_server_that_stands_still_is_given_up(
    own_clickhouse_server: ClickHouseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whodid.stores.clickhouse_query.SILENT_S", 0.2)
    monkeypatch.setattr("whodid.stores.clickhouse_client.CONNECT_TIMEOUT_S", 1)
    monkeypatch.setattr("whodid.stores.clickhouse.ASKED_SILENT_S", 0.2)
    store = ClickHouseStore(own_clickhouse_server.url())
    with own_clickhouse_server.frozen():
        began_s = time.monotonic()
        with pytest.raises(WhodidError, match="does not answer"):
            store.query("SELECT 1", timeout_ms=100)
        with pytest.raises(WhodidError, match="does not answer"):
            store.stats()
        with pytest.raises(WhodidError, match="does not answer"):
            connect(parse(own_clickhouse_server.url()))
        assert time.monotonic() - began_s < 10
    assert store.query("SELECT 1 AS one").table.to_pylist() == [{"one": 1}]
    store.close()


def test_closing_does_not_wait_for_a_server_that_stands_still(
    own_clickhouse_server: ClickHouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whodid.stores.clickhouse.BREAK_OFF_S", 0.2)
    batches, url = Batches(tmp_path), own_clickhouse_server.url()
    store = ClickHouseStore(url)
    store.write([batches.of(many(3))])
    more = batches.of([event(number) for number in range(3, 6)])
    writing = threading.Thread(target=lambda: store.write([more]))
    with own_clickhouse_server.frozen():
        writing.start()
        while not store._writing.locked():
            assert writing.is_alive()
        began_s = time.monotonic()
        store.close()
        assert time.monotonic() - began_s < 10
    writing.join()
    with closing(ClickHouseStore(url)) as again:
        assert again.stats().events == 6, "what was on its way is stored once the server goes on"

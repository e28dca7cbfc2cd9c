"""`whodid.open` answers the same from a folder and from a server."""

from __future__ import annotations

import getpass
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import whodid
from support.reading import event
from support.web import LOCAL_KEY, WebServer
from whodid import cli
from whodid.config import Config
from whodid.datasets.connections import Connection
from whodid.datasets.dataset import Dataset
from whodid.engine import Engine
from whodid.errors import WhodidError
from whodid.reading.local import LocalReader
from whodid.reading.reader import Reader
from whodid.reading.remote import TIMEOUT_S, RemoteReader
from whodid.web.live import HEARTBEAT_S

STORY = [
    event(
        "chart-drawn",
        at=datetime.now(UTC) - timedelta(minutes=minute),
        user="erika" if minute % 3 else "otto",
        entities=[("query", "Ä/1 ?")],
        parameters={"n": minute},
        duration_ms=float(minute),
    )
    for minute in range(1, 31)
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    running = WebServer(tmp_path_factory.mktemp("data"))
    running.store(STORY)
    yield running
    running.close()


@pytest.fixture(scope="module", params=["local", "remote"])
def reader(request: pytest.FixtureRequest, server: WebServer) -> Iterator[Reader]:
    if request.param == "local":
        # The server's own engine: what a folder without a server would open.
        yield LocalReader(server.engine)
    else:
        with whodid.open(server.url, key=LOCAL_KEY) as remote:
            assert isinstance(remote, RemoteReader)
            yield remote


def test_events_by_user_entity_and_time(reader: Reader) -> None:
    answer = reader.events(user="otto", entity=("query", "Ä/1 ?"), since="1d", type="chart-*")
    assert len(answer) == 10
    assert not answer.truncated
    first = next(iter(answer))
    assert first["parameters"] == {"n": 3}
    assert first["time"].endswith("Z")
    assert [row["time"] for row in answer] == sorted((row["time"] for row in answer), reverse=True)


def test_times_may_be_those_of_python(reader: Reader) -> None:
    now = datetime.now(UTC)
    for since in (timedelta(days=1), now - timedelta(days=1), (now - timedelta(days=1)).replace(tzinfo=None),
                  (now - timedelta(days=1)).date()):  # fmt: skip
        assert len(reader.events(type="chart-drawn", since=since)) == 30
    tenth = datetime.fromisoformat(list(reader.events(type="chart-drawn"))[9]["time"])

    def span() -> timedelta:
        """From this moment back to between the tenth event and the eleventh, a minute before it."""
        return datetime.now(UTC) - tenth + timedelta(seconds=30)

    assert len(reader.events(type="chart-drawn", since=span(), until=now)) == 10
    assert len(reader.activity(user="otto", since=span())) == 3
    (row,) = reader.report("types", types="chart-drawn", since=span())
    assert row["events"] == 10


def test_an_answer_is_arrow_pandas_and_polars(reader: Reader) -> None:
    answer = reader.events(type="chart-drawn")
    assert answer.arrow().num_rows == len(answer.pandas()) == len(answer.polars()) == 30
    assert str(answer.pandas()["time"].dt.tz) == "UTC"
    assert answer.columns == answer.polars().columns


def test_a_cut_answer_says_so_and_leads_on(reader: Reader) -> None:
    first = reader.events(type="chart-drawn", limit=20)
    assert first.truncated
    rest = reader.events(type="chart-drawn", limit=20, cursor=first.next_cursor)
    assert not rest.truncated
    assert len(first) + len(rest) == 30


def test_an_answer_may_be_longer_than_a_page(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    from whodid.reading import read, remote

    monkeypatch.setattr(read, "PAGE_ROWS", 7)
    monkeypatch.setattr(remote, "PAGE_ROWS", 7)
    first = reader.events(type="chart-drawn", since="30d", limit=25)
    assert (len(first), first.truncated) == (25, True)
    rest = reader.events(type="chart-drawn", since="30d", limit=25, cursor=first.next_cursor)
    assert (len(rest), rest.truncated) == (5, False)
    assert not reader.events(type="chart-drawn", limit=30).truncated


def test_a_program_may_end_without_closing_its_reader(tmp_path: Path) -> None:
    program = "import sys, whodid; reader = whodid.open(sys.argv[1]); print(len(reader.events(limit=5)))"
    Engine.open(Config(data=str(tmp_path / "data"))).close()
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "data")], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_activity_and_usage(reader: Reader) -> None:
    assert len(reader.activity(entity="query:Ä/1 ?", since="1d")) == 30
    usage = reader.usage(user="otto", since="1d")
    assert usage.numbers["runs"] == 10
    assert [row["user"] for row in usage["top_users"]] == ["otto"]
    assert set(usage.plain()) >= {"since", "until", "numbers", "by_day", "top_entities"}
    with pytest.raises(WhodidError, match="either an entity or a user"):
        reader.usage()


def test_queries_reports_rejects_and_status(reader: Reader) -> None:
    answer = reader.query("SELECT count(*) AS n FROM events WHERE type = $type", {"type": "chart-drawn"})
    assert list(answer) == [{"n": 30}]
    assert reader.query("SELECT type FROM events", limit=3).truncated
    names = [report["name"] for report in reader.reports()]
    assert names
    assert reader.report(names[0]).columns
    assert len(reader.rejects()) == 0
    status = reader.status()
    assert status["journal"]["events"] >= 30
    assert status["writer"]["stored"] >= 30


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda reader: reader.events(since="soon"), "invalid"),
        (lambda reader: reader.events(since=7), "invalid"),
        (lambda reader: reader.events(until=timedelta.max), "invalid"),
        (lambda reader: reader.events(nonsense="x"), "invalid"),
        (lambda reader: reader.events(group="Nobody"), "not_found"),
        (lambda reader: reader.events(cursor="x"), "invalid"),
        (lambda reader: reader.query("DROP TABLE events"), None),
        (lambda reader: reader.report("nothing"), "not_found"),
    ],
)
def test_errors_are_the_same_from_near_and_far(reader: Reader, call: Any, code: str | None) -> None:
    with pytest.raises(WhodidError) as caught:
        call(reader)
    assert caught.value.code == code or (code is None and caught.value.code in ("invalid", "forbidden"))


def test_following_gives_what_comes(reader: Reader, server: WebServer) -> None:
    came: list[Any] = []
    follower = reader.follow(type="followed")
    thread = threading.Thread(target=lambda: came.append(next(follower)), daemon=True)
    thread.start()
    for _ in range(40):
        server.store([event("followed", at=datetime.now(UTC), parameters={"a": 1, "b": "one\u2028two\x85three"})])
        thread.join(0.5)
        if came:
            break
    assert came[0]["parameters"] == {"a": 1, "b": "one\u2028two\x85three"}


def test_a_server_that_falls_silent_is_not_followed_for_ever() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    with RemoteReader("http://audit.example.com", transport=httpx.MockTransport(answer)) as reader:
        assert list(reader.follow()) == []
    assert HEARTBEAT_S < asked[0].extensions["timeout"]["read"] <= TIMEOUT_S


def test_reading_a_folder_leaves_an_event(server: WebServer) -> None:
    with pytest.raises(WhodidError):
        LocalReader(server.engine).query("SELECT nothing FROM events")
    LocalReader(server.engine).events(user="nobody-else")
    (read,) = (one for one in server.recorded("audit-read") if "nobody-else" in one["parameters"])
    assert (read["user"], read["status"]) == ("api:owner of the data folder", None)
    assert server.recorded("query-run")[-1]["status"] == "failed"


def test_what_is_done_on_a_folder_by_hand_names_the_same_owner_and_the_account(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    WebServer(folder).close()
    with whodid.open(folder) as reader:
        reader.events(limit=1)
    assert cli.main(["group", "create", "team", "--data", str(folder)]) == cli.DONE
    with whodid.open(folder) as reader:
        sql = "SELECT \"user\" AS who, parameters FROM events WHERE type IN ('audit-read', 'group-created')"
        told = reader.query(sql).arrow().to_pylist()
    assert [one["who"] for one in told] == ["api:owner of the data folder"] * 2
    assert [json.loads(one["parameters"])["system_user"] for one in told] == [getpass.getuser()] * 2


def test_a_folder_is_opened_itself_or_through_the_server_that_owns_it(tmp_path: Path) -> None:
    running = WebServer(tmp_path / "data")
    running.store(STORY)
    running.engine.lock.update(url=running.url, key=LOCAL_KEY)
    with whodid.open(tmp_path / "data") as reader:
        assert isinstance(reader, RemoteReader)
        assert len(reader.events(type="chart-drawn")) == 30
    running.close()
    with whodid.open(tmp_path / "data") as reader:
        assert isinstance(reader, LocalReader)
        assert len(reader.events(type="chart-drawn")) == 30


def test_where_nothing_is_an_error_says_so(tmp_path: Path, unused_port: int) -> None:
    with pytest.raises(WhodidError, match="holds no whodid data"):
        whodid.open(tmp_path)
    with (
        whodid.open(f"http://127.0.0.1:{unused_port}") as reader,
        pytest.raises(WhodidError, match="cannot be reached"),
    ):
        reader.status()


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def test_a_dataset_is_read_where_its_files_lie(reader: Reader, logs: Path) -> None:
    parts = reader.partitions("logs", refresh=True)
    assert [(part["name"], part["files"]) for part in parts] == [("api|2026-11-19", 1), ("design|2026-11-20", 2)]
    assert parts[0]["begins_at"] == "2026-11-19T00:00:00Z"
    answer = reader.dataset("logs", partitions=["design|2026-11-20"])
    assert [(row["partition"], row["n"]) for row in answer] == [("design|2026-11-20", 1), ("design|2026-11-20", 2)]
    assert answer.pandas()["n"].sum() == answer.polars()["n"].sum() == answer.arrow()["n"].to_numpy().sum() == 3
    assert (len(reader.dataset("logs")), len(cut := reader.dataset("logs", limit=1)), cut.truncated) == (3, 1, True)
    for wrong in ({"name": "nothing"}, {"name": "logs", "partitions": ["nothing"]}):
        with pytest.raises(WhodidError) as caught:
            reader.dataset(**wrong)
        assert caught.value.code == "not_found"


@pytest.fixture(scope="module")
def logs(server: WebServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the dataset `logs`."""
    folder = tmp_path_factory.mktemp("logs")
    for number, path in enumerate(("api/2026/11/19/a.log", "design/2026/11/20/a.log", "design/2026/11/20/b.log")):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f'{{"n":{number}}}\n')
    datasets = server.engine.datasets
    datasets.connections.create(Connection(name="lake", kind="folder", options={"path": str(folder)}))
    datasets.create(Dataset(name="logs", connection="lake", partitioning="/%{node_type}/%Y/%M/%D/.*"))
    return folder

"""The files target: where events go, when files are closed, and that each event is there once, whatever happens."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest
from msgspec import Raw

from support.laid_out import content as rows_of
from support.laid_out import data_files, filled, killed_until_done, numbered, numbers_in, target_of
from support.targets import delivery_of, event, watched
from whodid.datasets import listing
from whodid.datasets.dataset import Dataset
from whodid.dispatch.management import NewTarget
from whodid.errors import WhodidError
from whodid.formats import decoder
from whodid.places import open_place
from whodid.targets.laid_out.commit import COMMIT, PLACES, Commits

POINTS = (
    "target.before-commit",
    "target.after-commit",
    "target.mid-deliver",
    "target.after-deliver",
    "target.after-places",
)


def written(tmp_path: Path, numbers: range, *, format: str = "native", **options: Any) -> Path:
    """The folder of a target that took these events and was closed."""
    target = target_of("files", tmp_path / "work", {"path": str(tmp_path / "out"), **options}, format=format)
    filled(target, numbers)
    target.flush()
    target.close()
    return tmp_path / "out"


def asked(sql: str) -> list[Any]:
    """The rows that DuckDB answers."""
    with duckdb.connect() as connection:
        return list(connection.execute(sql).fetchall())


def test_events_lie_in_the_folder_of_their_topic_and_hour(tmp_path: Path) -> None:
    out = written(tmp_path, range(8))
    folders = {str(path.parent.relative_to(out)): len(list(rows_of(path))) for path in data_files(out)}
    assert folders == {
        "generic/none/2026/11/20/13": 1,
        "apinode-query/none/2026/11/20/13": 1,
        "generic/none/2026/11/20/14": 2,
        "apinode-query/none/2026/11/20/14": 2,
        "generic/none/2026/11/20/15": 1,
        "apinode-query/none/2026/11/20/15": 1,
    }


@pytest.mark.parametrize("name", [COMMIT, PLACES])
def test_a_damaged_note_of_what_was_delivered_is_named(tmp_path: Path, name: str) -> None:
    working = tmp_path / "work"
    working.mkdir()
    (working / name).write_bytes(b'{"places": ')
    with pytest.raises(WhodidError, match=f"{name} is damaged") as caught:
        assert not (Commits(working).unfinished() or Commits(working).places())
    assert caught.value.code == "conflict"


@pytest.mark.parametrize("compression", ["none", "gz", "zst"])
def test_lines_are_whole_in_every_compression(tmp_path: Path, compression: str) -> None:
    out = written(tmp_path, range(200), compression=compression, folders="/all")
    assert numbers_in(out) == list(range(200))
    row = next(rows_of(data_files(out)[0]))
    assert (row["user"], row["receiver"], row["orig_address"], row["seq"]) == ("ada", "receiver-a", "10.1.2.3", 0)


def test_a_packed_file_can_be_read_by_the_usual_tool(tmp_path: Path) -> None:
    out = written(tmp_path, range(50), folders="/all")
    shown = subprocess.run(["gzip", "-dc", *data_files(out)], capture_output=True, check=True).stdout
    assert shown.count(b"\n") == 50


@pytest.mark.parametrize("format", ["dss-log4j", "dss-event-server"])
def test_dss_envelopes_are_read_by_the_importer(tmp_path: Path, format: str) -> None:
    out = written(
        tmp_path, range(20), format=format, folders="/%{topic}/%{routing_key}/%Y/%M/%D/%H", compression="none"
    )
    events = [
        found for path in data_files(out) for found in decoder(format).decode(path.read_bytes(), first_line=1).events
    ]
    assert len(events) == 20
    assert {found.topic for found in events} == {"generic", "apinode-query"}


def test_parquet_has_the_columns_of_every_store(tmp_path: Path) -> None:
    out = written(tmp_path, range(100), content="parquet", folders="/%{topic}/%Y/%M/%D")
    files = f"read_parquet('{out}/*/*/*/*/*.parquet')"
    rows = asked(f"SELECT topic, count(*), count(DISTINCT id), min(time) FROM {files} GROUP BY 1 ORDER BY 1")
    assert [(topic, count, ids) for topic, count, ids, _ in rows] == [("apinode-query", 50, 50), ("generic", 50, 50)]
    assert str(rows[1][3]) == "2026-11-20 13:30:00"
    columns = [column[0] for column in asked(f"DESCRIBE SELECT * FROM {files}")]
    assert columns[:4] == ["id", "time", "received_at", "type"]
    assert {"entity_type", "parameters", "seq", "user"} <= set(columns)


def test_a_manifest_tells_count_and_digest_of_each_file(tmp_path: Path) -> None:
    out = written(tmp_path, range(30))
    manifests = [json.loads(path.read_bytes()) for path in (out / "_manifests").rglob("*.json")]
    told = {file["path"]: file for manifest in manifests for file in manifest["files"]}
    assert sum(file["events"] for file in told.values()) == 30
    for path in data_files(out):
        file = told[str(path.relative_to(out))]
        assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (file["size_bytes"], file["events"]) == (path.stat().st_size, len(list(rows_of(path))))


def test_the_dataset_pattern_finds_what_was_written(tmp_path: Path) -> None:
    out = written(tmp_path, range(8), folders="/%{node_type}/%Y/%M/%D")
    dataset = Dataset(name="x", connection="c", partitioning="/%{node_type}/%Y/%M/%D/.*")
    found = listing.Listings(None).listing(dataset, open_place("folder", {"path": str(out)}))
    assert [one.name for one in found.partitions] == ["none|2026-11-20"]


def test_files_are_closed_by_size_and_by_time(tmp_path: Path) -> None:
    options = {"path": str(tmp_path / "out"), "folders": "/all", "close_bytes": 2_000, "close_s": 0.0}
    target = target_of("files", tmp_path / "work", options)
    filled(target, range(40))
    target.tick()
    target.flush()
    assert len(data_files(tmp_path / "out")) >= 4
    assert target.durable() == {"receiver-a": 39}
    target.close()


def test_what_is_not_closed_is_sent_again_and_not_doubled(tmp_path: Path) -> None:
    options = {"path": str(tmp_path / "out"), "folders": "/all"}
    target = target_of("files", tmp_path / "work", options)
    filled(target, range(40))
    assert target.durable() == {}
    target.close()
    assert data_files(tmp_path / "out") == []
    again = target_of("files", tmp_path / "work", options)
    filled(again, range(50))
    again.flush()
    again.close()
    assert numbers_in(tmp_path / "out") == list(range(50))


@pytest.mark.crash
@pytest.mark.parametrize("content", ["lines", "parquet"])
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_each_event_is_there_once(tmp_path: Path, point: str, content: str) -> None:
    options = {
        "path": str(tmp_path / "out"),
        "close_bytes": 6_000,
        "content": content,
        "folders": "/%{topic}/%Y/%M/%D",
    }
    assert killed_until_done("files", tmp_path / "work", options, point, 60) >= 1
    if content == "parquet":
        found = asked(f"SELECT id FROM read_parquet('{tmp_path}/out/*/*/*/*/*.parquet') ORDER BY 1")
        numbers = [int(row[0][-12:], 16) for row in found]
    else:
        numbers = numbers_in(tmp_path / "out")
    assert numbers == list(range(60))
    assert not list((tmp_path / "out").rglob("*.part*"))


def test_names_of_a_hostile_topic_stay_in_the_folder(tmp_path: Path) -> None:
    target = target_of("files", tmp_path / "work", {"path": str(tmp_path / "out")})
    target.open()
    topics = ["../../etc", "a/b", ".hidden", "x" * 190, "ü\n", "%2F"]
    target.send(delivery_of([numbered(place, routing_key=topic) for place, topic in enumerate(topics)], first=0))
    target.flush()
    target.close()
    assert len(data_files(tmp_path / "out")) == len(topics)
    assert {path.name for path in tmp_path.iterdir()} == {"out", "work"}


def test_a_second_instance_waits_until_the_first_is_gone(tmp_path: Path) -> None:
    options = {"path": str(tmp_path / "out")}
    first = target_of("files", tmp_path / "work", options)
    first.open()
    second = target_of("files", tmp_path / "work", options)
    with pytest.raises(WhodidError) as caught:
        second.open()
    assert (caught.value.code, caught.value.kind.temporary) == ("busy", True)
    first.close()
    second.open()
    second.close()


def test_a_test_event_is_written_and_moves_no_place(tmp_path: Path) -> None:
    options = {"path": str(tmp_path / "out")}
    running = target_of("files", tmp_path / "work", options)
    running.open()
    trial = target_of("files", tmp_path / "work", options, testing=True)
    trial.open()
    trial.send(delivery_of([numbered(1)], receiver="test-1", first=7))
    assert "1 file with 1 event," in trial.flush()
    trial.close()
    assert running.durable() == {}
    running.close()


def test_a_full_disk_is_waited_out(tmp_path: Path, small_disk: Path) -> None:
    options = {"path": str(small_disk / "out"), "folders": "/all", "compression": "none"}
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 900_000)
    target = target_of("files", tmp_path / "work", options)
    with pytest.raises(WhodidError) as caught:
        filled(target, range(300), description="y" * 1_000)
        target.flush()
    assert (caught.value.code, caught.value.kind.temporary) == ("full", True)
    target.close()
    ballast.unlink()
    again = target_of("files", tmp_path / "work", options)
    filled(again, range(300), description="y" * 1_000)
    again.flush()
    again.close()
    assert numbers_in(small_disk / "out") == list(range(300))


@pytest.mark.parametrize(
    ("options", "format", "complaint"),
    [
        ({"path": "relative"}, "native", "not absolute"),
        ({"path": "/x", "folders": "/%D"}, "native", "has %D without %Y"),
        ({"path": "/x", "folders": "/.*"}, "native", "regular expression"),
        ({"path": "/x", "folders": "/%{password}"}, "native", "names %{password}"),
        ({"path": "/x", "content": "parquet"}, "dss-log4j", "native form"),
        ({"path": "/proc/version/x"}, "native", "cannot be written"),
    ],
)
def test_bad_options_are_told(tmp_path: Path, options: dict[str, Any], format: str, complaint: str) -> None:
    with pytest.raises(WhodidError, match=complaint.replace("{", r"\{")) as caught:
        target_of("files", tmp_path / "work", options, format=format).open()
    assert not caught.value.kind.temporary


@pytest.mark.parametrize("content", ["lines", "parquet"])
def test_the_whole_way_from_the_journal_to_files(tmp_path: Path, content: str) -> None:
    out = tmp_path / "out"
    with watched(tmp_path / "data") as running:
        options = {"path": str(out), "folders": "/%{topic}/%Y", "close_s": 0.1, "content": content}
        running.dispatch.book.create(NewTarget(name="archive", kind="files", options=options))
        odd = event(parameters=Raw(b'{"a":1,"a":2}'), topic="it's / 100 %")
        events = [*(event(topic=f"t{number % 3}") for number in range(500)), odd]
        running.post(events)
        running.engine.flush()
        running.post([*events[:50], later := event(topic="t1")])
        running.settled()
    sent = sorted(one.id for one in [*events, later])
    assert sorted(found for found in ids_in(out, content) if found in set(sent)) == sent


def ids_in(out: Path, content: str) -> list[str]:
    if content == "parquet":
        return [row[0] for row in asked(f"SELECT id FROM read_parquet('{out}/*/*/*.parquet', union_by_name = true)")]
    return [row["id"] for path in data_files(out) for row in rows_of(path)]

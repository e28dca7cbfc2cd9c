"""Datasets: partitions of files, their records, and views of them for other engines."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from support.connected import Connected, connected, put
from support.imports import dss_lines
from whodid.datasets import engine_sql, listing, records
from whodid.datasets.dataset import LINE, Dataset
from whodid.errors import WhodidError

PATTERN = "/%{node_type}/%Y/%M/%D/.*"


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Connected]:
    made = connected(tmp_path)
    put(tmp_path, "audit/design/2026/11/19/a.json", dss_lines(range(3)))
    put(tmp_path, "audit/design/2026/11/20/b.json.gz", gzip.compress(dss_lines(range(3, 5))))
    put(tmp_path, "audit/api/2026/11/20/c.json.zst", zstandard.compress(dss_lines(range(5, 6))))
    put(tmp_path, "audit/README", b"not of a partition\n")
    yield made
    made.directory.close()


def listed(parts: Connected, dataset: Dataset) -> listing.Listing:
    return listing.Listings(None).listing(dataset, parts.connections.open("files"))


def rows(parts: Connected, dataset: Dataset, *names: str, limit: int | None = None) -> list[dict[str, Any]]:
    chosen = listed(parts, dataset).chosen(names)
    return list(records.read(dataset, parts.connections.open("files"), chosen, limit=limit).table.to_pylist())


def test_partitions_and_what_lies_outside(parts: Connected) -> None:
    found = listed(parts, parts.dataset("audit", path="audit", partitioning=PATTERN))
    assert [(one.name, len(one.files)) for one in found.partitions] == [
        ("api|2026-11-20", 1),
        ("design|2026-11-19", 1),
        ("design|2026-11-20", 1),
    ]
    assert [file.path for file in found.outside] == ["audit/README"]


def test_one_or_many_partitions_are_read(parts: Connected) -> None:
    dataset = parts.dataset("audit", path="audit", partitioning=PATTERN)
    assert len(rows(parts, dataset)) == 6
    some = rows(parts, dataset, "design|2026-11-20", "api|2026-11-20")
    assert [(row["partition"], row["message.n"]) for row in some] == [
        ("design|2026-11-20", 3),
        ("design|2026-11-20", 4),
        ("api|2026-11-20", 5),
    ]
    assert some[0]["message.msgType"] == "dataset-read-data"
    with pytest.raises(WhodidError, match=r"no partition 'design\|2026-11-21'"):
        rows(parts, dataset, "design|2026-11-21")


def test_one_record_per_line_is_one_column_of_text(parts: Connected) -> None:
    dataset = parts.dataset("lines", path="audit", format=LINE, partitioning=PATTERN)
    found = rows(parts, dataset, "design|2026-11-19")
    assert [json.loads(row["line"])["message"]["n"] for row in found] == [0, 1, 2]


def test_what_is_no_record_is_counted_and_named(parts: Connected, tmp_path: Path) -> None:
    put(tmp_path, "bad/x.json", b'\xef\xbb\xbf{"a":1}\nnot json\n\n[1]\n{"a":"\xff"}\n' + b"[" * 50_000 + b'\n{"a":3}')
    dataset = parts.dataset("bad", path="bad")
    found = records.read(dataset, parts.connections.open("files"), listed(parts, dataset).partitions)
    assert [row["a"] for row in found.table.to_pylist()] == ["1", "\ufffd", "3"]
    assert found.passed_over == 3
    assert [problem.line for problem in found.problems] == [2, 4, 6]


def test_a_limit_cuts_and_says_so(parts: Connected) -> None:
    dataset = parts.dataset("audit", path="audit", partitioning=PATTERN)
    found = records.read(dataset, parts.connections.open("files"), listed(parts, dataset).partitions, limit=4)
    assert (found.table.num_rows, found.truncated) == (4, True)


@pytest.mark.parametrize(("charset", "codec"), [("latin1", "latin-1"), ("utf16", "utf-16")])
def test_other_charsets(parts: Connected, tmp_path: Path, charset: str, codec: str) -> None:
    put(tmp_path, "old/x.log", "Zürich\nCafé\n".encode(codec))
    dataset = parts.dataset("old", path="old", format=LINE, charset=charset)
    assert [row["line"] for row in rows(parts, dataset)] == ["Zürich", "Café"]


def test_parquet_of_several_files(parts: Connected, tmp_path: Path) -> None:
    put(tmp_path, "p/.keep", b"")
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "files/p/1.parquet")
    pq.write_table(pa.table({"a": [3], "b": ["x"]}), tmp_path / "files/p/2.parquet")
    dataset = parts.dataset("p", path="p", format="parquet")
    assert rows(parts, dataset) == [{"a": 1, "b": None}, {"a": 2, "b": None}, {"a": 3, "b": "x"}]
    put(tmp_path, "p/3.parquet", b"no parquet")
    with pytest.raises(WhodidError, match=r"p/3\.parquet is no Parquet"):
        rows(parts, dataset)


def test_a_broken_gzip_names_its_file(parts: Connected, tmp_path: Path) -> None:
    put(tmp_path, "z/x.gz", gzip.compress(dss_lines(range(9_000)))[:-500])
    with pytest.raises(WhodidError, match=r"z/x\.gz"):
        rows(parts, parts.dataset("z", path="z"))


def test_a_listing_is_kept_for_a_while_and_refreshed_when_asked(parts: Connected, tmp_path: Path) -> None:
    dataset = parts.dataset("audit", path="audit", partitioning=PATTERN)
    place = parts.connections.open("files")
    listing.Listings(tmp_path / "kept").listing(dataset, place)
    put(tmp_path, "audit/design/2026/11/21/d.json", b"")
    again = listing.Listings(tmp_path / "kept")
    assert len(again.listing(dataset, place).partitions) == 3
    assert len(again.listing(dataset, place, refresh=True).partitions) == 4


def test_a_hundred_thousand_files_are_sorted_in_seconds(parts: Connected) -> None:
    dataset = parts.dataset("audit", path="audit", partitioning=PATTERN)
    file = next(iter(parts.connections.open("files").files("audit/api")))

    class Many:
        url = "many://"

        def files(self, folder: str = "") -> Iterator[Any]:
            for number in range(100_000):
                path = f"audit/design/{2000 + number % 50}/{number % 12 + 1:02d}/{number % 28 + 1:02d}/{number}.json"
                yield file._replace(path=path)

    begun = time.process_time()
    found = listing.Listings(None).listing(dataset, Many())  # type: ignore[arg-type]
    assert sum(len(one.files) for one in found.partitions) == 100_000
    assert time.process_time() - begun < 10


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"format": "xml"}, "format is 'xml'"),
        ({"charset": "ebcdic"}, "charset is 'ebcdic'"),
        ({"max_depth": 0}, "max_depth is 0"),
        ({"path": "a/../.."}, "leads out"),
        ({"partitioning": "/%D/.*"}, "%D without %Y"),
        ({"connection": "none"}, "no connection 'none'"),
    ],
)
def test_a_bad_dataset_is_refused(parts: Connected, more: dict[str, Any], complaint: str) -> None:
    with pytest.raises(WhodidError, match=complaint):
        parts.datasets.create(Dataset(**{"name": "x", "connection": "files", **more}))


def test_the_view_for_duckdb_reads_the_same_rows(parts: Connected, tmp_path: Path) -> None:
    dataset = parts.dataset("audit", path="audit", partitioning=PATTERN)
    url = parts.connections.open("files").url
    with duckdb.connect() as connection:
        connection.execute(engine_sql.view(dataset, url, "duckdb", []))
        found = connection.execute(
            "SELECT COLUMNS('partition_.*'), count(*) FROM audit GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    assert found == [
        ("api", "2026", "11", "20", 1),
        ("design", "2026", "11", "19", 3),
        ("design", "2026", "11", "20", 2),
    ]


def test_views_for_lines_and_for_every_file(parts: Connected) -> None:
    url = parts.connections.open("files").url
    with duckdb.connect() as connection:
        lines = parts.dataset("lines", path="audit", format=LINE, partitioning=PATTERN)
        connection.execute(engine_sql.view(lines, url, "duckdb", []))
        assert connection.execute("SELECT count(*), min(line)[1] FROM lines").fetchall() == [(6, "{")]


def test_athena_projects_the_partitions_of_the_pattern(parts: Connected) -> None:
    dataset = parts.dataset("audit-log", path="audit", partitioning=PATTERN)
    columns = [{"name": "message.msgType", "type": "text"}, {"name": "callTime", "type": "whole"}]
    text = engine_sql.view(dataset, "s3://lake/x", "athena", columns)
    assert "CREATE EXTERNAL TABLE audit_log" in text
    assert "`calltime` bigint" in text
    assert "PARTITIONED BY (partition_node_type string, partition_year string, partition_month string, " in text
    assert (
        "'storage.location.template' = 's3://lake/x/audit/${partition_node_type}/${partition_year}/${partition_month}/${partition_day}/'"
        in text
    )
    with pytest.raises(WhodidError, match="no engine 'oracle'"):
        engine_sql.view(dataset, "s3://lake", "oracle", columns)

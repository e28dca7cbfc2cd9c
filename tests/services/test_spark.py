"""Spark reads what the files target wrote, with the counts that whodid has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from conftest import absent
from support.laid_out import filled, target_of
from whodid.datasets import engine_sql
from whodid.datasets.dataset import Dataset
from whodid.places import open_place

EVENTS = 500
FOLDERS = "/%{topic}/%Y/%M/%D"

# In a process of its own: a JVM does not go away with a fixture.
PROGRAM = """
import json, sys
from pyspark.sql import SparkSession
spark = (
    SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    .config("spark.driver.host", "127.0.0.1").config("spark.sql.shuffle.partitions", "1")
    .config("spark.driver.bindAddress", "127.0.0.1").getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
asked = json.loads(sys.stdin.read())
for statement in asked["statements"]:
    spark.sql(statement)
print("ANSWER " + json.dumps([[row.asDict() for row in spark.sql(sql).collect()] for sql in asked["questions"]]))
spark.stop()
"""


def spark(statements: list[str], questions: list[str]) -> list[list[dict[str, Any]]]:
    """The rows that Spark answers to each question."""
    if find_spec("pyspark") is None:
        absent("pyspark is not installed: uv sync --group spark")
    if shutil.which("java") is None:
        absent("Spark needs Java 17")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps({"statements": statements, "questions": questions}),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"},
    )
    answer = next((line for line in done.stdout.splitlines() if line.startswith("ANSWER ")), None)
    assert answer is not None, done.stderr[-3_000:]
    found: list[list[dict[str, Any]]] = json.loads(answer.removeprefix("ANSWER "))
    return found


def written(tmp_path: Path, **options: Any) -> Path:
    out = tmp_path / str(options["content"])
    given = {"path": str(out), "folders": FOLDERS, "close_bytes": 30_000, **options}
    target = target_of("files", tmp_path / f"work-{options['content']}", given)
    filled(target, range(EVENTS), size=50)
    target.flush()
    target.close()
    return out


@pytest.mark.spark
def test_spark_counts_what_was_written(tmp_path: Path) -> None:
    parquet, lines = written(tmp_path, content="parquet"), written(tmp_path, content="lines", compression="gz")
    views = []
    for name, format, root in (("pq", "parquet", parquet), ("js", "json", lines)):
        dataset = Dataset(name=name, connection="c", format=format, partitioning=f"{FOLDERS}/.*")
        url = open_place("folder", {"path": str(root)}).url
        views += [one for one in engine_sql.view(dataset, url, "spark", []).split(";\n") if one.strip()]
    by_topic = "SELECT topic, count(*) AS n, count(DISTINCT id) AS ids FROM {} GROUP BY topic ORDER BY topic"
    day = "concat_ws('-', partition_year, partition_month, partition_day)"
    by_day = f"SELECT {day} AS day, count(*) AS n FROM {{}} GROUP BY 1 ORDER BY 1"
    answers = spark(
        [one.strip().removesuffix(";") for one in views],
        [by_topic.format("pq"), by_topic.format("js"), by_day.format("pq"), by_day.format("js")],
    )
    manifests = [json.loads(path.read_bytes()) for path in (parquet / "_manifests").rglob("*.json")]
    told: Counter[str] = Counter()
    for manifest in manifests:
        for file in manifest["files"]:
            told["-".join(file["path"].split("/")[1:4])] += file["events"]
    expected = [{"topic": topic, "n": EVENTS // 2, "ids": EVENTS // 2} for topic in ("apinode-query", "generic")]
    assert answers[0] == expected
    # Native lines leave out what is the default: the topic generic.
    assert [{**row, "topic": row["topic"] or "generic"} for row in reversed(answers[1])] == expected
    assert {row["day"]: row["n"] for row in answers[2]} == dict(told)
    assert answers[2] == answers[3]

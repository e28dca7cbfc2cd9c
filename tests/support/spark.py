"""Spark for tests: a standalone master with workers, processes of their own on loopback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from support.maven import artifact

ICEBERG: Final = "1.12.0"
JARS: Final = (
    "org.apache.iceberg:iceberg-spark-runtime-{spark}_2.13:" + ICEBERG,
    "org.apache.iceberg:iceberg-aws-bundle:" + ICEBERG,
    "org.postgresql:postgresql:42.7.4",
)
START_S_MAX: Final = 90.0
# Small and short-lived: no compiler that only pays later, one thread for garbage.
QUICK: Final = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xss4m"
_MASTER: Final = re.compile(r"Starting Spark master at (spark://\S+)")


class SparkMissing(Exception):
    """Spark cannot be had here; the text says why."""


def jars() -> list[Path]:
    """What Spark needs to read Iceberg tables on S3 with a catalog in PostgreSQL. Raises SparkMissing, MavenMissing."""
    if find_spec("pyspark") is None:
        raise SparkMissing("pyspark is not installed: uv sync --group spark")
    if shutil.which("java") is None:
        raise SparkMissing("Spark needs Java 17")
    import pyspark

    version = ".".join(pyspark.__version__.split(".")[:2])
    return [artifact(one.format(spark=version)) for one in JARS]


@contextmanager
def spark_cluster(folder: Path, workers: int = 2) -> Iterator[str]:
    """The address of a master with so many workers of one core each."""
    folder.mkdir(parents=True, exist_ok=True)
    processes = []
    try:
        log = folder / "master.log"
        processes.append(_started(log, folder, "master.Master", "--host", "127.0.0.1", "--port", "0"))
        _until(lambda: _MASTER.search(_text(log)) is not None, log)
        found = _MASTER.search(_text(log))
        assert found is not None
        for place in range(workers):
            words = ("--host", "127.0.0.1", "--cores", "1", "--memory", "768m", "--work-dir", str(folder), found[1])
            processes.append(_started(folder / f"worker-{place}.log", folder, "worker.Worker", *words))
        _until(lambda: _text(log).count("Registering worker") >= workers, log)
        yield found[1]
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait(30)


def _started(log: Path, folder: Path, role: str, *words: str) -> subprocess.Popen[bytes]:
    import pyspark

    home = Path(pyspark.__file__).parent
    command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{role}", "--webui-port", "0", *words]
    drop = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
    environment = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder),
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": QUICK,
    }
    with log.open("ab") as file:
        return subprocess.Popen([*drop, *command], stdout=file, stderr=file, env=environment)


def _text(log: Path) -> str:
    return log.read_text(errors="replace") if log.exists() else ""


def _until(condition: object, log: Path) -> None:
    deadline = time.monotonic() + START_S_MAX
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise SparkMissing(f"Spark did not start: {_text(log)[-1_500:]}")
        time.sleep(0.05)

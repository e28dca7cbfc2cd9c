"""A Trino server for tests: one process, out of Maven Central (540 MB), for Java 24; so only when it is asked for."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from support.maven import artifact

VERSION: Final = "476"
JAVA_MIN: Final = 24
START_S_MAX: Final = 180.0
# Tests with it run where this is set: 540 MB are fetched.
ENV: Final = "WHODID_TEST_TRINO"

_JVM: Final = (
    "-Xmx1500m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djdk.attach.allowAttachSelf=true",
    "-Dfile.encoding=UTF-8", "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)  # fmt: skip


class TrinoMissing(Exception):
    """Trino cannot be had here; the text says why."""


@contextmanager
def trino_server(folder: Path, port: int, catalog: Mapping[str, str]) -> Iterator[str]:
    """The address of a server with one catalog, `lake`, of these properties. Raises TrinoMissing, MavenMissing."""
    java, home = _java(), _home()
    (folder / "catalog").mkdir(parents=True)
    address = f"http://127.0.0.1:{port}"
    config = {
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "http-server.http.port": port,
        "discovery.uri": address,
        "query.max-memory": "512MB",
        "query.max-memory-per-node": "512MB",
        "memory.heap-headroom-per-node": "128MB",
    }
    _written(folder / "config.properties", config)
    _written(folder / "log.properties", {"io.trino": "WARN"})
    _written(folder / "catalog" / "lake.properties", catalog)
    settings = {
        "config": folder / "config.properties",
        "log.levels-file": folder / "log.properties",
        "catalog.config-dir": folder / "catalog",
        "plugin.dir": home / "plugin",
        "node.environment": "tests",
        "node.id": "one",
        "node.data-dir": folder / "data",
        "node.internal-address": "127.0.0.1",
    }
    drop = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
    command = [*drop, java, *_JVM, *(f"-D{name}={value}" for name, value in settings.items())]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "-cp", f"{home}/lib/*", "io.trino.server.TrinoServer"], cwd=folder, stdout=log, stderr=log
        )
    try:
        _until_ready(address, process, folder / "log")
        yield address
    finally:
        process.kill()
        process.wait(30)


def _java() -> str:
    """A Java that is new enough."""
    for program in (shutil.which("java"), *map(str, Path("/usr/lib/jvm").glob("*/bin/java"))):
        if program is None:
            continue
        told = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
        found = re.search(r'version "(\d+)', told)
        if found is not None and int(found[1]) >= JAVA_MIN:
            return program
    raise TrinoMissing(f"Trino {VERSION} needs Java {JAVA_MIN}.")


def _home() -> Path:
    """The server's programs with its plug-in for Iceberg alone, unpacked at first need."""
    core = artifact(f"io.trino:trino-server-core:{VERSION}:tar.gz")
    plugin = artifact(f"io.trino:trino-iceberg:{VERSION}:zip")
    home = core.parent / f"trino-{VERSION}"
    if not home.exists():
        part = home.with_name(f".part-{home.name}")
        shutil.rmtree(part, ignore_errors=True)
        with tarfile.open(core) as packed:
            packed.extractall(part, filter="data")
        unpacked = part / f"trino-server-core-{VERSION}"
        shutil.rmtree(unpacked / "plugin")
        with zipfile.ZipFile(plugin) as packed:
            packed.extractall(unpacked / "plugin")
        unpacked.rename(home)
        shutil.rmtree(part)
    return home


def _written(file: Path, properties: Mapping[str, object]) -> None:
    file.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))


def _until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S_MAX
    while True:
        try:
            if httpx.get(f"{address}/v1/info", timeout=5).json()["starting"] is False:
                return
        except (httpx.HTTPError, ValueError, KeyError):
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            raise TrinoMissing(f"Trino did not start: {log.read_text(errors='replace')[-1_500:]}")
        time.sleep(0.2)

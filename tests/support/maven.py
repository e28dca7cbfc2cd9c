"""Java programs for tests out of Maven Central, fetched at first need and kept."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path


class MavenMissing(Exception):
    """It cannot be had here; the text says why."""


def artifact(coordinates: str) -> Path:
    """The file of `group:name:version`, or of `group:name:version:packaging`. Raises MavenMissing."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whodid-tests" / "maven"
    cache.mkdir(parents=True, exist_ok=True)
    _group, name, version, *packaging = coordinates.split(":")
    file = cache / f"{name}-{version}.{packaging[0] if packaging else 'jar'}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            _fetch(coordinates, file)
    return file


def _fetch(coordinates: str, file: Path) -> None:
    if shutil.which("mvn") is None:
        raise MavenMissing(f"{coordinates} is fetched by Maven, which is not installed.")
    part = file.with_name(f".part-{file.name}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    command = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={coordinates}", f"-DoutputDirectory={part}"]
    try:
        done = subprocess.run(command, cwd=part, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        raise MavenMissing(f"Maven did not fetch {coordinates} within 5 minutes.") from None
    if done.returncode != 0:
        raise MavenMissing(f"Maven cannot fetch {coordinates}: {(done.stdout + done.stderr).strip()[-500:]}")
    next(part.iterdir()).rename(file)
    shutil.rmtree(part, ignore_errors=True)

"""Targets that lay out files: made, fed, killed and looked into."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import zstandard

from support.targets import delivery_of, event, form_of
from whodid.event import Event
from whodid.plugins import TARGETS, load
from whodid.targets.base import Context, Target

START = datetime(2026, 11, 20, 13, 30, tzinfo=UTC)
_NAMES = ("folders", "content", "compression", "close_bytes", "close_s", "name")


def numbered(number: int, **fields: Any) -> Event:
    """An event that is always the same for a number; a quarter of an hour after the one before."""
    return event(
        id=f"00000000-0000-7000-8000-{number:012x}",
        time=START + timedelta(minutes=15 * number),
        topic=("generic", "apinode-query")[number % 2],
        **fields,
    )


def target_of(
    kind: str,
    folder: Path,
    options: Mapping[str, Any],
    *,
    receiver: str = "receiver-a",
    format: str = "native",
    testing: bool = False,
) -> Target:
    """A target of a kind with its defaults but for `options`; `folder` is for its working files."""
    implementation = load(TARGETS, kind)
    folder.mkdir(parents=True, exist_ok=True)
    context = Context("archive", "target-1", folder, receiver, format, "node-1", testing)
    defaults = {option.name: option.default for option in implementation.OPTIONS}
    made: Target = implementation({**defaults, **options}, context)
    return made


def filled(target: Target, numbers: range, size: int = 10, **fields: Any) -> None:
    """Send events in deliveries of `size`, from the place on that the target holds."""
    places = target.open()
    begin = places.get("receiver-a", -1) + 1
    form = target.context.format  # type: ignore[attr-defined]
    for start in range(max(begin, numbers.start), numbers.stop, size):
        part = range(start, min(start + size, numbers.stop))
        events = [numbered(number, **fields) for number in part]
        target.send(delivery_of(events, first=start, form=form_of(format=form)))


def content(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file, unpacked."""
    return unpacked(path.name, path.read_bytes())


def unpacked(name: str, data: bytes) -> Iterator[dict[str, Any]]:
    """The lines of a file of this name, unpacked."""
    if name.endswith(".gz"):
        data = gzip.decompress(data)
    elif name.endswith(".zst"):
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return (json.loads(line) for line in data.splitlines())


def numbers_in(folder: Path) -> list[int]:
    """The numbers of all events in the files below a folder, ascending."""
    return sorted(int(row["id"][-12:], 16) for path in data_files(folder) for row in content(path))


def data_files(folder: Path) -> list[Path]:
    """Every data file, without manifests and what is under way."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not path.relative_to(folder).parts[0].startswith((".", "_")))


def killed_until_done(kind: str, folder: Path, options: Mapping[str, Any], point: str, count: int) -> int:
    """Send events 0 to `count` in child processes, each killed when it comes to `point`, until one comes to its end;
    how many were killed."""
    program = (
        "import json, sys; from pathlib import Path; from support.laid_out import filled, target_of;"
        "kind, folder, options, count = sys.argv[1:];"
        "target = target_of(kind, Path(folder), json.loads(options));"
        "filled(target, range(int(count))); target.flush(); target.close()"
    )
    command = [sys.executable, "-c", program, kind, str(folder), json.dumps(dict(options)), str(count)]
    tests = str(Path(__file__).parent.parent)
    for killed in range(100):
        environment = {**os.environ, "PYTHONPATH": tests, "WHODID_CRASH_AT": f"{point}:{killed % 3 + 1}"}
        done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
        if done.returncode == 0:
            return killed
        assert done.returncode == -9, done.stderr.decode()[-2_000:]
    raise AssertionError(f"{point} is passed without end")

"""What a table needs from time to time, in a thread of its own: larger files, fewer snapshots, no orphans."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
from pyarrow.fs import FileSelector, FileType
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.manifest import ManifestFile
from pyiceberg.table import Table

from whodid.errors import WhodidError
from whodid.journal import crash
from whodid.targets.iceberg.errors import explained
from whodid.targets.iceberg.options import secrets_of
from whodid.targets.iceberg.rewriting import bins, rewrite
from whodid.targets.iceberg.table import LakeTable
from whodid.targets.iceberg.transfer import system_of

# Of files that Iceberg's programs make; others that lie there are somebody's.
_ENDINGS: Final = (".parquet", ".avro", ".metadata.json", ".puffin", ".stats", ".orc")
_NOTED: Final = "whodid.upkeep-at"
_CLEANED: Final = "whodid.cleaned-at"
_CLEANING: Final = timedelta(days=1)
# Several servers look after one table: the first of them notes it.
_EARLY: Final = 0.9

_log = logging.getLogger(__name__)

crash.register(
    {
        "iceberg.after-expire": "old snapshots are gone; files that only they had still lie in the lake",
    }
)


class Tidied(NamedTuple):
    """What an upkeep did: files put together and what became of them, snapshots and orphans that are gone."""

    small: int = 0
    large: int = 0
    snapshots: int = 0
    orphans: int = 0


class Upkeep:
    """Runs beside the target, as often as its options say; what fails is tried again then."""

    def __init__(self, options: Mapping[str, Any], folder: Path):
        self._options = options
        self._folder = folder
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="whodid-upkeep")
        self._running: Future[None] | None = None
        self._next_s = 0.0
        self._stopped = threading.Event()
        self._engine: duckdb.DuckDBPyConnection | None = None

    def look(self) -> None:
        """Begin when it is time. Returns at once."""
        if self._stopped.is_set() or time.monotonic() < self._next_s or (self._running and not self._running.done()):
            return
        self._next_s = time.monotonic() + self._options["upkeep_s"]
        self._running = self._pool.submit(self._run)

    def stop(self) -> None:
        """Break off what runs, soon. Returns at once."""
        self._stopped.set()
        engine = self._engine
        if engine is not None:
            with contextlib.suppress(duckdb.Error):
                engine.interrupt()

    def close(self) -> None:
        self.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, lake: LakeTable, now: datetime) -> Tidied:
        """All of it, unless another server has seen to it lately."""
        properties = lake.table.properties
        every = timedelta(seconds=self._options["upkeep_s"] * _EARLY)
        if not _is_due(properties, _NOTED, now, every):
            return Tidied()
        noted = {_NOTED: now.isoformat()}
        cleans = _is_due(properties, _CLEANED, now, max(every, _CLEANING * _EARLY))
        with lake.table.transaction() as transaction:
            transaction.set_properties(noted | ({_CLEANED: now.isoformat()} if cleans else {}))
        small, large = self._rewritten(lake)
        snapshots = expired(lake.table, now - timedelta(days=self._options["snapshots_days"]))
        crash.point("iceberg.after-expire")
        orphans = 0
        if cleans and not self._stopped.is_set():
            orphans = cleaned(lake.table, now - timedelta(days=self._options["orphans_days"]))
        return Tidied(small, large, snapshots, orphans)

    def _run(self) -> None:
        try:
            with (
                explained(f"{self._options['table']} cannot be tidied", *secrets_of(self._options)),
                contextlib.closing(LakeTable(self._options, "")) as lake,
            ):
                done = self.run(lake, datetime.now(UTC))
        except (WhodidError, CommitFailedException, duckdb.Error) as error:
            if not self._stopped.is_set():
                _log.warning("Upkeep of %s: %s", self._options["table"], error)
            return
        if any(done):
            _log.info("Upkeep of %s: %s", self._options["table"], done)

    def _rewritten(self, lake: LakeTable) -> tuple[int, int]:
        small = large = 0
        wanted = {"file_bytes": self._options["file_bytes"], "files_min": self._options["small_files_min"]}
        for chosen in bins(lake.table, **wanted):
            if self._stopped.is_set():
                break
            try:
                if rewrite(lake, chosen, self._folder, running=self._runs):
                    small, large = small + len(chosen.files), large + 1
            finally:
                self._engine = None
        return small, large

    def _runs(self, engine: duckdb.DuckDBPyConnection) -> None:
        self._engine = engine


def expired(table: Table, before: datetime) -> int:
    """Take older snapshots away, but those that a branch or tag names; how many."""
    table.refresh()
    kept = {ref.snapshot_id for ref in table.metadata.refs.values()}
    before_ms = int(before.timestamp() * 1000)
    old = [
        snapshot.snapshot_id
        for snapshot in table.metadata.snapshots
        if snapshot.timestamp_ms < before_ms and snapshot.snapshot_id not in kept
    ]
    if old:
        table.maintenance.expire_snapshots().by_ids(old).commit()
    return len(old)


def cleaned(table: Table, before: datetime) -> int:
    """Remove files below the table that nothing in it names and that are older; how many."""
    provider = table.location_provider()
    found = [one for folder in (provider.data_path, provider.metadata_path) for one in _files(table, folder, before)]
    if not found:
        return 0
    # What was committed since the look is named by the newest state.
    table.refresh()
    named = set(_named(table))
    count = 0
    for system, path in found:
        if path not in named:
            system.delete_file(path)
            count += 1
    return count


def _files(table: Table, folder: str, before: datetime) -> Iterator[tuple[Any, str]]:
    system, path = system_of(table.io, folder)
    for info in system.get_file_info(FileSelector(path, recursive=True, allow_not_found=True)):
        if info.type is FileType.File and info.path.endswith(_ENDINGS) and info.mtime < before:
            yield system, info.path


def _named(table: Table) -> Iterator[str]:
    """The path of every file that any state of the table still needs."""
    metadata = table.metadata
    locations = [table.metadata_location, *(entry.metadata_file for entry in metadata.metadata_log)]
    locations += [statistics.statistics_path for statistics in metadata.statistics]
    locations += [statistics.statistics_path for statistics in metadata.partition_statistics]
    manifests: dict[str, ManifestFile] = {}
    for snapshot in metadata.snapshots:
        locations.append(snapshot.manifest_list)
        manifests |= {manifest.manifest_path: manifest for manifest in snapshot.manifests(table.io)}
    for path, manifest in manifests.items():
        locations.append(path)
        entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
        locations += [entry.data_file.file_path for entry in entries]
    for location in locations:
        yield system_of(table.io, location)[1]


def _is_due(properties: Mapping[str, str], name: str, now: datetime, every: timedelta) -> bool:
    told = properties.get(name)
    return told is None or now - datetime.fromisoformat(told) >= every

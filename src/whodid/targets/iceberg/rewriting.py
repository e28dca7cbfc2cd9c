"""Small files of a partition put together into large ones, sorted by time; the rows stay the same."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import pyarrow.parquet as pq
from pyiceberg.exceptions import ValidationException
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table, Transaction
from pyiceberg.table.snapshots import Operation, Summary, ancestors_of
from pyiceberg.table.update.snapshot import _OverwriteFiles
from pyiceberg.typedef import EMPTY_DICT

from whodid.errors import WhodidError
from whodid.event import new_id
from whodid.journal import crash
from whodid.targets.iceberg.table import LakeTable
from whodid.targets.iceberg.transfer import download, upload
from whodid.targets.iceberg.writing import data_file, form_of, partition_of
from whodid.targets.laid_out.parquet import THREADS, quoted

# A file of this share of the wanted size is large enough.
_LARGE: Final = 0.75
_MEMORY: Final = "512MB"
_FIELD_ID: Final = b"PARQUET:field_id"

crash.register(
    {
        "iceberg.after-rewrite-upload": "a large file lies in the lake; the small ones still count",
        "iceberg.after-rewrite": "a large file counts; the small ones belong to older snapshots",
    }
)


class Bin(NamedTuple):
    """Files of one partition that become one, as the snapshot had them."""

    snapshot_id: int
    files: tuple[DataFile, ...]


class _Replace(_OverwriteFiles):
    """Other files with the same rows: those who read what is new in a table pass over it."""

    def _summary(self, snapshot_properties: dict[str, str] = EMPTY_DICT) -> Summary:
        return Summary(Operation.REPLACE, **super()._summary(snapshot_properties).additional_properties)


def bins(table: Table, *, file_bytes: int, files_min: int) -> list[Bin]:
    """What there is to put together, partition by partition; files with deletions are left to others."""
    snapshot = table.current_snapshot()
    if snapshot is None:
        return []
    found: defaultdict[tuple[Any, ...], list[DataFile]] = defaultdict(list)
    for task in table.scan().plan_files():
        small = task.file.file_size_in_bytes < file_bytes * _LARGE
        if small and not task.delete_files and task.file.spec_id == table.metadata.default_spec_id:
            found[partition_of(task.file)].append(task.file)
    made = (_packed(files, file_bytes) for files in found.values())
    return [Bin(snapshot.snapshot_id, tuple(files)) for packs in made for files in packs if len(files) >= files_min]


def rewrite(
    lake: LakeTable, chosen: Bin, folder: Path, *, running: Callable[[duckdb.DuckDBPyConnection], None]
) -> bool:
    """Put the files of a bin together. False when it was left alone: others changed them, or wrote them differently.

    folder   for working files; emptied before and after.
    running  is handed the engine while it works, so that it can be interrupted.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        table = lake.table
        local = [
            download(file.file_path, folder / f"{place}.parquet", table.io) for place, file in enumerate(chosen.files)
        ]
        if not all(_is_as_the_table(path, table) for path in local):
            return False
        unique = new_id()
        large = folder / f"{unique}.part"
        with duckdb.connect(
            config={"threads": THREADS, "memory_limit": _MEMORY, "temp_directory": str(folder)}
        ) as engine:
            running(engine)
            paths = ", ".join(map(quoted, local))
            rows = f"SELECT * FROM read_parquet([{paths}], union_by_name = true) ORDER BY time"  # noqa: S608 - our own
            engine.execute(f"COPY ({rows}) TO {quoted(large)} ({form_of(table.schema())})")
        return _replaced(lake, chosen, large, f"{chosen.files[0].file_path.rpartition('/')[0]}/whole-{unique}.parquet")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _replaced(lake: LakeTable, chosen: Bin, large: Path, location: str) -> bool:
    metadata = lake.table.metadata
    made = data_file(large, location, partition_of(chosen.files[0]), metadata)
    if made.record_count != sum(file.record_count for file in chosen.files):
        raise WhodidError("internal", f"{location} does not hold the rows that it was made of; it is not used.")
    upload(large, location, lake.table.io)
    crash.point("iceberg.after-rewrite-upload")
    done = False

    def change(transaction: Transaction, kept: Mapping[str, str]) -> None:
        nonlocal done
        done = metadata.default_spec_id == transaction.table_metadata.default_spec_id and _only_grew(
            transaction, chosen.snapshot_id
        )
        if done:
            with _Replace(Operation.OVERWRITE, transaction, lake.table.io, snapshot_properties=dict(kept)) as snapshot:
                snapshot.append_data_file(made)
                for file in chosen.files:
                    snapshot.delete_data_file(file)

    try:
        lake.change(change)
    except ValidationException:
        # Somebody else put the same files together.
        return False
    crash.point("iceberg.after-rewrite")
    return done


def _packed(files: Sequence[DataFile], file_bytes: int) -> list[list[DataFile]]:
    """Files in groups of about so many bytes, the smallest first."""
    groups: list[list[DataFile]] = [[]]
    size_bytes = 0
    for file in sorted(files, key=lambda file: file.file_size_in_bytes):
        if groups[-1] and size_bytes + file.file_size_in_bytes > file_bytes:
            groups.append([])
            size_bytes = 0
        groups[-1].append(file)
        size_bytes += file.file_size_in_bytes
    return groups


def _is_as_the_table(path: Path, table: Table) -> bool:
    """Whether a file's columns have the names that the table gives to their numbers: names are what is read here."""
    schema = table.schema()
    for field in pq.read_schema(path):
        number = int((field.metadata or {}).get(_FIELD_ID, b"-1"))
        if number < 0 or schema.find_column_name(number) != field.name:
            return False
    return True


def _only_grew(transaction: Transaction, since: int) -> bool:
    """Whether no row of the table was changed or deleted since a snapshot."""
    metadata = transaction.table_metadata
    for snapshot in ancestors_of(metadata.current_snapshot(), metadata):
        if snapshot.snapshot_id == since:
            return True
        if snapshot.summary is None or snapshot.summary.operation not in (Operation.APPEND, Operation.REPLACE):
            return False
    return False

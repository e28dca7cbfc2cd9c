"""Parquet files as the table wants them, and what a snapshot has to say of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.typedef import Record

from whodid.errors import WhodidError
from whodid.pattern import PathPattern
from whodid.targets.iceberg.table import COLUMN_NAMES
from whodid.targets.laid_out.parquet import FORM, ParquetWriting, Values, synced
from whodid.targets.laid_out.writing import Written

# Looking for the word first spares reading JSON that does not hold it; JSON may also write it with escapes.
_PROJECT: Final = r"""
coalesce(
    CASE WHEN contains(parameters, 'project') OR contains(parameters, '\u')
    THEN coalesce(nullif(parameters ->> '/projectKey', ''), nullif(parameters ->> '/project', '')) END,
    CASE WHEN contains(entities, 'project') OR contains(entities, '\u')
    THEN (entities ->> '$[*].id')[list_position(entities ->> '$[*].type', 'project')] END
)
"""
# Days, hours, … since 1970, as Iceberg counts them; `{}` is the column.
_TRANSFORMS: Final = {
    "identity": "{}",
    "year": "year({}) - 1970",
    "month": "(year({0}) - 1970) * 12 + month({0}) - 1",
    "day": "CAST(floor(epoch({}) / 86400) AS INTEGER)",
    "hour": "CAST(floor(epoch({}) / 3600) AS INTEGER)",
}
_NO_FOLDERS: Final = PathPattern("/")


class LakeWriting(ParquetWriting):
    """The events of one snapshot, a file for each partition of the table, sorted by time.

    metadata  the table as it was when the first of them came.
    """

    COLUMNS: ClassVar[str] = f"*, {_PROJECT} AS project"
    ORDER: ClassVar[str] = "ORDER BY time"

    def __init__(self, working: Path, metadata: TableMetadata, *, prefix: str):
        super().__init__(working, _NO_FOLDERS, prefix=prefix)
        self.metadata = metadata
        self._schema = metadata.schema()
        self._parts = parts_of(metadata.spec(), self._schema)

    def parts(self) -> Sequence[tuple[str, str]]:
        return self._parts

    def form(self) -> str:
        return form_of(self._schema)

    def written(self, working: Path, values: Values, *, unique: str, events: int) -> Written:
        size_bytes, digest = synced(working)
        partition = list(values.values())
        folder = self.metadata.spec().partition_to_path(Record(*partition), self._schema)
        path = f"{folder}/{self._prefix}-{unique}.parquet".lstrip("/")
        return Written(
            working=working.name, path=path, events=events, size_bytes=size_bytes, sha256=digest, partition=partition
        )


def parts_of(spec: PartitionSpec, schema: Schema) -> list[tuple[str, str]]:
    """The partition of a row: (name of a column, its expression) for each field.

    Raises
    ------
    WhodidError("unsupported")
        The table is partitioned in a way that is not known here.
    """
    found = []
    for place, field in enumerate(spec.fields):
        name = schema.find_column_name(field.source_id)
        if str(field.transform) not in _TRANSFORMS or name not in COLUMN_NAMES:
            raise WhodidError(
                "unsupported",
                f"The table is partitioned by {field.transform}({name}).",
                "Known are columns of events as they are, and the year, month, day or hour of times.",
            )
        found.append((f"part_{place}", _TRANSFORMS[str(field.transform)].format(f'"{name}"')))
    return found


def form_of(schema: Schema) -> str:
    """How files are written: columns are known by the numbers that the table gave them."""
    numbers = ", ".join(f'"{name}": {schema.find_field(name).field_id}' for name in COLUMN_NAMES)
    return f"{FORM}, FIELD_IDS {{{numbers}}}"


def data_file(local: Path, location: str, partition: Sequence[Any], metadata: TableMetadata) -> DataFile:
    """What a snapshot says of a file: `local` is its content, `location` where it lies."""
    schema = metadata.schema()
    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=pq.read_metadata(local),
        stats_columns=compute_statistics_plan(schema, metadata.properties),
        parquet_column_mapping=parquet_path_to_id_mapping(schema),
    )
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=location,
        file_format=FileFormat.PARQUET,
        partition=Record(*partition),
        file_size_in_bytes=local.stat().st_size,
        sort_order_id=metadata.default_sort_order_id or None,
        spec_id=metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )


def partition_of(file: DataFile) -> tuple[Any, ...]:
    """The values of a file's partition."""
    return tuple(file.partition[place] for place in range(len(file.partition)))

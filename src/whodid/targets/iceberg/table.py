"""The table: its columns, its catalog, and how far events are in it."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table, Transaction
from pyiceberg.table.snapshots import ancestors_of
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.transforms import DayTransform, IdentityTransform
from pyiceberg.types import DoubleType, IcebergType, LongType, NestedField, StringType, TimestampType

from whodid.errors import WhodidError
from whodid.journal import crash
from whodid.stores.base import COLUMNS, WORKED_OUT
from whodid.targets.iceberg.options import PARTITIONS, identifier_of, properties_of

PLACE: Final = "whodid.place."
COMMITS_MAX: Final = 20
_PAUSE_S: Final = 0.05

# Ids are text: Snowflake and Athena have no UUIDs in Iceberg tables.
_TYPES: Final[dict[str, IcebergType]] = {
    "uuid": StringType(),
    "timestamp": TimestampType(),
    "varchar": StringType(),
    "json": StringType(),
    "double": DoubleType(),
    "bigint": LongType(),
}
COLUMN_NAMES: Final = tuple(column.name for column in (*COLUMNS, *WORKED_OUT))
_PROPERTIES: Final = {
    "format-version": "2",
    "commit.manifest-merge.enabled": "true",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
    "write.parquet.compression-codec": "zstd",
    # Nobody looks for the smallest of these, and manifests are read at every question.
    **{
        f"write.metadata.metrics.column.{name}": "counts"
        for name in ("parameters", "entities", "description", "error_message", "error_stack_trace")
    },
}
# pyiceberg warns of every conflict that is then resolved.
logging.getLogger("pyiceberg.table").setLevel(logging.ERROR)


class _OneTry(Transaction):
    """Fails when somebody else committed, so that places are looked at before it is tried again."""

    def _rebuild_snapshot_updates(self) -> None:
        raise CommitFailedException("The table has been changed meanwhile.")


class LakeTable:
    """An Iceberg table of events, changed by one thread at a time.

    options  those of the target.
    owner    whose places: opaque, of this target and server.
    """

    def __init__(self, options: Mapping[str, Any], owner: str):
        self._options = options
        self._identifier = identifier_of(options["table"])
        self._prefix = f"{PLACE}{owner}."
        self.catalog: Catalog = load_catalog(options["catalog_name"], **properties_of(options))
        self.table: Table = self._opened()

    def places(self) -> dict[str, int]:
        """How far events are there, by receiver, when the table was read last."""
        told = _places(self.table)
        return {
            name.removeprefix(self._prefix): int(value) for name, value in told.items() if name.startswith(self._prefix)
        }

    def append(self, files: Sequence[DataFile], spec_id: int, begin: Mapping[str, int], end: Mapping[str, int]) -> None:
        """Files and the places that hold with them, in one snapshot.

        spec_id     how the files are partitioned.
        begin, end  the places before and after, by receiver; empty ones move nothing.
        Raises      WhodidError("unavailable")  the table holds other places than `begin`, or is partitioned in another
                    way than the files: nothing was done.
        """

        def change(transaction: Transaction, kept: dict[str, str]) -> None:
            held = self.places()
            if any(held.get(receiver) != begin.get(receiver) for receiver in end):
                raise WhodidError("unavailable", "Another instance has written to the table.", "It begins anew there.")
            if spec_id != transaction.table_metadata.default_spec_id:
                raise WhodidError("unavailable", "The table is partitioned otherwise since.", "It begins anew.")
            properties = kept | {f"{self._prefix}{receiver}": str(place) for receiver, place in end.items()}
            # A snapshot may be expired by other tools; what the table itself says stays.
            transaction.set_properties(properties)
            with transaction.update_snapshot(snapshot_properties=properties).merge_append() as snapshot:
                for file in files:
                    snapshot.append_data_file(file)

        crash.point("iceberg.after-upload")
        self.change(change)
        crash.point("iceberg.after-commit")

    def close(self) -> None:
        """Let go of the catalog."""
        self.catalog.close()

    def change(self, make: Callable[[Transaction, dict[str, str]], None]) -> None:
        """Commit what `make` puts into a transaction; it is made anew whenever somebody else was first.

        `make` is given the places of everybody, as properties that every snapshot has to have.
        Raises   WhodidError("busy")  others were first `COMMITS_MAX` times.
        """
        for attempt in range(COMMITS_MAX):
            self.table.refresh()
            transaction = _OneTry(self.table)
            try:
                make(transaction, _places(self.table))
                crash.point("iceberg.before-commit")
                transaction.commit_transaction()
                return
            except CommitFailedException:
                time.sleep(_PAUSE_S * (attempt + 1) * random.random())  # noqa: S311 - jitter
        raise WhodidError("busy", f"Others change {self._options['table']} all the time.", "Try again soon.")

    def _opened(self) -> Table:
        try:
            found = self.catalog.load_table(self._identifier)
        except NoSuchTableError:
            found = self._made()
        names = {field.name for field in found.schema().fields}
        missing = [field for field in _schema().fields if field.name not in names]
        if missing:
            with found.update_schema() as update:
                for field in missing:
                    update.add_column(field.name, field.field_type, field.doc)
        for field in _schema().fields:
            there = found.schema().find_field(field.name).field_type
            if there != field.field_type:
                raise WhodidError(
                    "invalid",
                    f"The column {field.name} of {self._options['table']} is {there}, not {field.field_type}.",
                    "Name another table.",
                )
        return found

    def _made(self) -> Table:
        schema = _schema()
        dimensions = PARTITIONS[self._options["partition"]]
        time_id = schema.find_field("time").field_id
        spec = PartitionSpec(
            *(
                PartitionField(schema.find_field(name).field_id, 1000 + place, IdentityTransform(), name)
                for place, name in enumerate(dimensions)
            ),
            PartitionField(time_id, 1000 + len(dimensions), DayTransform(), "time_day"),
        )
        self.catalog.create_namespace_if_not_exists(self._identifier[:-1])
        try:
            return self.catalog.create_table(
                self._identifier, schema, partition_spec=spec, properties=_PROPERTIES,
                sort_order=SortOrder(SortField(time_id)),
            )  # fmt: skip
        except TableAlreadyExistsError:
            return self.catalog.load_table(self._identifier)


def _schema() -> Schema:
    columns = (*COLUMNS, *WORKED_OUT)
    return Schema(
        *(
            NestedField(place, column.name, _TYPES[column.sql_type], required=False, doc=column.help)
            for place, column in enumerate(columns, 1)
        )
    )


def _places(table: Table) -> dict[str, str]:
    """The places of everybody: those of the newest snapshot that has any, else what the table itself says."""
    for snapshot in ancestors_of(table.current_snapshot(), table.metadata):
        if snapshot.summary is not None and (found := _of_places(snapshot.summary.additional_properties)):
            return found
    return _of_places(table.properties)


def _of_places(properties: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in properties.items() if name.startswith(PLACE)}

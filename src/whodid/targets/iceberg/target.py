"""The target: events into the table, exactly once."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from whodid.errors import WhodidError
from whodid.journal import crash
from whodid.targets.base import Context, TargetOption
from whodid.targets.iceberg.errors import explained
from whodid.targets.iceberg.options import OPTIONS, check, secrets_of
from whodid.targets.iceberg.same_table import tables_of
from whodid.targets.iceberg.table import LakeTable
from whodid.targets.iceberg.transfer import upload
from whodid.targets.iceberg.upkeep import Upkeep
from whodid.targets.iceberg.writing import LakeWriting, data_file
from whodid.targets.laid_out.collecting import CollectingTarget
from whodid.targets.laid_out.writing import Writing, Written

if TYPE_CHECKING:
    from whodid.targets.laid_out.parquet import ParquetWriting

crash.register(
    {
        "iceberg.before-upload": "files are whole on this machine; none lies in the lake",
        "iceberg.mid-upload": "the first file of a snapshot lies in the lake; nothing names it",
        "iceberg.after-upload": "all files of a snapshot lie in the lake; nothing names them",
        "iceberg.before-commit": "a snapshot is written; the catalog does not name it",
        "iceberg.after-commit": "the catalog names a snapshot; nobody here has noted that",
    }
)


class IcebergTarget(CollectingTarget):
    """One snapshot holds files and places together. What no snapshot names was not delivered and is sent again; its
    files go with the table's upkeep."""

    OPTIONS: ClassVar[tuple[TargetOption, ...]] = OPTIONS

    def __init__(self, options: Mapping[str, Any], context: Context):
        super().__init__(options, context)
        if context.format != "native":
            raise WhodidError("invalid", f"The table holds events in the native form, not as {context.format}.")
        check(options)
        self._lake: LakeTable | None = None
        self._upkeep: Upkeep | None = None

    @classmethod
    def writes_alone(cls, options: Mapping[str, Any]) -> Mapping[str, str]:
        return tables_of(options)

    @property
    def working(self) -> Path:
        return self.context.folder / (f"test-{id(self)}" if self.context.testing else "working")

    def prepare(self) -> None:
        with self._explained():
            self._lake = LakeTable(self.options, f"{self.context.id}.{self.context.receiver}")

    def recover(self) -> dict[str, int]:
        shutil.rmtree(self.working / "files", ignore_errors=True)
        (self.working / "files").mkdir()
        if self.options["upkeep_s"] and not self.context.testing:
            self._upkeep = Upkeep(self.options, self.working / "upkeep")
        return {} if self.context.testing else self._opened.places()

    def new_writing(self) -> LakeWriting:
        return LakeWriting(self.working / "files", self._opened.table.metadata, prefix=self.options["name"])

    def commit(self, writing: Writing | ParquetWriting, written: Sequence[Written]) -> dict[str, int]:
        places = {**self._durable, **writing.places}
        crash.point("iceberg.before-upload")
        try:
            with self._explained():
                self._deliver(writing, written)
        finally:
            # What is not delivered is sent again.
            writing.abandon()
        return places

    def tick(self) -> None:
        super().tick()
        if self._upkeep is not None:
            self._upkeep.look()

    def close(self) -> None:
        if self._upkeep is not None:
            self._upkeep.close()
        super().close()
        if self._lake is not None:
            self._lake.close()
            self._lake = None

    def cancel(self) -> None:
        super().cancel()
        if self._upkeep is not None:
            self._upkeep.stop()

    def _deliver(self, writing: Writing | ParquetWriting, written: Sequence[Written]) -> None:
        table = self._opened.table
        metadata = writing.metadata if isinstance(writing, LakeWriting) else table.metadata
        folder = table.location_provider().data_path
        files = []
        for file in written:
            local, location = self.working / "files" / file.working, f"{folder}/{file.path}"
            upload(local, location, table.io)
            crash.point("iceberg.mid-upload")
            files.append(data_file(local, location, file.partition, metadata))
        end = {} if self.context.testing else writing.places
        begin = {name: self._durable[name] for name in end if name in self._durable}
        self._opened.append(files, metadata.default_spec_id, begin, end)

    @property
    def _opened(self) -> LakeTable:
        if self._lake is None:
            raise WhodidError("internal", "The target is not open.")
        return self._lake

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        with explained(f"{self.options['table']} cannot be written", *secrets_of(self.options)):
            yield

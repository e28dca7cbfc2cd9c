"""Object storage: Amazon S3 and servers that speak it, Google Cloud Storage, Azure; the same layout as files."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, ClassVar, Final

from whodid.journal import crash
from whodid.places.base import KINDS
from whodid.places.objects import ObjectPlace, explained
from whodid.targets.base import TargetOption
from whodid.targets.laid_out.commit import Commit
from whodid.targets.laid_out.options import LAYOUT
from whodid.targets.laid_out.target import LaidOutTarget

PART_BYTES: Final = 16 * 1024 * 1024
PARTS_AT_ONCE: Final = 4
_UNDER_WAY: Final = "_uploads"

_UPLOAD: Final = (
    TargetOption("single_bytes", 64 * 1024 * 1024, "bytes", "larger files are uploaded in parts", kind="whole"),
)
_ENCRYPTION: Final = (
    TargetOption(
        "encryption",
        "default",
        "name",
        "at rest: the bucket's own, S3's keys, or a key of KMS",
        kind="choice",
        choices=("default", "AES256", "aws:kms"),
    ),
    TargetOption("kms_key_id", None, "text", "key of KMS, for encryption=aws:kms", optional=True),
)


def _of_place(kind: str) -> tuple[TargetOption, ...]:
    """The options of a kind of place as those of a target."""
    return tuple(
        TargetOption(
            option.name,
            None,
            option.unit,
            option.help,
            secret=option.secret,
            optional=option.name not in KINDS[kind].needed,
        )
        for option in KINDS[kind].options
    )


class _ObjectsTarget(LaidOutTarget):
    """An object is uploaded under a name that no other content ever has, and only if the name is free."""

    KIND: ClassVar[str]

    @property
    def working(self) -> Path:
        return self.context.folder / (f"test-{id(self)}" if self.context.testing else "working")

    def prepare(self) -> None:
        known = {option.name for option in KINDS[self.KIND].options}
        given = {name: value for name, value in self.options.items() if name in known and value}
        self._place = ObjectPlace(self.KIND, given, **self.upload_settings())

    def upload_settings(self) -> dict[str, Any]:
        """More settings of obstore for what is uploaded."""
        return {}

    def deliver(self, commit: Commit) -> None:
        try:
            for file in commit.files:
                self._upload(self.working / file.working, file.path, file.size_bytes)
            self._put(commit.manifest_path, commit.manifest())
        except Exception as error:
            # obstore's own errors are OSErrors too in part, without a number.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise explained(error, self._place.url, "cannot be written to") from error

    def _upload(self, working: Path, path: str, size_bytes: int) -> None:
        if size_bytes <= self.options["single_bytes"]:
            self._put(path, working.read_bytes())
            return
        from obstore.exceptions import AlreadyExistsError

        store: Any = self._place.store
        under_way = f"{_UNDER_WAY}/{working.name}"
        with working.open("rb") as file:
            store.put(under_way, file, use_multipart=True, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE)
        # Uploaded before a crash: the name belongs to this content.
        with contextlib.suppress(AlreadyExistsError):
            store.copy(under_way, path, overwrite=False)
            crash.point("target.mid-deliver")
        store.delete(under_way)

    def _put(self, path: str, data: bytes) -> None:
        from obstore.exceptions import AlreadyExistsError

        store: Any = self._place.store
        # Uploaded before a crash: the name belongs to this content.
        with contextlib.suppress(AlreadyExistsError):
            store.put(path, data, mode="create", use_multipart=False)
            crash.point("target.mid-deliver")


class S3Target(_ObjectsTarget):
    """Amazon S3, or a server that speaks it."""

    KIND = "s3"
    OPTIONS: ClassVar[tuple[TargetOption, ...]] = (*_of_place("s3"), *LAYOUT, *_UPLOAD, *_ENCRYPTION)

    def upload_settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {"copy_if_not_exists": "multipart"}
        if self.options["encryption"] != "default":
            settings["server_side_encryption"] = self.options["encryption"]
        if self.options["kms_key_id"]:
            settings["sse_kms_key_id"] = self.options["kms_key_id"]
        return settings


class GCSTarget(_ObjectsTarget):
    """Google Cloud Storage."""

    KIND = "gcs"
    OPTIONS: ClassVar[tuple[TargetOption, ...]] = (*_of_place("gcs"), *LAYOUT, *_UPLOAD)


class AzureTarget(_ObjectsTarget):
    """Azure Blob Storage."""

    KIND = "azure"
    OPTIONS: ClassVar[tuple[TargetOption, ...]] = (*_of_place("azure"), *LAYOUT, *_UPLOAD)

"""Which files of a dataset there are, which partitions they make up, and which lie outside of its pattern."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from whodid.datasets.blocks import digest
from whodid.datasets.dataset import Dataset
from whodid.errors import WhodidError
from whodid.pattern import Partition, PathPattern
from whodid.places import File, Place

FILES_MAX: Final = 2_000_000
AGE_S_MAX: Final = 60.0
PARTITIONS_MAX: Final = 10_000
_KEPT: Final = msgspec.msgpack.Decoder(tuple[float, list[File]])


class PartitionFiles(Struct, kw_only=True):
    """A partition and its files, in the order of their paths."""

    name: str
    dimensions: dict[str, str]
    begins_at: datetime | None
    files: list[File]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    def shown(self) -> dict[str, Any]:
        """What is told of it in lists."""
        return {
            "name": self.name,
            "dimensions": self.dimensions,
            "begins_at": self.begins_at,
            "files": len(self.files),
            "size_bytes": self.size_bytes,
        }


class Listing(NamedTuple):
    """The files of a dataset as they were at `listed_at` (epoch seconds)."""

    partitions: list[PartitionFiles]
    outside: list[File]
    listed_at: float

    def chosen(self, names: Sequence[str] | None) -> list[PartitionFiles]:
        """The partitions of these names, all without any.

        Raises
        ------
        WhodidError("not_found")
            One of them is not there.
        """
        if not names:
            return self.partitions
        known = {partition.name: partition for partition in self.partitions}
        missing = [name for name in names if name not in known]
        if missing:
            raise WhodidError(
                "not_found",
                f"There is no partition {missing[0][:200]!r} among the {len(known):,} of the dataset.",
                "See: whodid dataset list-partitions NAME. A file written a moment ago shows with --refresh.",
            )
        return [known[name] for name in names]


class Listings:
    """Listings of datasets, kept for a minute in memory and on disk, so that each command need not ask again.

    folder  where they are kept; None keeps them in memory only.
    """

    def __init__(self, folder: Path | None):
        self._folder = folder
        self._kept: dict[str, tuple[float, list[File]]] = {}
        self._lock = threading.Lock()

    def listing(self, dataset: Dataset, place: Place, *, refresh: bool = False) -> Listing:
        """The files of a dataset; asks the place when the last answer is older than a minute, or for `refresh`.

        Raises
        ------
        WhodidError("too_large")
            There are more than `FILES_MAX` files.
        """
        key = digest(msgspec.json.encode([place.url, dataset.path])).hex()
        with self._lock:
            kept = None if refresh else self._kept.get(key) or self._load(key)
            if kept is None or not 0 <= time.time() - kept[0] <= AGE_S_MAX:
                kept = (time.time(), _files(dataset, place))
                self._save(key, kept)
            self._kept[key] = kept
        return _sorted(dataset, kept)

    def _load(self, key: str) -> tuple[float, list[File]] | None:
        if self._folder is None:
            return None
        try:
            return _KEPT.decode((self._folder / key).read_bytes())
        except (OSError, msgspec.DecodeError):
            return None

    def _save(self, key: str, kept: tuple[float, list[File]]) -> None:
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = self._folder / f"{key}.{threading.get_ident()}.tmp"
        beside.write_bytes(msgspec.msgpack.encode(kept))
        beside.replace(self._folder / key)


def _files(dataset: Dataset, place: Place) -> list[File]:
    folder = dataset.path.strip("/")
    if dataset.pattern is not None:
        folder = "/".join(part for part in (folder, dataset.pattern.prefix()) if part)
    found: list[File] = []
    for file in place.files(folder):
        found.append(file)
        if len(found) > FILES_MAX:
            raise WhodidError(
                "too_large",
                f"{place.url}/{folder} holds more than {FILES_MAX:,} files.",
                "Narrow the dataset's path, or split it into several datasets.",
            )
    return found


def _sorted(dataset: Dataset, kept: tuple[float, list[File]]) -> Listing:
    pattern, root = dataset.pattern, dataset.path.strip("/")
    partitions: dict[str, PartitionFiles] = {}
    outside: list[File] = []
    for file in kept[1]:
        partition = _partition(pattern, file.path[len(root) :] if root else file.path)
        if partition is None:
            outside.append(file)
            continue
        name = partition.name
        if name not in partitions:
            partitions[name] = PartitionFiles(
                name=name, dimensions=dict(partition.dimensions), begins_at=partition.begins_at, files=[]
            )
        partitions[name].files.append(file)
    for one in partitions.values():
        one.files.sort(key=lambda file: file.path)
    outside.sort(key=lambda file: file.path)
    return Listing(sorted(partitions.values(), key=lambda one: one.name), outside, kept[0])


def _partition(pattern: PathPattern | None, path: str) -> Partition | None:
    # As other engines do: what begins so is no data (manifests, files under way).
    if any(part.startswith(("_", ".")) for part in path.split("/")):
        return None
    return Partition((), None, None) if pattern is None else pattern.match(path)

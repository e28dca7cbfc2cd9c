"""Commits: files that are whole, with where they go, written down before the first of them goes there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from whodid import durable
from whodid.errors import WhodidError
from whodid.journal import crash
from whodid.targets.laid_out.writing import Written
from whodid.typed import decode

T = TypeVar("T")

COMMIT: Final = "commit.json"
PLACES: Final = "places.json"
MANIFESTS: Final = "_manifests"


class Commit(Struct, kw_only=True):
    """Files to deliver, and the places that hold with them."""

    id: str
    made_at: datetime
    files: list[Written]
    places: dict[str, int]

    @property
    def manifest_path(self) -> str:
        """Where its manifest goes: an underscore keeps engines from taking it for data."""
        return f"{MANIFESTS}/{self.made_at:%Y/%m/%d}/{self.id}.json"

    def manifest(self) -> bytes:
        """What it delivered, for whoever wants to check: path, events, bytes and SHA-256 of each file."""
        files = [
            {"path": file.path, "events": file.events, "size_bytes": file.size_bytes, "sha256": file.sha256}
            for file in self.files
        ]
        told = {"id": self.id, "made_at": self.made_at, "places": self.places, "files": files}
        return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"


class Commits:
    """The commits of one target and receiver in a working folder: at most one that is not done."""

    def __init__(self, working: Path):
        self.working = working

    def places(self) -> dict[str, int]:
        """The places that hold, by receiver."""
        return self._read(PLACES, dict[str, int]) or {}

    def unfinished(self) -> Commit | None:
        """The commit that was begun and is not done."""
        return self._read(COMMIT, Commit)

    def make(self, identifier: str, files: list[Written], places: dict[str, int]) -> Commit:
        """Write a commit down: from here on it will be delivered."""
        commit = Commit(id=identifier, made_at=datetime.now(UTC), files=files, places={**self.places(), **places})
        crash.point("target.before-commit")
        durable.replace(self.working / COMMIT, msgspec.json.encode(commit), durable.SHARED_MODE)
        crash.point("target.after-commit")
        return commit

    def finish(self, commit: Commit, deliver: Callable[[Commit], None]) -> None:
        """Deliver a commit and note that it is done. May be tried any number of times."""
        deliver(commit)
        crash.point("target.after-deliver")
        durable.replace(self.working / PLACES, msgspec.json.encode(commit.places), durable.SHARED_MODE)
        crash.point("target.after-places")
        (self.working / COMMIT).unlink(missing_ok=True)
        for file in commit.files:
            (self.working / file.working).unlink(missing_ok=True)

    def tidy(self) -> None:
        """Take away files that belong to no commit: their events are sent again."""
        for path in self.working.glob("*.part*"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _read(self, name: str, kind: type[T]) -> T | None:
        """What a file of the working folder says; None where there is none. Raises WhodidError("conflict")."""
        path = self.working / name
        try:
            return decode(path.read_bytes(), kind)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise WhodidError(
                "conflict", f"{path} is damaged: {error}.", "Make the target anew; it may begin at a date."
            ) from None

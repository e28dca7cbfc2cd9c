"""Files in folders of this machine: DSS audit folders, data for engines, an archive."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from whodid import durable
from whodid.errors import WhodidError
from whodid.journal import crash
from whodid.targets.base import Context, TargetOption
from whodid.targets.laid_out.commit import Commit
from whodid.targets.laid_out.options import LAYOUT
from whodid.targets.laid_out.target import LaidOutTarget


class FilesTarget(LaidOutTarget):
    """A file is written under a working name in a hidden folder, and renamed when it is whole and on disk."""

    OPTIONS: ClassVar[tuple[TargetOption, ...]] = (
        TargetOption("path", None, "folder", "absolute path of the folder that holds them all"),
        *LAYOUT,
    )

    def __init__(self, options: Mapping[str, Any], context: Context):
        super().__init__(options, context)
        if not self.root.is_absolute():
            raise WhodidError(
                "invalid", f"The path {str(self.root)!r} is not absolute.", "Begin it with /.", field="path"
            )

    @property
    def root(self) -> Path:
        return Path(self.options["path"])

    @property
    def working(self) -> Path:
        # On the same file system as the files, so that a rename is all it takes.
        own = f"test-{id(self)}" if self.context.testing else self.context.receiver
        return self.root / ".whodid" / self.context.id / own

    def prepare(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)

    def deliver(self, commit: Commit) -> None:
        folders = set()
        for file in commit.files:
            path = self.root / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not there any more: it was renamed before a crash.
            with contextlib.suppress(FileNotFoundError):
                (self.working / file.working).rename(path)
                crash.point("target.mid-deliver")
            folders.add(path.parent)
        for folder in sorted(folders):
            durable.sync_folder(folder)
        manifest = self.root / commit.manifest_path
        manifest.parent.mkdir(parents=True, exist_ok=True)
        durable.replace(manifest, commit.manifest(), durable.SHARED_MODE)

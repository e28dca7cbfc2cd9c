"""What targets that lay events out in files have in common; where the files go is theirs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from whodid.errors import WhodidError
from whodid.event import new_id
from whodid.journal import crash
from whodid.targets.base import Context
from whodid.targets.laid_out.collecting import CollectingTarget, abandoned
from whodid.targets.laid_out.commit import Commit, Commits
from whodid.targets.laid_out.options import pattern_of, suffix_of
from whodid.targets.laid_out.writing import Writing, Written

if TYPE_CHECKING:
    from whodid.targets.laid_out.parquet import ParquetWriting

crash.register(
    {
        "target.before-commit": "files are whole under their working names; no commit names them",
        "target.after-commit": "a commit is written down; none of its files is delivered",
        "target.mid-deliver": "the first file of a commit is delivered",
        "target.after-deliver": "all files of a commit are delivered; its places are not written down",
        "target.after-places": "the places of a commit hold; the commit is still there",
    }
)


class LaidOutTarget(CollectingTarget):
    """Collects events in files by folder; a commit delivers them all or none."""

    def __init__(self, options: Mapping[str, Any], context: Context):
        super().__init__(options, context)
        self._folders = pattern_of(options["folders"])
        self._is_parquet = options["content"] == "parquet"
        if self._is_parquet and context.format != "native":
            raise WhodidError(
                "invalid",
                f"Parquet holds events in the native form, not as {context.format}.",
                "Choose content=lines.",
            )

    @abstractmethod
    def deliver(self, commit: Commit) -> None:
        """Bring every file of a commit, and its manifest, to where it belongs, durably; any number of times."""

    def recover(self) -> dict[str, int]:
        self._commits = Commits(self.working)
        unfinished = self._commits.unfinished()
        if unfinished is not None:
            self._commits.finish(unfinished, self.deliver)
        self._commits.tidy()
        return self._commits.places()

    def new_writing(self) -> Writing | ParquetWriting:
        name = self.options["name"]
        if self._is_parquet:
            from whodid.targets.laid_out.parquet import ParquetWriting

            return ParquetWriting(self.working, self._folders, prefix=name)
        compression = self.options["compression"]
        return Writing(self.working, self._folders, compression, prefix=name, suffix=suffix_of(compression))

    def commit(self, writing: Writing | ParquetWriting, written: Sequence[Written]) -> dict[str, int]:
        try:
            commit = self._commits.make(new_id(), list(written), writing.places)
        except BaseException:
            abandoned(writing)
            raise
        self._commits.finish(commit, self.deliver)
        return commit.places

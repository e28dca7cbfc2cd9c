"""Importing partitions of datasets into the store, in the background of a server, with progress to be asked for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from whodid.datasets.checkpoint import Checkpoints
from whodid.datasets.dataset import Dataset
from whodid.datasets.importer import Importer, Progress
from whodid.datasets.listing import PartitionFiles
from whodid.datasets.sinks import Sink
from whodid.datasets.sources import Source
from whodid.datasets.summary import Summary
from whodid.errors import WhodidError
from whodid.formats import FORMATS
from whodid.places import File, Place

_log = logging.getLogger(__name__)

JOBS_KEPT: Final = 100
FINISH_TIMEOUT_S: Final = 3_600.0
CLOSE_TIMEOUT_S: Final = 10.0
ADVICE: Final = (
    f"What can be imported is text in UTF-8, compressed or not: {', '.join(FORMATS)}. Keep other files out by the path"
    " or the partitions of the dataset."
)


class Job(Struct, kw_only=True):
    """An import of partitions: how far it is, and in the end its summary or what went wrong."""

    id: str
    dataset: str
    partitions: list[str]
    state: Literal["running", "done", "failed"] = "running"
    started_at: datetime
    ended_at: datetime | None = None
    files: int = 0
    files_done: int = 0
    size_bytes: int = 0
    bytes_done: int = 0
    events: int = 0
    error: str | None = None
    summary: Any = None


class DatasetImports:
    """Runs imports of datasets, one at a time for each dataset.

    Only what is unread is read: a file is known again by its name, size and time of change, or by its beginning; one
    that was rewritten or came late is read, and stores what it holds besides what was stored. So the same import may
    be run as often as one likes.

    sink         makes a sink for one import.
    checkpoints  file in which it is kept how far each file was read.
    """

    def __init__(self, sink: Callable[[], Sink], checkpoints: Path):
        self._sink = sink
        self._checkpoints = checkpoints
        self._jobs: dict[str, Job] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closing = False

    def start(self, dataset: Dataset, place: Place, partitions: Sequence[PartitionFiles], job_id: str) -> Job:
        """Begin to import; returns at once. `place` is closed at the end.

        Raises
        ------
        WhodidError("invalid")
            The dataset's files hold no events (format parquet).
        WhodidError("conflict")
            An import of this dataset is running.
        """
        if dataset.format == "parquet":
            raise WhodidError("invalid", "Parquet files cannot be imported.", "Import the JSON lines they came from.")
        files = [file for partition in partitions for file in partition.files]
        job = Job(
            id=job_id,
            dataset=dataset.name,
            partitions=[partition.name for partition in partitions],
            started_at=datetime.now(UTC),
            files=len(files),
            size_bytes=sum(file.size_bytes for file in files),
        )
        with self._lock:
            running = [one for one in self._jobs.values() if one.dataset == dataset.name and one.state == "running"]
            if running:
                raise WhodidError(
                    "conflict", f"An import of {dataset.name!r} is running.", "Wait for its end, then start again."
                )
            self._jobs[job.id] = job
            self._forget()
            thread = threading.Thread(target=self._run, args=(job, place, files), name="whodid-import", daemon=True)
            self._threads = [one for one in self._threads if one.is_alive()] + [thread]
            thread.start()
        return job

    def job(self, job_id: str) -> Job:
        """How far an import is; raises WhodidError("not_found") when it is not known (any more)."""
        with self._lock:
            if job_id not in self._jobs:
                raise WhodidError("not_found", f"There is no import {job_id[:100]!r}.", "Old ones are forgotten.")
            return self._jobs[job_id]

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """End what is running after the file it is at; the same import goes on from there another time."""
        self._closing = True
        for thread in self._threads:
            thread.join(timeout_s)

    def _run(self, job: Job, place: Place, files: Sequence[File]) -> None:
        try:
            summary = self._import(job, place, files)
            job.summary = msgspec.to_builtins(summary)
            failed = [file for file in summary.files if file.outcome == "failed"]
            job.state = "failed" if failed and len(failed) == len(files) else "done"
            job.error = failed[0].told if failed else None
        except WhodidError as error:
            job.state, job.error = "failed", str(error)
        except Exception as error:
            _log.exception("The import of %s failed.", job.dataset)
            job.state, job.error = "failed", f"Something went wrong here ({type(error).__name__}); the log says more."
        finally:
            job.ended_at = datetime.now(UTC)
            place.close()

    def _import(self, job: Job, place: Place, files: Sequence[File]) -> Summary:
        with (
            closing(Checkpoints(self._checkpoints)) as checkpoints,
            Importer(self._sink(), checkpoints, progress=_Told(job), advice=ADVICE) as importer,
        ):
            for file in files:
                if self._closing:
                    raise WhodidError("unavailable", "The server stopped meanwhile.", "Run the import again.")
                importer.read(_source(place, file))
                job.files_done += 1
            return importer.finish(FINISH_TIMEOUT_S)

    def _forget(self) -> None:
        done = [job.id for job in self._jobs.values() if job.state != "running"]
        for job_id in done[: max(0, len(self._jobs) - JOBS_KEPT)]:
            del self._jobs[job_id]


class _Told(Progress):
    """Writes into the job how far the import is."""

    def __init__(self, job: Job):
        self._job = job
        self._before = 0

    def moved(self, source: Source, bytes_read: int, events: int) -> None:
        self._job.bytes_done = self._before + bytes_read
        self._job.events = events

    def end(self, source: Source) -> None:
        self._before += source.size_bytes or 0
        self._job.bytes_done = self._before


def _source(place: Place, file: File) -> Source:
    return Source(
        name=f"{place.url}/{file.path}",
        size_bytes=file.size_bytes,
        version=file.version,
        open=partial(place.open, file.path),
    )

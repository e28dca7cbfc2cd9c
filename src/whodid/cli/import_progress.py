"""The progress of an import on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from whodid.datasets import importer
from whodid.datasets.sources import Source
from whodid.reading.printable import printable

_NAME_LENGTH_MAX = 40


class Bar(importer.Progress):
    """A bar over the bytes of all files, with events a second and the time left."""

    def __init__(self, sources: Sequence[Source]):
        sizes = [source.size_bytes for source in sources]
        total = sum(size or 0 for size in sizes) if None not in sizes else None
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TextColumn("{task.fields[events]:,} events"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=total, events=0)
        self._ended_bytes = 0
        self._moved_bytes = 0

    def begin(self, source: Source) -> None:
        name = printable(source.name)
        shown = name if len(name) <= _NAME_LENGTH_MAX else f"…{name[1 - _NAME_LENGTH_MAX :]}"
        self._moved_bytes = 0
        self._bar.update(self._task, description=escape(shown))

    def moved(self, source: Source, bytes_read: int, events: int) -> None:
        self._moved_bytes = bytes_read
        self._bar.update(self._task, completed=self._ended_bytes + bytes_read, events=events)

    def end(self, source: Source) -> None:
        self._ended_bytes += self._moved_bytes if source.size_bytes is None else source.size_bytes
        self._bar.update(self._task, completed=self._ended_bytes)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

"""Connections and datasets on a directory of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from whodid.datasets.connections import Connection, Connections
from whodid.datasets.dataset import Dataset, Datasets
from whodid.directory import Directory
from whodid.directory.sealed import Sealer
from whodid.event import Event


class Connected(NamedTuple):
    """A directory, what it announced, and the connections and datasets on it."""

    directory: Directory
    announced: list[Event]
    connections: Connections
    datasets: Datasets

    def dataset(self, name: str, **more: Any) -> Dataset:
        return self.datasets.create(Dataset(name=name, connection="files", **more))


def connected(folder: Path) -> Connected:
    """With a connection `files` to the folder `files` in `folder`."""
    (folder / "files").mkdir()
    announced: list[Event] = []
    directory = Directory.open(f"sqlite:///{folder}/settings.db", on_change=announced.append)
    connections = Connections(directory, Sealer(folder))
    connections.create(Connection(name="files", kind="folder", options={"path": str(folder / "files")}))
    return Connected(directory, announced, connections, Datasets(directory, connections))


def put(folder: Path, path: str, content: bytes) -> Path:
    """A file of the connection `files`."""
    file = folder / "files" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file

"""Files to the lake and back, by pyiceberg's own file systems."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from pyarrow.fs import LocalFileSystem
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import PyArrowFileIO

from whodid import durable
from whodid.errors import WhodidError

BLOCK_BYTES: Final = 8 * 1024 * 1024


def upload(local: Path, location: str, io: FileIO) -> None:
    """Bring a file to where it belongs, durably; under its name there is nothing else."""
    output = io.new_output(location)
    with local.open("rb") as file, output.create(overwrite=True) as there:
        while block := file.read(BLOCK_BYTES):
            there.write(block)
    system, path = system_of(io, location)
    if isinstance(system, LocalFileSystem):
        _sync(Path(path))


def download(location: str, local: Path, io: FileIO) -> Path:
    """Fetch a file; returns where it is here."""
    with io.new_input(location).open() as there, local.open("xb") as file:
        while block := there.read(BLOCK_BYTES):
            file.write(block)
    return local


def system_of(io: FileIO, location: str) -> tuple[Any, str]:
    """The file system of a location, and the path there.

    Raises
    ------
    WhodidError("unsupported")
        Another `py-io-impl` than pyarrow's is set.
    """
    if not isinstance(io, PyArrowFileIO):
        raise WhodidError("unsupported", f"Files are not listed by {type(io).__name__}.", "Leave py-io-impl out.")
    scheme, netloc, path = io.parse_location(location, io.properties)
    return io.fs_by_scheme(scheme, netloc), path


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        durable.sync(file.fileno())
    durable.sync_folder(path.parent)

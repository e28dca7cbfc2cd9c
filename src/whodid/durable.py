"""Files and folders forced to the disk: whatever is promised to be on it goes through here.

All of it raises OSError as the system gives it: permanent where nothing may be written, temporary on a full disk.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
# Of files that others may read.
SHARED_MODE: Final = 0o666

# What the kernel takes at once (IOV_MAX).
_PIECES_MAX: Final = 1024

if sys.platform == "darwin":
    import fcntl

    def sync(descriptor: int) -> None:
        """Force a file's content and size to the disk. On macOS fsync alone stops at the drive's cache; a file system
        that knows no more than that (a network's) is asked for no more."""
        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EINVAL, errno.ENOTTY):
                raise
            os.fsync(descriptor)

    _sync_names = sync

else:

    def sync(descriptor: int) -> None:
        """Force a file's content and size to the disk."""
        os.fdatasync(descriptor)

    _sync_names = os.fsync


def sync_folder(folder: Path) -> None:
    """Force names made, changed or removed in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _sync_names(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte; the kernel may take fewer at a time."""
    written = os.write(descriptor, data)
    if written == len(data):
        return
    rest = memoryview(data)[written:]
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_pieces(descriptor: int, pieces: Sequence[bytes]) -> None:
    """Write every byte of every piece, in order; large ones without putting them together first."""
    for start in range(0, len(pieces), _PIECES_MAX):
        some = pieces[start : start + _PIECES_MAX]
        written = os.writev(descriptor, some)
        if written < sum(map(len, some)):
            write_all(descriptor, memoryview(b"".join(some))[written:])


def replace(path: Path, data: bytes, mode: int = FILE_MODE) -> None:
    """Make `data` the whole content of `path`: after a crash there is the old content or the new one, never a mix.

    mode  of the file, as far as the umask lets it.
    """
    partial = path.with_name(path.name + ".tmp")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        write_all(descriptor, data)
        sync(descriptor)
    finally:
        os.close(descriptor)
    partial.replace(path)
    sync_folder(path.parent)

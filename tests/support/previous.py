"""The version before this one, to run beside it: its whole source, as it was, in `tests/previous`.

A clone need not have the history, and an index need not have the release; so it is kept here. A release replaces it:
`git archive --prefix= COMMIT src/whodid | xz -9e > tests/previous/whodid-COMMIT.tar.xz`.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

ARCHIVES = Path(__file__).parents[1] / "previous"


def unpacked(folder: Path) -> dict[str, str]:
    """Unpack the previous version into `folder`; the environment in which `python -m whodid` is that version."""
    (archive,) = ARCHIVES.glob("whodid-*.tar.xz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return {"PYTHONPATH": str(folder / "src")}

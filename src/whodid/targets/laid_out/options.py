"""The options of every target that lays events out in files."""

from __future__ import annotations

from typing import Final

from whodid.errors import WhodidError
from whodid.pattern import PathPattern
from whodid.targets.base import TargetOption

COMPRESSIONS: Final = {"none": "", "gz": ".gz", "zst": ".zst"}
DIMENSIONS: Final = ("topic", "routing_key", "node_type", "node", "type", "level")

LAYOUT: Final = (
    TargetOption(
        "folders",
        "/%{topic}/%{routing_key}/%Y/%M/%D/%H",
        "pattern",
        "folder of an event by its time (UTC) and fields: %Y %M %D %H %{topic} %{routing_key} %{node_type} %{node}",
    ),
    TargetOption("content", "lines", "name", "lines of JSON, or Parquet", kind="choice", choices=("lines", "parquet")),
    TargetOption(
        "compression", "gz", "name", "of lines; Parquet packs by itself", kind="choice", choices=tuple(COMPRESSIONS)
    ),
    TargetOption("close_bytes", 128 * 1024 * 1024, "bytes", "files are closed when so many were written", kind="whole"),
    TargetOption("close_s", 60.0, "s", "files are closed after this long", kind="number"),
    TargetOption("name", "audit", "text", "what names of files begin with"),
)


def pattern_of(text: str) -> PathPattern:
    """The pattern of folders.

    Raises
    ------
    WhodidError("invalid")
        It cannot be read, holds a regular expression, or names what events do not have.
    """
    pattern = PathPattern(text)
    if not pattern.is_folder:
        raise WhodidError("invalid", f"The pattern {text!r} holds a regular expression.", "Name folders only.")
    unknown = [name for name in pattern.dimensions if name not in DIMENSIONS]
    if unknown:
        raise WhodidError(
            "invalid", f"The pattern {text!r} names %{{{unknown[0]}}}.", f"There are: {', '.join(DIMENSIONS)}."
        )
    return pattern


def suffix_of(compression: str) -> str:
    """What names of files of lines end with."""
    return ".json" + COMPRESSIONS[compression]

"""The Iceberg target for tests: a table to write to, looked into, and its writer killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pyiceberg.catalog import load_catalog
from pyiceberg.table import Table

from whodid.plugins import TARGETS, load
from whodid.targets.iceberg.options import properties_of

TABLE: Final = "whodid.events"

# Child after child of one process, each killed when it comes to a point, until one comes to its end; how many were.
# They are forked before anything has begun a thread: starting Python and loading pyiceberg takes a second each.
_KILLED_UNTIL_DONE: Final = """
import json, os, sys
from pathlib import Path
import support.lake, whodid.targets.iceberg.target
from support.laid_out import filled, target_of
from whodid.journal import crash

def work(folder, options, count):
    target = target_of("iceberg", Path(folder), options)
    filled(target, range(count))
    target.flush()
    target.close()
    support.lake.tidied(options, Path(folder))

def killed_until_done(point, folder, options, count):
    for killed in range(50):
        child = os.fork()
        if not child:
            crash._armed = (point, killed + 1)
            status = 1
            try:
                work(folder, options, count)
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        if status == 0:
            return killed
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == 9, (point, status)
    raise AssertionError(f"{point} is passed without end")

cases, count = json.loads(sys.stdin.read())
print(json.dumps({point: killed_until_done(point, *case, count) for point, case in cases.items()}))
"""


def lake_options(database: str, warehouse: Path | str, **more: Any) -> dict[str, Any]:
    """The options of a target whose catalog is a database and whose files lie in a folder, or at a URL."""
    where = warehouse if isinstance(warehouse, str) else warehouse.as_uri()
    return {"catalog": "sql", "uri": database, "warehouse": where, **more}


def complete(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with the defaults of the others."""
    kind = load(TARGETS, "iceberg")
    return {**{option.name: option.default for option in kind.OPTIONS}, **options}


def table(options: Mapping[str, Any]) -> Table:
    """The table, as any other program of Python gets it."""
    given = complete(options)
    return load_catalog(given["catalog_name"], **properties_of(given)).load_table(given["table"])


def rows(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the table holds; nothing when it is not there."""
    from pyiceberg.exceptions import NoSuchTableError

    try:
        found: list[dict[str, Any]] = table(options).scan().to_arrow().to_pylist()
    except NoSuchTableError:
        return []
    return found


def numbers(options: Mapping[str, Any]) -> list[int]:
    """The numbers of `laid_out.numbered` events in the table, ascending."""
    return sorted(int(row["id"][-12:], 16) for row in rows(options))


def files_below(warehouse: Path) -> set[str]:
    """Every file that lies there."""
    return {str(path) for path in warehouse.rglob("*") if path.is_file()}


def named(found: Table) -> set[str]:
    """Every file that the table's current state names, whatever it is for."""
    names = {found.metadata_location, *(entry.metadata_file for entry in found.metadata.metadata_log)}
    for snapshot in found.metadata.snapshots:
        names.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(found.io):
            names.add(manifest.manifest_path)
            names.update(one.data_file.file_path for one in manifest.fetch_manifest_entry(found.io))
    return {name.removeprefix("file://") for name in names}


def tidied(options: Mapping[str, Any], folder: Path, **more: Any) -> Any:
    """The table's upkeep, at once."""
    from datetime import UTC, datetime

    from whodid.targets.iceberg.table import LakeTable
    from whodid.targets.iceberg.upkeep import Upkeep

    given = complete({"small_files_min": 2, **options, **more})
    upkeep = Upkeep(given, folder / "upkeep")
    try:
        return upkeep.run(LakeTable(given, ""), datetime.now(UTC))
    finally:
        upkeep.close()


def killed_until_done(cases: Mapping[str, tuple[Path, Mapping[str, Any]]], count: int) -> dict[str, int]:
    """For each crash point send events 0 to `count` and tidy the table, killed there again and again; how often.

    cases  by point, the folder for working files and the options of the target.
    """
    asked = {point: (str(folder), dict(options)) for point, (folder, options) in cases.items()}
    done = subprocess.run(
        [sys.executable, "-c", _KILLED_UNTIL_DONE],
        input=json.dumps([asked, count]),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    found: dict[str, int] = json.loads(done.stdout)
    return found


def ids(found: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted(row["id"] for row in found)

"""Which table options mean, whatever way they are written: two targets that write one table write every event twice."""

from __future__ import annotations

from collections.abc import Mapping
from posixpath import normpath
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

# By which names the same thing goes.
_SCHEMES: Final = {"postgres": "postgresql", "s3a": "s3", "s3n": "s3", "abfs": "abfss", "": "file"}
_PORTS: Final = {"postgresql": ":5432", "http": ":80", "https": ":443"}
# Where a Glue catalog is, besides its region and who asks.
_OF_GLUE: Final = ("glue.id", "glue.endpoint", "glue.profile-name")


def tables_of(options: Mapping[str, Any]) -> dict[str, str]:
    """The table as its catalog knows it, and its folder, in which the upkeep of two tables would delete each other's
    files: as texts that are the same for the same table, with the words for them."""
    table = options["table"]
    found = {"\n".join([*_catalog_of(options), table]): f"the table {table} of this catalog"}
    if options["catalog"] != "rest" and options["warehouse"]:
        folder = "\n".join([_place_of(options["warehouse"]), table])
        found[folder] = f"the folder of the table {table} in this warehouse"
    return found


def _catalog_of(options: Mapping[str, Any]) -> list[str]:
    kind = options["catalog"]
    if kind == "glue":
        more = [str(options["properties"].get(name, "")) for name in _OF_GLUE]
        return [kind, options["region"] or "", options["access_key_id"] or "", *more]
    # A catalog of SQL has a name within its database, one of REST a warehouse.
    within = options["catalog_name"] if kind == "sql" else (options["warehouse"] or "").rstrip("/")
    return [kind, _place_of(options["uri"] or ""), within]


def _place_of(address: str) -> str:
    """An address without who asks and how: scheme, host, port and path. PostgreSQL may have its host behind the `?`."""
    parts = urlsplit(address)
    scheme = parts.scheme.partition("+")[0].lower()
    scheme = _SCHEMES.get(scheme, scheme)
    # What stands before the @ of Azure is no user.
    host = parts.netloc.lower() if scheme == "abfss" else parts.netloc.rpartition("@")[2].lower()
    host = host.removeprefix("localhost") if scheme == "file" else host
    behind = parse_qs(parts.query)
    host = ",".join(behind.get("host", [host])) + "".join(f":{port}" for port in behind.get("port", ()))
    return f"{scheme}://{host.removesuffix(_PORTS.get(scheme, ':'))}{normpath('/' + parts.path.strip('/'))}"

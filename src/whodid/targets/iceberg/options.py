"""The options of the target, and what they are to pyiceberg."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from whodid.errors import WhodidError
from whodid.targets.base import TargetOption

PARTITIONS: Final = {"topic": ("topic",), "node_type": ("node_type",), "day alone": ()}

OPTIONS: Final = (
    TargetOption("catalog", "sql", "name", "who keeps the table's state", kind="choice",
                 choices=("sql", "rest", "glue")),
    TargetOption("uri", None, "URL", "of the catalog: postgresql://user:password@host/database for sql, https://… for "
                 "rest; none for glue", secret=True, optional=True),
    TargetOption("catalog_name", "lake", "name", "the catalog's name: with sql, engines have to say the same"),
    TargetOption("credential", None, "text", "id:secret of an OAuth client, for rest", secret=True, optional=True),
    TargetOption("token", None, "text", "bearer token, for rest", secret=True, optional=True),
    TargetOption("warehouse", None, "URL", "where tables lie: s3://bucket/path, gs://…, abfss://…, file:///path; for "
                 "rest its name there"),
    TargetOption("table", "whodid.events", "name", "namespace.table; made when it is not there"),
    TargetOption("partition", "topic", "name", "what a new table is divided by, besides the day", kind="choice",
                 choices=tuple(PARTITIONS)),
    TargetOption("region", None, "name", "region of S3 and Glue", optional=True),
    TargetOption("endpoint", None, "URL", "another server than Amazon's S3", optional=True),
    TargetOption("access_key_id", None, "text", "access key of S3 and Glue; empty: the server's own", optional=True),
    TargetOption("secret_access_key", None, "text", "secret of the access key", secret=True, optional=True),
    TargetOption("session_token", None, "text", "token of temporary credentials", secret=True, optional=True),
    TargetOption("properties", {}, "map", "more properties of pyiceberg: name => value, …", secret=True, kind="map"),
    TargetOption("close_bytes", 256 * 1024 * 1024, "bytes", "a snapshot is made of so many bytes of JSON",
                 kind="whole"),
    TargetOption("close_s", 300.0, "s", "or after this long", kind="number"),
    TargetOption("name", "audit", "text", "what names of files begin with"),
    TargetOption("upkeep_s", 3600.0, "s", "how often the table is tidied; 0: never, another tool does it",
                 kind="number"),
    TargetOption("file_bytes", 256 * 1024 * 1024, "bytes", "small files are put together up to this size",
                 kind="whole"),
    TargetOption("small_files_min", 5, "files", "so many small files of a partition are put together", kind="whole"),
    TargetOption("snapshots_days", 5.0, "days", "older snapshots go, and with them what only they have", kind="number"),
    TargetOption("orphans_days", 3.0, "days", "files that no snapshot names go when they are older", kind="number"),
)  # fmt: skip

# Options that are properties of pyiceberg, for catalogs and for where files lie.
_PROPERTIES: Final = {
    "warehouse": ("warehouse",),
    "credential": ("credential",),
    "token": ("token",),
    "region": ("s3.region", "glue.region"),
    "endpoint": ("s3.endpoint",),
    "access_key_id": ("s3.access-key-id", "glue.access-key-id"),
    "secret_access_key": ("s3.secret-access-key", "glue.secret-access-key"),
    "session_token": ("s3.session-token", "glue.session-token"),
}
_LIMITS: Final = {"s3.connect-timeout": "10", "s3.request-timeout": "60", "pool_pre_ping": "true"}
# The drivers of SQLAlchemy that whodid comes with.
_DRIVERS: Final = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


def properties_of(options: Mapping[str, Any]) -> dict[str, str]:
    """The properties of pyiceberg that options mean.

    Raises
    ------
    WhodidError("invalid")
        The catalog needs an address and has none, or the other way round; the address cannot be read.
    """
    kind, uri = options["catalog"], options["uri"]
    if (uri is None) != (kind == "glue"):
        raise WhodidError(
            "invalid",
            f"uri is {'missing' if uri is None else 'given'} with catalog={kind}.",
            "A glue catalog has none; the others need one.",
            field="uri",
        )
    found = {"type": kind, **_LIMITS}
    if uri is not None:
        _check_address(uri)
        scheme, colon, rest = uri.partition(":")
        found["uri"] = f"{_DRIVERS.get(scheme, scheme)}{colon}{rest}" if kind == "sql" else uri
    for name, properties in _PROPERTIES.items():
        if options[name]:
            found |= dict.fromkeys(properties, options[name])
    return found | {name: str(value) for name, value in options["properties"].items()}


def _check_address(uri: str) -> None:
    try:
        urlsplit(uri)
    except ValueError as error:
        raise WhodidError(
            "invalid", "uri cannot be read.", "Write [ and ] in a password as %5B and %5D.", field="uri"
        ) from error


def identifier_of(table: str) -> tuple[str, ...]:
    """The parts of a table's name. Raises WhodidError("invalid") when it has no namespace."""
    parts = tuple(table.split("."))
    if len(parts) < 2 or not all(parts):
        raise WhodidError(
            "invalid", f"table is {table[:100]!r}.", "Write namespace.table, such as whodid.events.", field="table"
        )
    return parts


def check(options: Mapping[str, Any]) -> None:
    """Raises WhodidError("invalid") for options that make no sense."""
    identifier_of(options["table"])
    properties_of(options)
    if options["orphans_days"] < 1:
        raise WhodidError(
            "invalid",
            f"orphans_days is {options['orphans_days']}.",
            "Others may still write what is younger than a day.",
            field="orphans_days",
        )


def secrets_of(options: Mapping[str, Any]) -> list[str]:
    """The secrets among options, to be left out of messages."""
    given = [options[option.name] for option in OPTIONS if option.secret and option.kind == "text"]
    password = urlsplit(options["uri"] or "").password
    return [value for value in (*given, password, *options["properties"].values()) if value]

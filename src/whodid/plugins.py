"""Implementations that are loaded on first use, so that a missing optional driver harms nobody else."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from whodid.errors import WhodidError


class Plugin(NamedTuple):
    """Where an implementation lives (`module:name`) and which extra of the package brings its driver."""

    target: str
    extra: str | None = None


STORES: dict[str, Plugin] = {
    "duckdb": Plugin("whodid.stores.duckdb:DuckDBStore"),
    "postgresql": Plugin("whodid.stores.postgresql:PostgreSQLStore", extra="postgresql"),
    "clickhouse": Plugin("whodid.stores.clickhouse:ClickHouseStore", extra="clickhouse"),
}

JOURNALS: dict[str, Plugin] = {
    "disk": Plugin("whodid.journal.disk:DiskJournal"),
    "kafka": Plugin("whodid.journal.kafka:KafkaJournal", extra="kafka"),
}

# Each is a class of the contract in `targets/base.py`.
TARGETS: dict[str, Plugin] = {
    "files": Plugin("whodid.targets.files:FilesTarget"),
    "log-files": Plugin("whodid.targets.log_files:LogFilesTarget"),
    "s3": Plugin("whodid.targets.object_storage:S3Target", extra="s3"),
    "gcs": Plugin("whodid.targets.object_storage:GCSTarget", extra="s3"),
    "azure": Plugin("whodid.targets.object_storage:AzureTarget", extra="s3"),
    "cloudwatch": Plugin("whodid.targets.cloudwatch:CloudWatchTarget", extra="aws"),
    "http": Plugin("whodid.targets.http:HttpTarget"),
    "whodid": Plugin("whodid.targets.http:WhodidTarget"),
    "syslog": Plugin("whodid.targets.syslog:SyslogTarget"),
    "otlp": Plugin("whodid.targets.otlp:OtlpTarget"),
    "postgresql": Plugin("whodid.targets.postgresql:PostgreSQLTarget", extra="postgresql"),
    "kafka": Plugin("whodid.targets.kafka:KafkaTarget", extra="kafka"),
    "iceberg": Plugin("whodid.targets.iceberg.target:IcebergTarget", extra="iceberg"),
}

_WORDS = (("store", STORES), ("journal", JOURNALS), ("kind of target", TARGETS))


def load(table: dict[str, Plugin], kind: str) -> Any:
    """The class or function that `table` names for `kind`.

    Raises
    ------
    WhodidError("invalid")
        The kind is unknown, or its driver is not installed; the hint says what to install.
    """
    if kind not in table:
        what = next((f"{word} " for word, known in _WORDS if known is table), "")
        raise WhodidError("invalid", f"There is no {what}{kind!r}.", f"Known here: {', '.join(sorted(table))}.")
    plugin = table[kind]
    module, _, name = plugin.target.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if plugin.extra is None or (error.name or "").startswith("whodid"):
            raise
        raise WhodidError(
            "invalid",
            f"{kind} needs {error.name!r}, which is not installed.",
            f"Install it with: pip install 'whodid[{plugin.extra}]'",
        ) from error

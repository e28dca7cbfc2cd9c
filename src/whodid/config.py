"""The options of the server and the limits it keeps: rows of data, from which help and documentation are made.

An option is set by its command line flag, else by its environment variable (`WHODID_` + upper-case name), else it has
its default.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

from whodid.errors import WhodidError


class Option(NamedTuple):
    """One option. `secret` values are never printed; numbers go from `least` to `most`, text has the `form`."""

    name: str
    default: Any
    unit: str
    help: str
    secret: bool = False
    least: int = 0
    most: int = 2**63 - 1
    form: str = ".*"

    @property
    def env(self) -> str:
        return f"WHODID_{self.name.upper()}"


_HOST: Final = r"(\[[0-9A-Fa-f:.]+\]|[^\s,/?#@:\[\]]+)(:\d{1,5})?"
_SITE: Final = rf"(https?://{_HOST}(/[^\s?#]*)?)?"
_ORIGIN: Final = rf"(\*|null|[A-Za-z][A-Za-z0-9+.-]*://{_HOST})?"
_ORIGINS: Final = rf"\s*{_ORIGIN}(\s*,\s*{_ORIGIN})*\s*"

OPTIONS: Final[tuple[Option, ...]] = (
    Option("data", "whodid-data", "folder", "data folder: journal, embedded store, settings"),
    Option(
        "store",
        "duckdb",
        "URL",
        "duckdb, postgresql://user@host/database, or clickhouse://user@host/database",
        secret=True,
    ),
    Option(
        "directory",
        "",
        "URL",
        "settings: postgresql://… that servers share; else the store's PostgreSQL, or SQLite in the data folder",
        secret=True,
    ),
    Option("journal", "disk", "URL", "disk, or kafka://host:port,…/topic: where events are durable first", secret=True),
    Option("host", "127.0.0.1", "address", "address to listen on; off loopback keys or users are required"),
    Option("port", 8400, "port", "port to listen on; 0 takes a free one", most=65_535),
    Option("server", "", "URL", "for the command line: talk to this server instead of opening the data folder"),
    Option("key", "", "key", "for the command line: key for --server", secret=True),
    Option("secret_key", "", "text", "encrypts stored secrets; else secret.key in the data folder does", secret=True),
    Option("connections_max", 1_000, "connections", "open connections; more are answered 503", least=1),
    Option("header_timeout_ms", 10_000, "ms", "a connection has to send its request's headers within this", least=1),
    Option("body_timeout_ms", 30_000, "ms", "a request's body has to arrive within this; then 408", least=1),
    Option("segment_bytes_max", 64 * 1024 * 1024, "bytes", "a journal segment is sealed at this size"),
    Option(
        "segment_age_ms_max",
        300,
        "ms",
        "a journal segment is sealed at this age, so that its events are found",
    ),
    Option("backlog_bytes_max", 8 * 1024**3, "bytes", "journal that waits for the store; beyond it posts get 429"),
    Option(
        "dispatch_backlog_bytes_max",
        4 * 1024**3,
        "bytes",
        "journal kept for targets; those further behind read the store",
    ),
    Option("disk_free_bytes_min", 256 * 1024 * 1024, "bytes", "free disk kept in reserve; below it posts get 507"),
    Option("duckdb_threads", 2, "threads", "threads of the embedded store", least=1),
    Option("duckdb_memory_bytes_max", 1024**3, "bytes", "memory of the embedded store"),
    Option("query_timeout_ms", 30_000, "ms", "a query is stopped after this", least=1),
    Option("query_rows_max", 10_000, "rows", "rows of an answer unless the caller asks for another limit", least=1),
    Option(
        "public_url",
        "",
        "URL",
        "address that browsers use when a proxy stands before the server: https://…",
        form=_SITE,
    ),
    Option(
        "allowed_origins",
        "",
        "URLs",
        "https://app.example.org,…: pages of these origins may post, and show panes",
        form=_ORIGINS,
    ),
    Option("allowed_hosts", "", "names", "audit.local,…: further names by which browsers may reach it on loopback"),
    Option("browser_idle_ms", 2 * 3600 * 1000, "ms", "a browser is signed out after so long without a request"),
    Option("browser_lifetime_ms", 24 * 3600 * 1000, "ms", "a browser has to sign in again after this"),
    Option("node_silent_s", 120, "s", "a node whose agent says nothing for so long is silent; 0: never"),
    Option("node_quiet_s", 24 * 3600, "s", "the same for a node without an agent"),
    Option("receiver_name", "", "text", "its name among servers that share a store; else its machine's"),
    Option("receiver_silent_s", 30, "s", "a server that gives no sign of life for so long is silent; 0: never"),
    Option("drain_delay_ms", 0, "ms", "when asked to stop: go on for so long as not ready, until balancers know"),
    Option("drain_ms", 10_000, "ms", "when asked to stop: what waits is stored for so long; the rest stays on disk"),
    Option("audit_connection", "", "name", "connection below whose place extensions write; else the data folder"),
    Option(
        "oidc_issuer",
        "",
        "URL",
        "identity provider (OpenID Connect) to sign in with, by its issuer: https://…",
        form=_SITE,
    ),
    Option("oidc_client_id", "", "text", "what the identity provider calls this server"),
    Option("oidc_client_secret", "", "text", "its secret there; none for a public client", secret=True),
    Option("oidc_scopes", "openid profile email", "scopes", "what is asked of the identity provider"),
    Option("oidc_login_claim", "preferred_username", "claim", "claim that is the login of a user who comes first"),
    Option("oidc_groups_claim", "groups", "claim", "claim that names groups, or its path: realm_access.roles"),
)

_BY_NAME: Final = {option.name: option for option in OPTIONS}


class Config:
    """The options' values: `config.port`, `config.data`, … with the types of their defaults (`data` is a Path)."""

    def __init__(self, **given: Any):
        unknown = given.keys() - _BY_NAME.keys()
        if unknown:
            raise WhodidError("invalid", f"There is no option {sorted(unknown)[0]!r}.", "See: whodid serve --help")
        self._values = {name: self._value(option, given.get(name)) for name, option in _BY_NAME.items()}

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def data_path(self) -> Path:
        return Path(self.data)

    @staticmethod
    def _value(option: Option, given: Any) -> Any:
        raw = given if given is not None else os.environ.get(option.env, option.default)
        if not isinstance(option.default, int):
            if not re.fullmatch(option.form, str(raw), re.DOTALL):
                raise WhodidError(
                    "invalid", f"{option.name} cannot be read as {option.unit}.", f"{option.env}: {option.help}"
                )
            return raw
        try:
            number = int(raw)
        except ValueError:
            raise WhodidError(
                "invalid",
                f"{option.name} is {raw!r}, which is no whole number of {option.unit}.",
                f"{option.env}: {option.help}",
            ) from None
        if not option.least <= number <= option.most:
            raise WhodidError(
                "invalid", f"{option.name} is {number}; {_bounds(option)}.", f"{option.env}: {option.help}"
            )
        return number


def _bounds(option: Option) -> str:
    if option.most == Option._field_defaults["most"]:
        return f"it is {option.least} at least"
    return f"it goes from {option.least} to {option.most}"

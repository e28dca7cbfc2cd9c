"""The address of a ClickHouse store: `clickhouse://user:password@host:8123/database?cluster=…`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote

from whodid.errors import WhodidError

PORT: Final = 8123
TLS_PORT: Final = 8443
DATABASE: Final = "whodid"
# By hand: Python's own reading of addresses takes one host in brackets, and no others beside it.
_ADDRESS: Final = re.compile(r"(clickhouse|chdb)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE | re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_CLUSTER: Final = re.compile(r"[A-Za-z0-9_.{}-]{1,100}")
_YES: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

# What may stand behind the `?`, and its meaning.
OPTIONS: Final = {
    "cluster": "name of a cluster: tables are replicated and distributed on it",
    "secure": "true for TLS, on port 8443 unless another one is named",
    "verify": "false to take any certificate",
    "ca_cert": "file of the authority that signed the server's certificate",
    "ttl_days": "days after which the engine itself drops events, whatever the settings of retention say",
    "database": "the database, for chdb:///folder, whose path is the folder",
}


class Address(NamedTuple):
    """Where the engine is, and how the tables lie there.

    hosts     host and port of each server; the first that answers is asked.
    folder    of an engine in this process (chdb) instead of hosts.
    cluster   name of the cluster, None on a server that stands alone.
    ttl_days  the engine's own limit of an event's age; None: retention alone says.
    """

    hosts: tuple[tuple[str, int], ...]
    user: str
    password: str
    database: str
    secure: bool
    verify: bool
    ca_cert: str | None
    cluster: str | None
    ttl_days: int | None
    folder: str | None

    @property
    def place(self) -> str:
        """The address as messages show it: without the password."""
        if self.folder is not None:
            return f"chdb://{self.folder}?database={self.database}"
        hosts = ",".join(f"{host}:{port}" for host, port in self.hosts)
        return f"clickhouse://{self.user}@{hosts}/{self.database}"


def parse(url: str) -> Address:
    """Read `clickhouse://[user[:password]@]host[:port][,host…][/database][?option=…]` or `chdb:///folder`.

    Raises
    ------
    WhodidError("invalid")
        Something in it cannot be read; the message names it, and never the password.
    """
    found = _ADDRESS.fullmatch(url)
    if found is None:
        scheme = url.partition(":")[0][:50]
        raise WhodidError("invalid", f"{scheme!r} is no address of ClickHouse.", "It begins with clickhouse://")
    scheme, place, path, query = found.groups(default="")
    options = _options(query)
    secure = _truth(options, "secure", False)
    embedded = scheme.lower() == "chdb"
    database = options.get("database") or ("" if embedded else unquote(path.strip("/"))) or DATABASE
    if not _NAME.fullmatch(database):
        raise WhodidError("invalid", f"{database!r} is no name of a database.", "Letters, digits and _ make one.")
    cluster = options.get("cluster")
    if cluster is not None and not _CLUSTER.fullmatch(cluster):
        raise WhodidError("invalid", f"{cluster!r} is no name of a cluster.")
    userinfo, _, hosts = place.rpartition("@")
    user, _, password = userinfo.partition(":")
    return Address(
        hosts=() if embedded else tuple(_host(one, TLS_PORT if secure else PORT) for one in hosts.split(",")),
        user=unquote(user) or "default",
        password=unquote(password),
        database=database,
        secure=secure,
        verify=_truth(options, "verify", True),
        ca_cert=_file(options, "ca_cert"),
        cluster=cluster,
        ttl_days=_days(options),
        folder=path if embedded else None,
    )


def _options(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in OPTIONS:
            raise WhodidError(
                "invalid", f"The store's address has an unknown option {name!r}.", f"Known are: {', '.join(OPTIONS)}."
            )
    return options


def _host(text: str, port: int) -> tuple[str, int]:
    found = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:\[\]]*)(?::(\d{1,5}))?", text)
    if found is None or not 0 < int(found[2] or port) < 65_536:
        raise WhodidError("invalid", "The store's address has a host that cannot be read.", "Write it as host:8123.")
    return found[1].strip("[]") or "localhost", int(found[2] or port)


def _truth(options: dict[str, Any], name: str, default: bool) -> bool:
    text = str(options.get(name, default)).lower()
    if text not in _YES:
        raise WhodidError("invalid", f"{name} is {text!r} in the store's address.", "It is true or false.")
    return _YES[text]


def _file(options: dict[str, str], name: str) -> str | None:
    path = options.get(name)
    if path and not Path(path).is_file():
        raise WhodidError(
            "invalid", f"There is no file {path[:200]!r}.", f"It is {name} in the store's address: {OPTIONS[name]}."
        )
    return path


def _days(options: dict[str, str]) -> int | None:
    if "ttl_days" not in options:
        return None
    text = options["ttl_days"]
    if not text.isdecimal() or not 1 <= int(text) <= 36_500:
        raise WhodidError("invalid", f"ttl_days is {text[:50]!r} in the store's address.", "It is a number of days.")
    return int(text)

"""`whodid serve`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from whodid.cli.options import verb
from whodid.cli.stopping import stop_asked, wait_for
from whodid.cli.terminal import note
from whodid.masking import without_secrets

if TYPE_CHECKING:
    from whodid.serve import Server

app = verb(
    "serve",
    """  whodid serve
  whodid serve --data /srv/whodid --port 9000
  whodid serve --store postgresql://whodid@db.example.com/whodid
  whodid serve --journal kafka://k1:9092/audit --store postgresql://db/audit
  whodid key create me --scope admin && whodid serve --host 0.0.0.0""",
)


@app.default
def serve(
    *,
    host: Annotated[str | None, Parameter(env_var="WHODID_HOST", help="Address [default: 127.0.0.1].")] = None,
    port: Annotated[int | None, Parameter(env_var="WHODID_PORT", help="Port; 0 takes a free one [8400].")] = None,
    data: Annotated[Path | None, Parameter(env_var="WHODID_DATA", help="Data folder [./whodid-data].")] = None,
    store: Annotated[
        str | None,
        Parameter(env_var="WHODID_STORE", help="duckdb, postgresql://user@host/db, or clickhouse://user@host/db."),
    ] = None,
    journal: Annotated[
        str | None, Parameter(env_var="WHODID_JOURNAL", help="disk, or kafka://host:port,…/topic (docs/kafka.md).")
    ] = None,
) -> None:
    """Run the server: receive events, store them, answer.

    It runs until Ctrl-C or SIGTERM, then finishes what it accepted. Off loopback it needs a key or a user first.
    Further options are set in the environment; docs/options.md lists them.
    """
    from whodid.config import Config
    from whodid.serve import Server

    server = Server(Config(host=host, port=port, data=data, store=store, journal=journal))
    # Until the door opens nothing was accepted: a signal ends it at once, however long a store lets it wait.
    server.open()
    with stop_asked(server.over):
        server.start()
        try:
            announce(server)
            wait_for(server.over)
            note("Stopping: finishing what was accepted.")
        finally:
            server.close()


def announce(server: Server) -> None:
    """Print where the server listens, where its data lie, and how to get in."""
    config = server.config
    lines = [
        f"whodid listens on  {server.url}",
        f"Data folder        {Path(config.data).absolute()}",
        f"Store              {without_secrets(str(config.store))}",
        f"Journal            {without_secrets(str(config.journal)).partition('?')[0]}",
        f"Sign in (once)     {server.sign_in_link}",
    ]
    if server.on_loopback and not server.engine.directory.has_keys_or_users():
        lines.append("Programs on this machine may post and read without a key, until the first key or user is made.")
    else:
        lines.append("Programs need a key: whodid key create NAME --scope write")
    print("\n".join(lines))
    sys.stdout.flush()

"""`whodid agent`."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from whodid.amounts import counted
from whodid.cli.options import verb
from whodid.cli.stopping import stop_asked, wait_for
from whodid.errors import WhodidError

app = verb(
    "agent",
    """  whodid agent /opt/dss/run/audit/audit.log --server https://audit.example.com --key @/etc/whodid/agent.key
  whodid agent /opt/dss/run/audit --server https://a.example.com --server https://b.example.com --node-type api
  whodid agent audit.log --server http://127.0.0.1:8400 --rate-bytes-s 500000      months of backlog, gently
  whodid agent audit.log --server http://127.0.0.1:8400 --once                     send what there is, and end
  whodid agent status /opt/dss/run/audit/audit.log""",
)
State = Annotated[
    Path | None, Parameter(help="Where it keeps its state [default: in your state folder, by its paths].")
]


@app.default
def agent(
    *paths: Annotated[str, Parameter(help="Files, folders, patterns; the rotated files of a file belong to it.")],
    server: Annotated[list[str] | None, Parameter(help="URL of the collector; several are tried in turn.")] = None,
    key: Annotated[
        str | None, Parameter(env_var="WHODID_KEY", help="Its key there; @FILE to read it from a file.")
    ] = None,
    node: Annotated[str | None, Parameter(help="Node of events that name none [default: as the files say].")] = None,
    node_type: Annotated[str | None, Parameter(help="design, automation, api, …: of events that name none.")] = None,
    format: Annotated[str | None, Parameter(help="Format of the files [default: by their content].")] = None,
    state: State = None,
    outbox_bytes_max: Annotated[int | None, Parameter(help="Bytes kept while the collector is away [256 MiB].")] = None,
    rate_bytes_s: Annotated[int, Parameter(help="Packed bytes a second at most of what is old; 0: no limit.")] = 0,
    rate_events_s: Annotated[int, Parameter(help="Events a second at most of what is old; 0: no limit.")] = 0,
    heartbeat_s: Annotated[float | None, Parameter(help="Seconds between signs of life [10].")] = None,
    once: Annotated[bool, Parameter(help="Send what there is, and end.")] = False,
) -> int:
    """Send what is written to a node's audit files to a collector, through rotation, for as long as it runs.

    What the collector has not taken yet is kept on disk, also over a restart; sending it again doubles nothing. What is
    being written goes first, what lay there from before behind it, as fast as it may.
    """
    from whodid.agent.run import Agent
    from whodid.agent.settings import HEARTBEAT_S, OUTBOX_BYTES_MAX, Settings

    settings = Settings(
        servers=tuple(server or _server_of_environment()),
        paths=paths,
        key=key,
        node=node,
        node_type=node_type,
        format=format,
        state=_state(state, paths),
        outbox_bytes_max=outbox_bytes_max if outbox_bytes_max is not None else OUTBOX_BYTES_MAX,
        rate_bytes_s=rate_bytes_s,
        rate_events_s=rate_events_s,
        heartbeat_s=heartbeat_s if heartbeat_s is not None else HEARTBEAT_S,
        once=once,
    )
    _log_to_stderr()
    with stop_asked() as stop:
        return _run(Agent(settings), stop)


@app.command
def status(
    *paths: Annotated[str, Parameter(help="The agent's files, as it was started with.")],
    state: State = None,
    output: Annotated[Literal["text", "json"], Parameter(alias="-o", help="How it is written.")] = "text",
) -> int:
    """How an agent of this machine stands. Exit code 1 when it does not run or has trouble."""
    import msgspec

    from whodid.agent.run import last_status
    from whodid.cli import DONE, FAILED

    told = last_status(_state(state, paths))
    if output == "json":
        print(msgspec.json.encode(told).decode())
    else:
        print("\n".join(f"{name:<10}{text}" for name, text in _lines(told)))
    return DONE if told["running"] and not told["trouble"] else FAILED


def _run(agent: Any, stop: threading.Event) -> int:
    from whodid.cli import DONE, FAILED
    from whodid.cli.terminal import note

    settings = agent.settings
    note(f"Sending {', '.join(settings.paths)} to {', '.join(settings.servers)}; state in {settings.state}.")
    complete = True
    with agent:
        if settings.once:
            complete = agent.once(stop)
        else:
            wait_for(stop)
    told = agent.status(running=False)
    note(_summary(told))
    return DONE if complete else FAILED


def _lines(told: dict[str, Any]) -> list[tuple[str, str]]:
    node = f"{told['node'] or 'not known yet'}{' (' + told['node_type'] + ')' if told['node_type'] else ''}"
    lines = [
        ("agent", f"{'runs' if told['running'] else 'does not run'}, pid {told['pid']}, version {told['version']}"),
        ("node", node),
        ("collector", told["server"]),
        ("sent", _summary(told)),
    ]
    for lane in ("live", "backlog"):
        held = told[lane]
        text = f"{held['read_events']:,} events read, {held['read_rejected']:,} lines that are none"
        if held["waiting_batches"]:
            text += (
                f"; {held['waiting_events']:,} events wait ({held['waiting_bytes']:,} bytes, {held['waiting_s']:.0f} s)"
            )
        lines.append((lane, text))
    if told["clock_ahead_s"] is not None and abs(told["clock_ahead_s"]) > 1:
        lines.append(("clock", f"{told['clock_ahead_s']:+.1f} s off the collector's"))
    if told["dead_batches"]:
        lines.append(("refused", f"{told['dead_batches']} batches are kept in the outbox's folder dead"))
    lines += [("failed", f"{name}: {reason}") for name, reason in told["files_failed"].items()]
    if told["trouble"]:
        lines.append(("trouble", told["trouble"]))
    return lines


def _summary(told: dict[str, Any]) -> str:
    sent = told["sent"]
    waiting = sum(told[lane]["waiting_events"] for lane in ("live", "backlog"))
    text = f"{counted(sent['events'], 'event')} taken, {sent['duplicates']:,} known already, {waiting:,} wait"
    return text + (f", {sent['rejected']:,} rejected" if sent["rejected"] else "") + "."


def _state(state: Path | None, paths: tuple[str, ...]) -> Path:
    from whodid.agent.settings import state_folder

    if state is None and not paths:
        raise WhodidError("invalid", "No files are named.", "Name the audit files, such as run/audit/audit.log.")
    return state if state is not None else state_folder(paths)


def _server_of_environment() -> list[str]:
    import os

    return [server for server in os.environ.get("WHODID_SERVER", "").split(",") if server]


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("whodid")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False

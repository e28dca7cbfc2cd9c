"""`whodid demo`."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from whodid.cli.options import verb
from whodid.cli.stopping import stop_asked, wait_for
from whodid.cli.terminal import note
from whodid.errors import WhodidError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from whodid.serve import Server

PORT_USUAL = 8400
FOLDER_USUAL = Path("whodid-demo")

app = verb(
    "demo",
    """  whodid demo                              200,000 events of 90 days; it stays
  whodid demo --events 2000000 --days 365
  whodid demo --seed 7 --data /tmp/story   another story
  whodid demo --exit                       fill, show answers, stop""",
)


@app.default
def demo(
    *,
    events: Annotated[int | None, Parameter(help="About how many events [default: 200,000].")] = None,
    days: Annotated[int | None, Parameter(help="How long the story is [default: 90 days].")] = None,
    seed: Annotated[int | None, Parameter(help="Which story; the same seed tells the same again [default: 1].")] = None,
    port: Annotated[int | None, Parameter(help="Port; 0 takes a free one [default: 8400, else a free one].")] = None,
    data: Annotated[Path, Parameter(help="Folder of the story; a second run finds it filled.")] = FOLDER_USUAL,
    exit: Annotated[bool, Parameter(name=["--exit", "--no-serve"], help="Stop when done.")] = False,
) -> None:
    """Run a server filled with the story of a data platform, and show what can be asked."""
    from whodid.cli.demo_filling import Story, fill, story_of
    from whodid.cli.demo_showing import show_answers
    from whodid.reading.local import LocalReader

    for name, value in (("events", events), ("days", days)):
        if value is not None and value < 1:
            raise WhodidError("invalid", f"--{name} is {value}.", "A story needs 1 or more.")
    story: Story = story_of(data, events=events, days=days, seed=seed)
    with stop_asked() as stop, _running(data, port) as server:
        if not story.filled:
            fill(server.engine, data, story, stop)
        if stop.is_set():
            return
        _announce(server, data)
        show_answers(LocalReader(server.engine))
        if not exit:
            note(f"The server runs at {server.url}. Ctrl-C stops it; the data stay in {data}.")
            wait_for(stop)


@contextmanager
def _running(data: Path, port: int | None) -> Iterator[Server]:
    """A server on the demo's folder; on a free port when the usual one is taken and none was asked for."""
    from whodid.config import Config
    from whodid.serve import Server

    wanted = port if port is not None else PORT_USUAL if _is_free(PORT_USUAL) else 0
    server = Server(Config(data=data, port=wanted, host="127.0.0.1", store="duckdb"))
    server.start()
    if port is None and wanted == 0:
        note(f"Port {PORT_USUAL} is taken: the demo listens at {server.url} instead.")
    try:
        yield server
    finally:
        server.close()


def _is_free(port: int) -> bool:
    import socket

    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _announce(server: Server, data: Path) -> None:
    lines = [
        "",
        f"whodid runs at     {server.url}",
        f"Sign in (once)     {server.sign_in_link}",
        f"Data folder        {data.absolute()}",
        f"In another shell   export WHODID_DATA={data.absolute()}",
    ]
    print("\n".join(lines))
    sys.stdout.flush()

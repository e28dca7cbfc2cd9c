"""`whodid bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from whodid.cli.options import verb

app = verb(
    "bench",
    """  whodid bench
  whodid bench --folder /srv             on the disk that data will lie on
  whodid bench --seconds 10 --output json | jq .sustained""",
)


@app.default
def bench(
    *,
    folder: Annotated[Path, Parameter(help="A folder of its own is made in this one, and taken away again.")] = Path(),
    seconds: Annotated[float, Parameter(help="About how long it may take, at least 5.")] = 40.0,
    output: Annotated[Literal["text", "json"], Parameter(alias="-o", help="How it is written.")] = "text",
) -> None:
    """Measure this machine: how many events it takes, stores and finds, and what that is enough for.

    A server of its own is started and filled; no other data is touched. Other work on the machine shows.
    """
    import signal
    import tempfile

    import msgspec
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from whodid.benchmark.run import SECONDS_LEAST, measure
    from whodid.benchmark.standing import report, told
    from whodid.errors import WhodidError

    if not SECONDS_LEAST <= seconds <= 3_600:
        raise WhodidError("invalid", f"--seconds is {seconds:g}.", f"It goes from {SECONDS_LEAST:g} to 3,600.")
    if not folder.is_dir():
        raise WhodidError("not_found", f"There is no folder {folder}.", "Name one on the disk that data will lie on.")
    # Asked to stop, it takes its server and its folder away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with (
        tempfile.TemporaryDirectory(prefix="whodid-bench-", dir=folder) as own,
        Progress(*columns, console=Console(stderr=True), transient=True) as bar,
    ):
        task = bar.add_task("", total=1.0)
        measured = measure(
            Path(own), seconds, lambda what, done: bar.update(task, description=f"{what:<32}", completed=done)
        )
    if output == "json":
        print(msgspec.json.encode(told(measured)).decode())
    else:
        print("\n".join(report(measured)))

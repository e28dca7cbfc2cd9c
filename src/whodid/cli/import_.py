"""`whodid import`."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE, Place, verb
from whodid.cli.stopping import stop_asked
from whodid.errors import WhodidError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from whodid.datasets.checkpoint import Checkpoints
    from whodid.datasets.decoding_process import DecodingProcess
    from whodid.datasets.importer import Importer
    from whodid.datasets.sinks import Sink
    from whodid.datasets.sources import Problem, Source
    from whodid.datasets.summary import Summary

# Of files on disk: another process takes 0.1 s to start, and saves a third of what comes after that.
_BESIDE_BYTES_MIN: Final = 32 * 1024 * 1024

app = verb(
    "import",
    """  whodid import /opt/dss/run/audit                        a folder: rotated and compressed files too
  whodid import 'logs/**/*.gz' more.log                   patterns (in quotes) and files
  whodid import s3://customer-audit-log/2026 --endpoint https://s3.example.com
  zcat old.gz | whodid import - --format dss-log4j        standard input
  whodid import /opt/dss/run/audit/audit.log --follow     as it is written, through rotation
  whodid import events.ndjson --output json               the summary for programs""",
)


@app.default
def import_(
    *paths: Annotated[
        str,
        Parameter(allow_leading_hyphen=True, help="Files, folders, patterns, s3://bucket/prefix, - (standard input)."),
    ],
    format: Annotated[str | None, Parameter(help="Format of the files [default: by their content].")] = None,
    follow: Annotated[bool, Parameter(help="Go on with what is written to the files later.")] = False,
    again: Annotated[bool, Parameter(help="Read files even if they were read before.")] = False,
    endpoint: Annotated[str | None, Parameter(help="URL of an S3 server other than Amazon's.")] = None,
    output: Annotated[Literal["text", "json"], Parameter(alias="-o", help="How the summary is written.")] = "text",
    place: Place = ANYWHERE,
) -> int:
    """Import events from files, folders, standard input or S3.

    It may be stopped at any point: the same command goes on where it stopped, and stores nothing twice. Files are
    known again after they were renamed or compressed, and only their new part is read. Input that is no event is
    kept with its reason (whodid replay). Exit code 3 says that there was such input, files that could not be read, or
    events that a server refused.
    """
    from whodid import formats
    from whodid.cli.import_summary import print_summary
    from whodid.cli.sink import sink_later, state_folder
    from whodid.datasets import sources
    from whodid.datasets.checkpoint import Checkpoints

    if not paths:
        raise WhodidError("invalid", "There is nothing to import.", "Name files, folders, patterns, s3://… or -.")
    if follow and (unseen := next((path for path in paths if path == "-" or path.startswith("s3://")), None)):
        what = "Standard input" if unseen == "-" else unseen
        raise WhodidError("invalid", f"{what} cannot be followed.", "Leave out --follow: it is read to its end.")
    for path in paths:
        if not path:
            raise WhodidError("invalid", "One of the paths is empty.", "Is a variable not set? This folder is .")
        if path.startswith("-") and path != "-" and not os.path.lexists(path):
            raise WhodidError("invalid", f"There is no option {path}.", "See: whodid import --help")
    if format is not None:
        formats.decoder(format)
    found = sources.find(paths, endpoint=endpoint)
    if not follow:
        sources.require_any(found)
    with ExitStack() as stack:
        sink = sink_later(place, stack)
        decoding = _decoding_of(found.sources, stack) if not follow else None
        checkpoints = Checkpoints(state_folder(place) / "files.db")
        stack.callback(checkpoints.close)
        summary = _run(
            sink, checkpoints, paths, found.sources, stack, decoding, format=format, follow=follow, again=again
        )
    problems = [] if follow else found.problems
    print_summary(summary, problems, output)
    return _exit_code(summary, problems)


def _run(
    sink: Callable[[], Sink],
    checkpoints: Checkpoints,
    paths: tuple[str, ...],
    found: list[Source],
    stack: ExitStack,
    decoding: DecodingProcess | None,
    *,
    format: str | None,
    follow: bool,
    again: bool,
) -> Summary:
    from whodid.datasets.importer import Importer

    bar = None
    if sys.stderr.isatty() and not follow:
        from whodid.cli.import_progress import Bar

        bar = stack.enter_context(Bar(found))
    importing = Importer(sink, checkpoints, format=format, again=again, progress=bar, patient=follow, decoding=decoding)
    with importing as importer:
        if follow:
            _follow(importer, checkpoints, paths)
        else:
            for source in found:
                importer.read(source)
        return importer.finish()


def _decoding_of(sources: Sequence[Source], stack: ExitStack) -> DecodingProcess | None:
    """A process that decodes, where there is so much that it pays and a processor that it can have."""
    local_bytes = sum(source.size_bytes or 0 for source in sources if source.is_local_file)
    if local_bytes < _BESIDE_BYTES_MIN or (os.cpu_count() or 1) < 2:
        return None
    from whodid.datasets.decoding_process import DecodingProcess
    from whodid.datasets.heap import keep_freed_memory

    keep_freed_memory()
    return stack.enter_context(DecodingProcess())


def _follow(importer: Importer, checkpoints: Checkpoints, paths: tuple[str, ...]) -> None:
    """Until Ctrl-C or SIGTERM."""
    from whodid.cli.terminal import note
    from whodid.datasets.follow import Follower

    with stop_asked() as stop:
        note("Following; Ctrl-C ends it.")
        Follower(importer, checkpoints, paths).run(stop)


def _exit_code(summary: Summary, problems: list[Problem]) -> int:
    from whodid.cli import DONE, DONE_IN_PART, FAILED

    failed = [file for file in summary.files if file.outcome == "failed"]
    if failed and len(failed) == len(summary.files) and not summary.events:
        return FAILED
    return DONE_IN_PART if failed or problems or summary.rejected or summary.refused else DONE

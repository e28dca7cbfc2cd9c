"""The command line: one file per verb, imported when the verb is used.

A verb's module holds `app`, a `cyclopts.App` of the verb's name with its examples as epilogue and one default function,
which returns None or an exit code: 0 done, 1 failed, 2 wrong use, 3 done in part (some records rejected).
"""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence
from typing import Final

from cyclopts import App, CycloptsError, Group, UnknownCommandError, UnusedCliTokensError

from whodid import __version__
from whodid.errors import WhodidError

DONE: Final = 0
FAILED: Final = 1
WRONG_USE: Final = 2
DONE_IN_PART: Final = 3
INTERRUPTED: Final = 130
# What DuckDB's client makes of Ctrl-C while a store is opened, written or counted.
CTRL_C_IN_ENGINE: Final = "Query interrupted"

# Modules stay once they are loaded: looking through them for garbage again and again takes a tenth of a short command.
COLLECT_AFTER: Final = (50_000, 20, 100)

# What verbs are for, and what each does; its module is `whodid.cli.<verb>` (`import_`: Python keeps the word itself).
FAMILIES: Final[tuple[tuple[str, tuple[tuple[str, str], ...]], ...]] = (
    (
        "Begin",
        (
            ("demo", "Run a server filled with the story of a data platform, and show what can be asked."),
            ("serve", "Run the server: receive events, store them, answer."),
            ("import", "Import events from files, folders, standard input or S3."),
            ("agent", "On a node: send what is written to its audit files to a collector."),
        ),
    ),
    (
        "Ask",
        (
            ("events", "List events, or follow them live."),
            ("activity", "What happened to an entity, or what a user did."),
            ("usage", "How much an entity or a user was used, by day."),
            ("report", "Run one of the reports."),
            ("error", "Groups of errors: why they are one; mute, resolve, merge, split."),
            ("query", "Ask in SQL, read-only."),
            ("export", "Write all events that fit into a file, however many there are."),
            ("outcomes", "Tell what really happened, to judge predictions by."),
        ),
    ),
    (
        "Who may, and what is logged",
        (
            ("user", "List, make, change and delete users."),
            ("group", "List, make, change and delete groups, and who is in them."),
            ("role", "Who may see, write and administer, and within which limits."),
            ("key", "Make, list and revoke the keys that programs post and read with."),
            ("policy", "What is logged for whom: rules, what they would drop, captures."),
        ),
    ),
    (
        "Send on, and read elsewhere",
        (
            ("target", "Make, watch, test and change the targets that events are exported to."),
            ("connection", "Places with credentials, and who may use them."),
            ("dataset", "Files of a connection as data: partitions, preview, read, import, views for other engines."),
            ("schedule", "Reports on a schedule: into a connection, or by mail."),
            ("alert", "What to look for, who is told, what is firing; webhooks."),
            ("mail", "The mail server that reports and alerts go by."),
        ),
    ),
    (
        "How it stands",
        (
            ("status", "Journal, store, lag, rejects, disk: how it stands."),
            ("node", "The nodes that send: when each was seen last, how many events, how its clock goes."),
            ("receiver", "The servers that share the store: address, version, lag, and what was lost with one."),
            ("retention", "How long events are kept: what would go, what went."),
            ("replay", "Take in again what was rejected, after it was mended or whodid learned to read it."),
            ("bench", "Measure this machine: what it takes in, stores and finds, and what that is enough for."),
        ),
    ),
)
VERBS: Final = tuple(row for _, rows in FAMILIES for row in rows)

app = App(
    name="whodid",
    help="Who did what, when, to which thing, and what came of it: an audit trail for data platforms.",
    help_epilogue="Start with: whodid demo. Every verb has --help with examples. WHODID_DEBUG=1 shows tracebacks.",
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
    version=__version__,
    end_of_options_delimiter="--",
    group_commands=Group("More", sort_key=len(FAMILIES)),
)
for _place, (_family, _rows) in enumerate(FAMILIES):
    _group = Group(_family, sort_key=_place)
    for _order, (_verb, _help) in enumerate(_rows):
        _module = f"whodid.cli.{'import_' if _verb == 'import' else _verb}:app"
        app.command(_module, name=_verb, help=_help, group=_group, sort_key=_order)
app.register_install_completion_command(help="Install completion for your shell (bash, zsh, fish).")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    gc.set_threshold(*COLLECT_AFTER)
    _prepare_streams()
    try:
        outcome = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return outcome if isinstance(outcome, int) else DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return DONE
    except SystemExit as ended:
        # What rich makes of a pipe that was closed.
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        _forget_stdout()
        return DONE
    except CycloptsError as error:
        return _complain(_wrong_use(error), error)
    except WhodidError as error:
        return _complain(error, error)
    except Exception as error:
        return INTERRUPTED if str(error) == CTRL_C_IN_ENGINE else _complain(_unexpected(error), error)


def _prepare_streams() -> None:
    """Streams that the caller closed lead nowhere; signs that an output's encoding lacks are written as escapes."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115 (it stays open to the end)
        elif mode == "w" and isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _wrong_use(error: CycloptsError) -> WhodidError:
    chain = " ".join(("whodid", *(error.command_chain or ())))
    if isinstance(error, UnknownCommandError) and chain == "whodid":
        return _unknown_verb((error.unused_tokens or [""])[0])
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return WhodidError("invalid", f"{chain} takes no {error.unused_tokens[0]!r}.", f"See: {chain} --help")
    return WhodidError("invalid", str(error).strip(), f"See: {chain} --help")


def _unknown_verb(word: str) -> WhodidError:
    from difflib import get_close_matches

    close = get_close_matches(word, [verb for verb, _ in VERBS], n=1)
    hint = f"Did you mean: whodid {close[0]}" if close else "See: whodid --help"
    return WhodidError("invalid", f"There is no verb {word!r}.", hint)


def _unexpected(error: Exception) -> WhodidError:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return WhodidError("internal", f"{where}{error.strerror}.")
    if isinstance(error, UnicodeEncodeError) and "\udc80" <= (sign := error.object[error.start]) <= "\udcff":
        # So Python keeps a byte that is not UTF-8.
        message = f"A text that was given is not UTF-8: it holds the byte {ord(sign) - 0xDC00:#x}."
        return WhodidError("invalid", message, "Give UTF-8.")
    hint = "This should not happen: WHODID_DEBUG=1 shows where it does."
    return WhodidError("internal", f"{type(error).__name__}: {error}", hint)


def _complain(said: WhodidError, cause: Exception) -> int:
    from whodid.cli.terminal import print_error

    if os.environ.get("WHODID_DEBUG"):
        import traceback

        traceback.print_exception(cause)
    print_error(said)
    return said.kind.exit_code


def _forget_stdout() -> None:
    """Whoever read our output has gone: the interpreter's last flush shall not complain."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 (it stays open to the end)

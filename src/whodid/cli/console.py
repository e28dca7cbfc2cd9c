"""`whodid query` without a statement, on a terminal: a prompt with history, completion and colours."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.key_binding.key_processor import KeyPressEvent

from whodid import catalogue
from whodid.amounts import counted
from whodid.cli.answer import show
from whodid.cli.options import Output
from whodid.cli.terminal import note, print_error
from whodid.errors import WhodidError
from whodid.stores.base import COLUMNS, WORKED_OUT

if TYPE_CHECKING:
    from whodid.reading import Reader

HELP: Final = r"""Ask in SQL; a statement ends with ; and may go over several lines. The table is events.
  \d          the columns of events and what they mean
  \examples   questions to begin with
  \x          rows one below the other, and back
  \o FORMAT   table, json, ndjson or csv from now on
  \q          leave (or Ctrl-D); Ctrl-C stops a question that runs
Tab completes columns, functions and the names of types; the up key brings earlier statements back."""

EXAMPLES: Final = (
    "SELECT \"user\", count(*) AS events FROM events WHERE time >= now() - INTERVAL '7 days' GROUP BY 1 ORDER BY 2;",
    "SELECT date_trunc('day', time) AS day, count(DISTINCT \"user\") AS users FROM events GROUP BY 1 ORDER BY 1;",
    "SELECT error_hash, count(*) AS times, min(error_message) FROM events WHERE level = 'error' GROUP BY 1 ORDER BY 2;",
    "SELECT function, count(*) AS runs, avg(duration_ms) AS ms FROM events WHERE function IS NOT NULL GROUP BY 1;",
)

# fmt: off
_KEYWORDS: Final = (
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "HAVING", "LIMIT", "AS", "AND", "OR", "NOT", "IN", "IS", "NULL",
    "LIKE", "ILIKE", "BETWEEN", "CASE", "WHEN", "THEN", "ELSE", "END", "DISTINCT", "ASC", "DESC", "WITH", "UNION ALL",
    "JOIN", "LEFT JOIN", "ON", "USING", "INTERVAL", "FILTER", "OVER", "PARTITION BY", "TRUE", "FALSE", "EXISTS",
)
_FUNCTIONS: Final = (
    "count", "sum", "avg", "min", "max", "date_trunc", "now", "coalesce", "lower", "upper", "length", "round",
    "extract", "percentile_cont", "row_number", "lag", "lead", "string_agg",
)
# fmt: on
_IN_TEXT: Final = re.compile(r"'([^']*)$")
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*$")
_FORMATS: Final = ("table", "json", "ndjson", "csv")


class SqlCompleter(Completer):
    """Columns, keywords and functions; within quotation marks, the names of types."""

    def __init__(self) -> None:
        known = (*COLUMNS, *WORKED_OUT)
        columns = [(f'"{column.name}"' if column.name == "user" else column.name, column.help) for column in known]
        self._words = [*columns, ("events", "the table")]
        self._words += [(word, "") for word in _KEYWORDS] + [(f"{name}(", "") for name in _FUNCTIONS]
        self._types = sorted(catalogue.known_types())

    def get_completions(self, document: Document, complete_event: Any) -> Iterable[Completion]:
        before = document.text_before_cursor
        if before.startswith("\\"):
            return
        quoted = _IN_TEXT.search(before) if before.count("'") % 2 else None
        if quoted is not None:
            yield from self._of_types(quoted[1])
            return
        word = _WORD.search(before)
        begun = word[0] if word else ""
        for name, meaning in self._words:
            if name.lower().lstrip('"').startswith(begun.lower()) and begun:
                yield Completion(name, start_position=-len(begun), display_meta=meaning)

    def _of_types(self, begun: str) -> Iterator[Completion]:
        for name in self._types:
            if name.startswith(begun):
                yield Completion(name, start_position=-len(begun))


class Console:
    """A conversation: statements in, rows out, until the user leaves.

    reader   whom to ask.
    history  file that keeps earlier statements; None keeps them in memory.
    prompt   asks for the next statement; for tests.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        history: Path | None = None,
        limit: int = 10_000,
        timeout_ms: int = 30_000,
        prompt: Callable[[], str] | None = None,
    ):
        self._reader = reader
        self._limit = limit
        self._timeout_ms = timeout_ms
        self._format = "table"
        self._below = False
        self._prompt = prompt or _session(history).prompt

    def run(self) -> None:
        """Until Ctrl-D or `\\q`; what goes wrong with one statement ends only that."""
        note(r"Ask in SQL, end with ;   \? helps, \q leaves.")
        while True:
            try:
                text = self._prompt().strip()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if text in (r"\q", "exit", "quit", "exit;", "quit;"):
                return
            if text:
                self._answer(text)

    def _answer(self, text: str) -> None:
        try:
            if text.startswith("\\"):
                self._command(text)
            else:
                self._ask(text)
        except WhodidError as error:
            print_error(error)
        except KeyboardInterrupt:
            note("Stopped.")

    def _ask(self, sql: str) -> None:
        begun = time.monotonic()
        answer = self._reader.query(sql.rstrip().rstrip(";"), limit=self._limit, timeout_ms=self._timeout_ms)
        taken_ms = (time.monotonic() - begun) * 1_000
        if self._below:
            _print_below(answer.arrow().to_pylist())
        else:
            show(answer, Output(output=self._format))  # type: ignore[arg-type]  # checked when it was set
        note(f"{counted(len(answer), 'row')} in {taken_ms:,.0f} ms")

    def _command(self, text: str) -> None:
        name, _, value = text.partition(" ")
        if name in (r"\?", r"\h", r"\help"):
            note(HELP)
        elif name == r"\d":
            for column in (*COLUMNS, *WORKED_OUT):
                print(f"{column.name:<18} {column.sql_type:<10} {column.help}")
        elif name == r"\examples":
            print("\n".join(EXAMPLES))
        elif name == r"\x":
            self._below = not self._below
            note("Rows come one below the other." if self._below else "Rows come as a table.")
        elif name == r"\o" and value.strip() in _FORMATS:
            self._format = value.strip()
        else:
            raise WhodidError("invalid", f"There is no command {text[:50]!r}.", r"See \?")


def history_file() -> Path:
    """Where statements are remembered: in this user's own state folder."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    folder = Path(state) / "whodid"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "query-history"
    path.touch(mode=0o600)
    return path


def _session(history: Path | None) -> PromptSession[str]:
    kept: History = FileHistory(str(history)) if history is not None else InMemoryHistory()
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        """Enter ends a statement behind its ; and begins another line otherwise."""
        text = event.current_buffer.text.strip()
        if not text or text.endswith(";") or text.startswith("\\") or text in ("exit", "quit"):
            event.current_buffer.validate_and_handle()
        else:
            event.current_buffer.insert_text("\n")

    return PromptSession(
        "whodid> ",
        history=kept,
        completer=SqlCompleter(),
        complete_while_typing=False,
        multiline=True,
        prompt_continuation="   ...> ",
        key_bindings=keys,
    )


def _print_below(rows: list[dict[str, Any]]) -> None:
    from whodid.reading.printable import printable

    for number, row in enumerate(rows, start=1):
        print(f"-- {number}")
        width = max(map(len, row), default=0)
        for name, value in row.items():
            print(f"{name:<{width}}  {'–' if value is None else printable(str(value))}")

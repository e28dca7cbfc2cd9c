"""Loading batches into ClickHouse: segments read by the engine itself, each event once by its id.

A load puts frames into temporary tables of its session. In the turn to write it looks up which of the ids are stored
already, and inserts the others by one statement, whose token is the place in the journal together with a digest of the
ids. Rows first, their position last: what a crash leaves between the two is found again by id,
receiver and running number, and counts as the write's own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from functools import cache
from typing import Any, Final, NamedTuple

from whodid.journal.base import Batch
from whodid.journal.crash import point, register
from whodid.stores import clickhouse_careful, clickhouse_counting, clickhouse_turns, migrate
from whodid.stores.base import COLUMNS, WORKED_OUT, Mentions, SeenEntity, SeenSession, SeenUser, Written
from whodid.stores.clickhouse_params import quoted
from whodid.stores.clickhouse_session import Session

register(
    {
        "store.before-commit": "a write's rows and position are in its transaction, which is not committed",
        "clickhouse.rows-written": "a write's rows are in ClickHouse, and its position is not",
        "store.after-commit": "a write is committed; the journal still holds its batches",
    }
)

# Batches are loaded together up to this size: their rows lie in the engine's memory for so long.
LOAD_BYTES_MAX: Final = 128 * 1024 * 1024

_COLUMNS: Final = ", ".join(column.name for column in (*COLUMNS, *WORKED_OUT))
_SPAN: Final = "UUIDToNum(id) BETWEEN UUIDStringToNum('{}') AND UUIDStringToNum('{}') AND"
_DAYS: Final = "SELECT DISTINCT toYYYYMMDD(time) FROM {rows}"
_ADVANCE: Final = "INSERT INTO journal_position SELECT {receiver}, {number}, {writer}, now64(6, 'UTC') WHERE {in_turn}"


class Survey(NamedTuple):
    """What came in: rows, different ids, ids that do not begin with a time, and the span of those that do; how many
    events touch several things, any thing, a session, somebody; and how many rejections there are."""

    rows: int
    ids: int
    unordered: int
    low: str
    high: str
    with_several: int
    with_things: int
    with_session: int
    with_users: int
    rejects: int | None


class Known(NamedTuple):
    """What of it is stored already: a digest of what is not, its number, the write's own of an earlier try, and all."""

    digest: str
    fresh: int
    own: int
    stored: int


class Load:
    """Batches of one receiver on their way, in a session whose temporary tables they have for themselves."""

    def __init__(self, session: Session, batches: Sequence[Batch]):
        """Bring the events into the session's table `incoming`; for this it need not be anybody's turn."""
        self.session = session
        self.batches = batches
        self._words = {"{columns}": _COLUMNS, "{rows}": "incoming"}
        self._run("make_frames")
        for batch in batches:
            clickhouse_careful.add(session, batch)
        self._run("make_incoming")
        self._survey = Survey(*self._one("survey"))

    def is_stored(self) -> bool:
        """Whether every event is there."""
        return self._look_up().stored == self._survey.ids

    def store(self, turn: int, writer: str) -> Written:
        """Store the events, and the position; `writer` is who holds the turn."""
        survey = self._survey
        self._words["{in_turn}"] = clickhouse_turns.condition(turn)
        first, last = self.batches[0], self.batches[-1]
        known = self._look_up()
        events = known.fresh + known.own
        token = f"{first.receiver}:{first.number}-{last.number}:{known.digest}"
        point("store.before-commit")
        if known.fresh:
            days = _DAYS.format(rows=self._words["{rows}"])
            self.session.run(clickhouse_counting.changed(f"day IN ({days})", turn))
            self._run("add_events", insert_deduplication_token=token)
        if events and survey.with_several:
            self._run("add_entities", insert_deduplication_token=f"{token}:entities")
        rejects = self._turn_away(token) if survey.rejects else 0
        mentions = self._mentions() if events else Mentions()
        point("clickhouse.rows-written")
        self.session.run(
            _ADVANCE.format(
                receiver=quoted(last.receiver),
                number=last.number,
                writer=quoted(writer),
                in_turn=self._words["{in_turn}"],
            )
        )
        return Written(events=events, duplicates=survey.rows - events, rejects=rejects, mentions=mentions)

    def _look_up(self) -> Known:
        survey = self._survey
        if not survey.rows:
            return Known("", 0, 0, 0)
        if survey.ids < survey.rows:
            self._words["{rows}"] = "once"
            self._run("make_once")
        self._words["{span}"] = "" if survey.unordered else _SPAN.format(survey.low, survey.high)
        self._run("make_known")
        return Known(*self._one("fresh"))

    def _turn_away(self, token: str) -> int:
        """Keep the rejections that are not there yet; returns how many."""
        self._run("make_rejects")
        (rejects,) = self._one("count_rejects")
        if rejects:
            self._run("add_rejects", insert_deduplication_token=f"{token}:rejects")
        return int(rejects)

    def _mentions(self) -> Mentions:
        survey = self._survey
        self._words["{mine}"] = self._said("mine")
        users = self._all("users") if survey.with_users else []
        sessions = self._all("sessions") if survey.with_session else []
        entities = self._all("entities") if survey.with_things else []
        return Mentions(
            users=[SeenUser(login=login, first=first, last=last) for login, first, last in users],
            sessions=[
                SeenSession(id=id_, user=user, orig_address=address, source=source, first=first, last=last)
                for id_, first, last, user, address, source in sessions
            ],
            entities=[
                SeenEntity(type=type_, id=id_, name=name, first=first, last=last)
                for type_, id_, first, last, name in entities
            ],
        )

    def _run(self, name: str, **settings: Any) -> None:
        self.session.run(self._said(name), **settings)

    def _all(self, name: str) -> list[tuple[Any, ...]]:
        return self.session.rows(self._said(name))

    def _one(self, name: str) -> tuple[Any, ...]:
        return self._all(name)[0]

    def _said(self, name: str) -> str:
        sql = _statements()[name]
        # What stands for a part may hold parts itself.
        for _ in range(2):
            for word, said in self._words.items():
                sql = sql.replace(word, said)
        return sql


@cache
def _statements() -> dict[str, str]:
    return migrate.statements("clickhouse", "load")


def brought(session_of: Callable[[int], Session], runs: Iterable[Sequence[Batch]]) -> Generator[Load, None, None]:
    """Loads of runs of batches: while the caller stores one, the next one is brought.

    session_of  one of two sessions, which loads have in turns.
    """
    bringing: _Bringing | None = None
    try:
        for number, batches in enumerate(runs):
            load = None if bringing is None else bringing.load()
            bringing = _Bringing(session_of(number % 2), batches)
            if load is not None:
                yield load
        if bringing is not None:
            yield bringing.load()
    finally:
        if bringing is not None:
            bringing.join()


class _Bringing(threading.Thread):
    """A load on its way. A process that ends does not wait for it: the engine may stand still."""

    def __init__(self, session: Session, batches: Sequence[Batch]):
        super().__init__(name="whodid-clickhouse-load", daemon=True)
        self._brought: Future[Load] = Future()
        self._session = session
        self._batches = batches
        self.start()

    def run(self) -> None:
        try:
            self._brought.set_result(Load(self._session, self._batches))
        except BaseException as problem:
            self._brought.set_exception(problem)

    def load(self) -> Load:
        """What was brought; raises what `Load` does."""
        return self._brought.result()

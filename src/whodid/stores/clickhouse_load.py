"""Loading batches into ClickHouse: segments read by the engine itself, each event once by its id.

A load puts frames into temporary tables of its session, looks up which of the ids are stored already, and inserts the
others by one statement, whose token is the place in the journal together with a digest of the ids. It holds the turn
to write all the while. Rows first, their position last: what a crash leaves between the two is found again by id,
receiver and running number, and counts as the write's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from whodid.journal.base import Batch
from whodid.journal.crash import point, register
from whodid.stores import clickhouse_careful, clickhouse_turns, migrate
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
    """One load, in a session whose temporary tables are its own, within a turn.

    writer  who it is that holds the turn.
    """

    def __init__(self, session: Session, turn: int, writer: str):
        self._session = session
        self._writer = writer
        self._words = {
            "{in_turn}": clickhouse_turns.condition(turn),
            "{columns}": _COLUMNS,
            "{rows}": "incoming",
        }

    def is_stored(self, batches: Sequence[Batch]) -> bool:
        """Whether every event of the batches is there."""
        survey = self._bring(batches)
        return self._look_up(survey).stored == survey.ids

    def run(self, batches: Sequence[Batch]) -> Written:
        """Store batches of one receiver, and their position."""
        place = f"{batches[0].receiver}:{batches[0].number}-{batches[-1].number}"
        survey = self._bring(batches)
        known = self._look_up(survey)
        events = known.fresh + known.own
        token = f"{place}:{known.digest}"
        point("store.before-commit")
        if known.fresh:
            self._run("add_events", insert_deduplication_token=token)
        if events and survey.with_several:
            self._run("add_entities", insert_deduplication_token=f"{token}:entities")
        rejects = self._turn_away(token) if survey.rejects else 0
        mentions = self._mentions(survey) if events else Mentions()
        point("clickhouse.rows-written")
        self._advance(batches[-1].receiver, batches[-1].number)
        return Written(events=events, duplicates=survey.rows - events, rejects=rejects, mentions=mentions)

    def _bring(self, batches: Sequence[Batch]) -> Survey:
        """Put the events of batches into the session's table `incoming`."""
        self._run("make_frames")
        for batch in batches:
            clickhouse_careful.add(self._session, batch)
        self._run("make_incoming")
        return Survey(*self._one("survey"))

    def _look_up(self, survey: Survey) -> Known:
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

    def _advance(self, receiver: str, number: int) -> None:
        self._session.run(
            _ADVANCE.format(
                receiver=quoted(receiver),
                number=number,
                writer=quoted(self._writer),
                in_turn=self._words["{in_turn}"],
            )
        )

    def _mentions(self, survey: Survey) -> Mentions:
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
        self._session.run(self._said(name), **settings)

    def _all(self, name: str) -> list[tuple[Any, ...]]:
        return self._session.rows(self._said(name))

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


def loads(batches: Sequence[Batch], size_bytes_max: int = LOAD_BYTES_MAX) -> Iterator[list[Batch]]:
    """Runs of batches of at most `size_bytes_max` bytes together; a larger batch is a run of its own."""
    run: list[Batch] = []
    size_bytes = 0
    for batch in batches:
        if run and size_bytes + batch.size_bytes > size_bytes_max:
            yield run
            run, size_bytes = [], 0
        run.append(batch)
        size_bytes += batch.size_bytes
    if run:
        yield run

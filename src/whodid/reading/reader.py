"""`whodid.open`: read a data folder or a server from Python, by the same methods."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from whodid.errors import WhodidError
from whodid.reading.filters import make_filter

if TYPE_CHECKING:
    from whodid.reading.answer import Answer, UsageAnswer
    from whodid.reading.filters import EventFilter

LIMIT_DEFAULT: Final = 10_000
When = str | date | datetime | timedelta | None


class Reader(ABC):
    """Answers from one place. Use it as a context manager, or `close` it."""

    def events(self, *, limit: int = LIMIT_DEFAULT, **filters: Any) -> Answer:
        """The events that the filters mean, newest first.

        Parameters
        ----------
        limit
            Rows at most; the answer is `truncated` when there are more.
        filters
            Fields of `reading.EventFilter`: since, until, user, group, type, level, topic, entity, session,
            parameter, text, order, cursor, …; a single value or a list. `entity` also as (type, id), `parameter`
            also as a dict. Times are text (`7d`, ISO 8601), a date, a datetime (without zone: UTC), or a timedelta: so
            long ago.

        Raises
        ------
        WhodidError("invalid")
            A filter cannot be read; the message says which.
        """
        return self._events(make_filter(limit=limit, **filters))

    def activity(
        self,
        *,
        entity: str | tuple[str, str] | None = None,
        user: str | None = None,
        since: When = None,
        until: When = None,
        limit: int = LIMIT_DEFAULT,
        cursor: str | None = None,
    ) -> Answer:
        """What was done to an entity or by a user, newest first; the last 7 days unless `since` says otherwise."""
        _one_subject(entity, user)
        return self._activity(
            make_filter(entity=entity, user=user, since=since, until=until, limit=limit, cursor=cursor)
        )

    def usage(
        self,
        *,
        entity: str | tuple[str, str] | None = None,
        user: str | None = None,
        since: When = None,
        until: When = None,
    ) -> UsageAnswer:
        """How much an entity was used, or what a user used; the last 7 days unless `since` says otherwise."""
        _one_subject(entity, user)
        return self._usage(make_filter(entity=entity, user=user, since=since, until=until))

    @abstractmethod
    def query(
        self,
        sql: str,
        params: Sequence[Any] | dict[str, Any] | None = None,
        *,
        limit: int = LIMIT_DEFAULT,
        timeout_ms: int = 30_000,
    ) -> Answer:
        """The answer to one SELECT on `events` (`whodid.events` in PostgreSQL).

        Raises
        ------
        WhodidError("invalid")
            It is no single SELECT, or the engine does not understand it.
        WhodidError("forbidden")
            It reaches for anything but events.
        WhodidError("timeout")
            It was stopped after `timeout_ms`.
        """

    @abstractmethod
    def report(self, name: str, **parameters: Any) -> Answer:
        """The answer of a report."""

    @abstractmethod
    def reports(self) -> list[dict[str, Any]]:
        """The reports there are: name, title, parameters."""

    @abstractmethod
    def dataset(
        self, name: str, *, partitions: Sequence[str] = (), limit: int | None = None, refresh: bool = False
    ) -> Answer:
        """The records of a dataset, read where its files lie.

        Parameters
        ----------
        partitions
            Their names, such as "design|2026-11-20"; all of them without any.
        limit
            Rows at most; the answer is `truncated` when there are more, or more than can be read at once.
        refresh
            Look at the files anew instead of using a listing of the last minute.

        Raises
        ------
        WhodidError("not_found")
            There is no such dataset or partition, or you may not use its connection.
        WhodidError("unavailable")
            Temporary: the place of its files does not answer.
        """

    @abstractmethod
    def partitions(self, name: str, *, refresh: bool = False) -> list[dict[str, Any]]:
        """The partitions of a dataset: name, dimensions, begins_at, files, size_bytes. Raises as `dataset`."""

    @abstractmethod
    def rejects(self, *, limit: int = 100, offset: int = 0) -> Answer:
        """What was rejected and kept, the latest first."""

    @abstractmethod
    def status(self) -> dict[str, Any]:
        """How it stands: journal, store, lag."""

    @abstractmethod
    def follow(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """Events as they come in, without end. What a reader was too slow for is left out."""

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def _events(self, wanted: EventFilter) -> Answer: ...

    @abstractmethod
    def _activity(self, wanted: EventFilter) -> Answer: ...

    @abstractmethod
    def _usage(self, wanted: EventFilter) -> UsageAnswer: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open(path_or_url: str | os.PathLike[str], key: str | None = None, *, store: str | None = None) -> Reader:
    """A reader of a data folder or of a server.

    Parameters
    ----------
    path_or_url
        A data folder, or the http(s) URL of a server. A folder that a server owns is asked through that server.
    key
        With a URL: the key to read with.
    store
        With a folder: the store that belongs to it, if that is not the embedded one.

    Raises
    ------
    WhodidError("not_found")
        There is no data at this path.
    WhodidError("conflict")
        Another process that answers no questions, such as an import, owns the folder.
    WhodidError("unavailable")
        Temporary: the server or the store cannot be reached.
    """
    place = os.fspath(path_or_url)
    if place.startswith(("http://", "https://")):
        return _remote(place, key)
    return _local(Path(place), store)


def _remote(url: str, key: str | None) -> Reader:
    from whodid.reading.remote import RemoteReader

    return RemoteReader(url, key)


def _local(folder: Path, store: str | None) -> Reader:
    from whodid.config import Config
    from whodid.engine import Engine, data_folder
    from whodid.journal.lock import owner
    from whodid.reading.local import LocalReader

    data_folder(folder)
    found = owner(folder)
    if found is not None and found.url is not None:
        return _remote(found.url, found.key)
    given = {"data": str(folder), "store": store}
    config = Config(**{name: value for name, value in given.items() if value is not None})
    engine = Engine.open(config).worked_by_hand()
    try:
        engine.flush()
    except BaseException:
        engine.close()
        raise
    reader = LocalReader(engine)
    reader.close_with_the_program()
    return reader


def _one_subject(entity: object, user: object) -> None:
    if (entity is None) == (user is None):
        raise WhodidError("invalid", "Name either an entity or a user.", "For example entity='query:q-17'.")

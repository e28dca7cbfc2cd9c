"""Everything but HTTP: journal, store, writer and directory on one locked data folder.

    journal ─► writer ─► store (DuckDB | PostgreSQL)
    (segments)   ├─────► directory (SQLite | PostgreSQL)
                 └─────► dispatch ─► targets

The server has one engine; the command line opens one when no server owns the folder.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec
from xxhash import xxh3_64_hexdigest

from whodid.config import Config
from whodid.datasets.connections import Connections
from whodid.datasets.dataset import Datasets
from whodid.datasets.dataset_import import DatasetImports
from whodid.datasets.extensions import Extensions
from whodid.datasets.listing import Listings
from whodid.datasets.sinks import SharedJournalSink
from whodid.directory import Directory
from whodid.directory.database import ACTING_SESSION
from whodid.directory.sealed import Sealer
from whodid.dispatch.targets import Targets
from whodid.errors import WhodidError
from whodid.event import Event, parameters_of
from whodid.journal.base import Draft
from whodid.journal.disk import DiskJournal
from whodid.journal.lock import FolderLock
from whodid.plugins import JOURNALS, STORES, load
from whodid.policy.live import Policies
from whodid.receive.asking import Asking
from whodid.receive.nodes import NodeBook
from whodid.receive.presence import Presence
from whodid.retention.keeper import Keeper
from whodid.stores.base import Store
from whodid.stores.stream_writers import StreamWriters
from whodid.stores.writer import StoreWriter

if TYPE_CHECKING:
    from whodid.beside import Beside
    from whodid.journal.kafka import KafkaJournal

# Many loads of one import mention the same: the directory is told of so many seconds' loads at once.
_BULK_SETTLE_S: Final = 10.0


class Engine:
    """The parts behind the doors: journal, store, writer, directory, on one locked data folder."""

    def __init__(
        self,
        config: Config,
        lock: FolderLock,
        journal: DiskJournal | KafkaJournal,
        store: Store,
        directory: Directory,
        settle_s: float = 0.0,
    ):
        self.config = config
        self.lock = lock
        self.journal = journal
        self.store = store
        self.directory = directory
        self.writer = _writer_of(journal, store, directory, settle_s)
        self.system_user: str | None = None
        """The account of this machine that works on the folder by hand; None for a server, which cannot know."""
        self.policies = Policies(directory)
        self.dispatch = Targets(
            journal=journal,
            store=store,
            directory=directory,
            sealer=Sealer(config.data_path, config.secret_key),
            folder=config.data_path / "dispatch",
            backlog_bytes_max=config.dispatch_backlog_bytes_max,
            disk_free_bytes_min=config.disk_free_bytes_min,
            hash_key=lambda: self.policies.counts.hash_key(make=True),
            record=self.record,
        )
        self.writer.on_stored = self.dispatch.dispatcher.stored
        self.sealer = Sealer(config.data_path, config.secret_key)
        self.datasets = Datasets(directory, Connections(directory, self.sealer))
        self.extensions = Extensions(
            directory,
            self.datasets,
            self.dispatch,
            folder=config.data_path.absolute() / "exports",
            connection=config.audit_connection,
        )
        self.nodes = NodeBook(
            directory,
            silent_s=config.node_silent_s,
            quiet_s=config.node_quiet_s,
            on_api=self.extensions.api_node_seen,
        )
        self.asking = Asking()
        self.presence = Presence(
            directory,
            store,
            journal,
            self.writer,
            self.dispatch.dispatcher,
            kind=journal.kind,
            folder=config.data_path,
            name=config.receiver_name,
            silent_s=config.receiver_silent_s,
            asking=self.asking,
        )
        self.retention = Keeper(store, directory, owner=journal.receiver, record=self.record)
        self.listings = Listings(config.data_path / "listings")
        self.dataset_imports = DatasetImports(
            lambda: SharedJournalSink(self.journal, self.writer, self.store), config.data_path / "imports" / "files.db"
        )

    @cached_property
    def beside(self) -> Beside:
        """Schedules and alerts. Made when they are asked for: what they need to tell of events takes time to load."""
        from whodid.beside import Beside

        return Beside(
            store=self.store,
            directory=self.directory,
            connections=self.datasets.connections,
            sealer=self.sealer,
            server=self.journal.receiver,
            record=self.record,
            standing=self._standing,
            public_url=self.config.public_url,
        )

    @classmethod
    def open(cls, config: Config, *, bulk: bool = False, **owner: Any) -> Self:
        """Lock the data folder, recover its journal, open its store.

        bulk  for few large loads, which cost less, instead of letting events be found at once.

        Raises
        ------
        WhodidError("conflict")
            Another process owns the folder; the message names it.
        WhodidError("unavailable")
            Temporary: the store cannot be reached.
        """
        folder = config.data_path
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        opened: list[Callable[[], None]] = []
        try:
            lock = FolderLock.acquire(folder, **owner)
            opened.append(lock.release)
            journal = open_journal(config)
            opened.append(journal.close)
            store = open_store(config, bulk=bulk)
            opened.append(store.close)
            directory = open_directory(config)
            opened.append(directory.close)
            engine = cls(config, lock, journal, store, directory, _BULK_SETTLE_S if bulk else 0.0)
            directory.on_change = engine.record
            engine.dispatch.dispatcher.prepare()
            engine.writer.start()
        except BaseException:
            for close in reversed(opened):
                close()
            raise
        return engine

    def worked_by_hand(self) -> Self:
        """Tell with each event of whodid's own which account of this machine it was."""
        try:
            self.system_user = getpass.getuser()
        except (OSError, KeyError):
            self.system_user = "unknown"
        return self

    def record(self, event: Event) -> None:
        """Make an event of whodid's own durable: changes of settings, readings of the audit."""
        if self.system_user is not None:
            told = {**parameters_of(event), "system_user": self.system_user}
            event = msgspec.structs.replace(event, parameters=msgspec.Raw(msgspec.json.encode(told)))
        if event.session is None and (session := ACTING_SESSION.get()) is not None:
            event = msgspec.structs.replace(event, session=session)
        self.journal.append_blocking(
            Draft(received_at=datetime.now(UTC), events=msgspec.json.encode([event]), count=1, format="native")
        )

    def _standing(self) -> dict[str, Any]:
        parts: dict[str, Any] = {
            "journal": self.journal,
            "writer": self.writer,
            "targets": self.dispatch.dispatcher,
        }
        return {name: msgspec.to_builtins(part.status()) for name, part in parts.items()}

    def flush(self, timeout_s: float = 60.0) -> None:
        """Return when everything appended before this call is stored.

        Raises
        ------
        WhodidError("timeout")
            Temporary: the store has not come so far within `timeout_s` seconds.
        """
        self.writer.flush(timeout_s)

    def close(self) -> None:
        """Store what was accepted, then let go of everything, in the order of the way of an event.

        Raises the last of what goes wrong, when everything else is closed.
        """
        steps: list[Callable[[], object]] = [
            *([self.beside.close] if "beside" in self.__dict__ else []),
            self.nodes.close,
            self.retention.close,
            self.policies.close,
            self.dataset_imports.close,
            *([self.journal.seal] if isinstance(self.journal, DiskJournal) else []),
            partial(self.writer.close, self.config.drain_ms / 1_000),
            self.dispatch.dispatcher.close,
            self.presence.close,
            self.asking.close,
            self.journal.close,
            self.directory.close,
            self.store.close,
            self.lock.release,
        ]
        with ExitStack() as rest:
            # It begins with the one that came last, and leaves out none when another fails.
            for step in reversed(steps):
                rest.callback(step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_journal(config: Config) -> DiskJournal | KafkaJournal:
    """The journal that `config.journal` names, for the data folder `config.data`."""
    kind = str(config.journal).partition("://")[0]
    limits = {
        "segment_bytes_max": config.segment_bytes_max,
        "segment_age_ms_max": config.segment_age_ms_max,
        "backlog_bytes_max": config.backlog_bytes_max,
        "disk_free_bytes_min": config.disk_free_bytes_min,
    }
    implementation = load(JOURNALS, kind)
    folder = config.data_path / "journal"
    if kind == "disk":
        on_disk: DiskJournal = implementation(folder, **limits)
        return on_disk
    shared: KafkaJournal = implementation(config.journal, folder, group=_group_of(config), **limits)
    return shared


def _group_of(config: Config) -> str:
    """What those have in common who store into the same store; nothing for one that no other process can open."""
    if store_kind(config) == "duckdb":
        return ""
    return f"whodid-{xxh3_64_hexdigest(str(config.store).rpartition('@')[2].encode())}"


def _writer_of(
    journal: DiskJournal | KafkaJournal, store: Store, directory: Directory, settle_s: float
) -> StoreWriter | StreamWriters:
    """What stores a journal's events."""
    if isinstance(journal, DiskJournal):
        return StoreWriter(journal, store, directory, settle_s=settle_s)
    return StreamWriters(journal, store, directory, settle_s=settle_s)


def open_store(config: Config, *, bulk: bool = False) -> Store:
    """The store that `config.store` names, for the data folder `config.data`; `bulk` for few large loads."""
    kind = store_kind(config)
    implementation = load(STORES, kind)
    if kind != "duckdb":
        shared: Store = implementation(config.store)
        return shared
    embedded: Store = implementation(
        config.data_path / "events.duckdb",
        journal_path=config.data_path / "journal",
        threads=config.duckdb_threads,
        memory_bytes_max=config.duckdb_memory_bytes_max,
        bulk=bulk,
    )
    return embedded


def store_kind(config: Config) -> str:
    """`duckdb`, `postgresql` or `clickhouse`: the scheme of `config.store`."""
    scheme = str(config.store).partition("://")[0]
    return {"postgres": "postgresql", "chdb": "clickhouse"}.get(scheme, scheme)


def open_directory(config: Config) -> Directory:
    """The directory of `directory_url`, its tables made where a PostgreSQL holds nothing but settings."""
    url = directory_url(config)
    if config.directory and url != str(config.store) and url.startswith("postgres"):
        # It shares tables with the store of that engine, whose migrations make them.
        load(STORES, "postgresql")(url).close()
    return Directory.open(url)


def directory_url(config: Config) -> str:
    """Where the settings live: where `config.directory` says, else in the store's PostgreSQL, else in SQLite."""
    if config.directory:
        return str(config.directory)
    if store_kind(config) == "postgresql":
        return str(config.store)
    return f"sqlite:///{config.data_path.absolute() / 'settings.db'}"


def data_folder(path: str | Path) -> Path:
    """The data folder at `path`, which has to exist.

    Raises
    ------
    WhodidError("not_found")
        There is no folder, or it holds no whodid data.
    """
    folder = Path(path)
    if not (folder / "journal").is_dir():
        raise WhodidError(
            "not_found",
            f"{folder} holds no whodid data.",
            "Name the data folder with --data, or start with: whodid serve",
        )
    return folder

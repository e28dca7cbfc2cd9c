"""What the web application works with, and how its handlers ask the parts that block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, ParamSpec, Protocol, TypeVar

import anyio
import anyio.to_thread

from whodid.beside import Beside
from whodid.config import Config
from whodid.datasets.dataset import Datasets
from whodid.datasets.dataset_import import DatasetImports
from whodid.datasets.extensions import Extensions
from whodid.datasets.listing import Listings
from whodid.directory import Directory
from whodid.dispatch.targets import Targets
from whodid.errors import WhodidError
from whodid.event import Event
from whodid.policy.live import Policies
from whodid.reading.together import Together
from whodid.receive.access import Access
from whodid.receive.asking import Asking
from whodid.receive.presence import Presence
from whodid.retention.keeper import Keeper
from whodid.stores.base import Store
from whodid.stores.priority import give_way

THREADS: Final = 8
WAITING_MAX: Final = 100

P = ParamSpec("P")
T = TypeVar("T")


class Reporting(Protocol):
    """A part that tells how it stands."""

    def status(self) -> Any: ...


@dataclass(kw_only=True)
class Services:
    """The parts behind the web application.

    record   makes an event of whodid's own durable; it blocks.
    counted  what foreign clients sent that is counted instead of stored, by client and kind.
    provider the identity provider, once somebody signed in there.
    asking   asks the parts how they stand, with one bound for all of them.
    together the store, for the tiles of pages: those asked within a moment share what they are made of.
    closing  the server is about to stop: what answers without end has to end.
    """

    config: Config
    store: Store
    directory: Directory
    journal: Any
    writer: Reporting
    access: Access
    record: Callable[[Event], None]
    policies: Policies
    dispatch: Targets
    datasets: Datasets
    listings: Listings
    dataset_imports: DatasetImports
    retention: Keeper
    beside: Beside
    extensions: Extensions
    presence: Presence
    asking: Asking = field(default_factory=Asking)
    counted: Callable[[], Mapping[tuple[str, str], int]] = dict
    closing: bool = False
    provider: Any = None
    threads: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(THREADS))
    together: Together = field(init=False)

    def __post_init__(self) -> None:
        self.together = Together(self.store)

    @classmethod
    def of(cls, engine: Any, access: Access, **more: Any) -> Services:
        """The services of an engine (`whodid.engine.Engine`), behind `access`."""
        names = [name for name in cls.__dataclass_fields__ if hasattr(engine, name) and name not in more]
        return cls(access=access, **{name: getattr(engine, name) for name in names}, **more)

    async def call(self, work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """Run what blocks in a thread; at most `THREADS` at once.

        Raises
        ------
        WhodidError("busy")
            Temporary: `WAITING_MAX` requests wait for a thread already.
        """
        if self.threads.statistics().tasks_waiting >= WAITING_MAX:
            raise WhodidError("busy", "Too many questions at once.", "Ask again in a moment.", retry_after_s=1)
        return await anyio.to_thread.run_sync(partial(_behind, work, *args, **more), limiter=self.threads)


def _behind(work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
    """Run in a thread that gives way to the one that answers: on a busy processor, too, a page begins at once."""
    give_way()
    return work(*args, **more)

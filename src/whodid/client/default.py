"""The Logger of pieces that were not given one."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from whodid.client.settings import SERVER_VARIABLE
from whodid.client.stats import log
from whodid.errors import WhodidError

if TYPE_CHECKING:
    from whodid.client.logger import Logger

_lock = threading.Lock()
_chosen: Logger | None = None
_warned = False


def default_logger() -> Logger | None:
    """The Logger that was made default, else one made from `WHODID_SERVER` and its kin, else None (said once)."""
    if _chosen is not None:
        return _chosen
    if not os.environ.get(SERVER_VARIABLE):
        _warn(f"make a Logger and call use(logger), or set {SERVER_VARIABLE}.")
        return None
    try:
        return _from_environment()
    except WhodidError as error:
        _warn(f"{error.message} {error.hint or ''}".strip())
        return None


def use(logger: Logger | None) -> Logger | None:
    """Make `logger` the one of pieces that were not given one, such as `@audited`. Returns the one before."""
    global _chosen
    with _lock:
        before, _chosen = _chosen, logger
    return before


def _warn(why: str) -> None:
    global _warned
    if not _warned:
        _warned = True
        log.warning("Nothing is logged to whodid: %s", why)


def _from_environment() -> Logger:
    from whodid.client.logger import Logger

    global _chosen
    with _lock:
        if _chosen is None:
            _chosen = Logger()
        return _chosen

"""What takes seconds when it is used first is fetched in the background, as soon as somebody opens a page.

Not at the start: a server that only collects needs none of it, and would be ready later and larger.
"""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from whodid.errors import WhodidError
from whodid.web.pages.assets import charts_bundle

# Loaded by the first question about ways of working, drift or predictions; they belong to the extra `analysis`.
ANALYSIS: Final = ("whodid.analysis.drift", "whodid.analysis.clusters")
_log = logging.getLogger("whodid.web")


class Warmth:
    """Makes the chart library and loads what analyses need, once, each in a thread.

    folder  of the server's cache.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._begun: set[str] = set()
        self._lock = threading.Lock()

    def charts(self) -> None:
        """Somebody will look at charts soon."""
        self._begin("charts", lambda: charts_bundle(self._folder))

    def analysis(self) -> None:
        """Somebody looks at reports."""
        self._begin("analysis", _load)

    def _begin(self, name: str, work: Callable[[], object]) -> None:
        with self._lock:
            if name in self._begun:
                return
            self._begun.add(name)
        threading.Thread(target=_quietly, args=(work,), name=f"whodid-warm-{name}", daemon=True).start()


def _load() -> None:
    for name in ANALYSIS:
        with suppress(ImportError):
            importlib.import_module(name)


def _quietly(work: Callable[[], object]) -> None:
    try:
        work()
    except WhodidError as error:
        _log.warning("%s Charts stay tables.", error.message)

"""The thread that posts what is first in line, waits between tries, and keeps the server's policy at hand."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Final

from whodid.client.backoff import Backoff
from whodid.client.delivery import Delivery, Outcome, Verdict
from whodid.client.line import Batch, Line
from whodid.client.policy import Policies
from whodid.client.settings import Settings
from whodid.client.stats import Counters
from whodid.client.transport import Transport

# How often it looks for batches of a process that has ended.
ADOPT_EVERY_S: Final = 30.0
_CLOSING_STEP_S: Final = 0.05


class Shift:
    """From a start of the threads to their end: what they are told meanwhile."""

    def __init__(self) -> None:
        self.closing = False
        self.close_by = 0.0
        # They did not end in time: others have taken over, and what they still hold is no longer theirs.
        self.abandoned = False
        self.kicked = False

    @property
    def is_over(self) -> bool:
        return self.closing and time.monotonic() >= self.close_by


class Sender:
    """Sends for one shift.

    is_drained  tells whether nothing more will come into the line.
    """

    def __init__(
        self,
        settings: Settings,
        line: Line,
        policies: Policies,
        counters: Counters,
        shift: Shift,
        is_drained: Callable[[], bool],
    ):
        self._settings = settings
        self._line = line
        self._policies = policies
        self._counters = counters
        self._shift = shift
        self._is_drained = is_drained
        self._transport = Transport(
            settings.url, settings.key, timeout_s=settings.request_timeout_ms / 1000, tls=settings.tls
        )
        self._delivery = Delivery(self._transport, line.spool, counters)
        self._backoff = Backoff(settings.retry_min_ms / 1000, settings.retry_max_ms / 1000)
        self._adopted_at = -ADOPT_EVERY_S
        self.interval_s = settings.flush_interval_ms / 1000

    def run(self) -> None:
        """Send until the shift is closed and the line is empty, or can be left to others."""
        self._adopt()
        while not self._shift.abandoned:
            self._refresh()
            batch = self._line.head()
            if batch is None:
                if self._shift.closing and self._is_drained() and not len(self._line):
                    return
                self._idle()
            elif not self._try(batch):
                return

    def close(self) -> None:
        self._transport.close()

    def _idle(self) -> None:
        wait_s = _CLOSING_STEP_S if self._shift.closing else ADOPT_EVERY_S
        if self._settings.policy:
            wait_s = min(wait_s, max(0.01, self._policies.due_s()))
        with self._line.changed:
            if not len(self._line):
                self._line.changed.wait(wait_s)
        self._adopt()

    def _try(self, batch: Batch) -> bool:
        """One try to send a batch, and the wait when it fails. Returns whether to go on."""
        try:
            body = self._line.body(batch)
        except OSError as error:
            self._counters.add(dropped=batch.count)
            self._counters.report("spool-lost", "A batch of the spool cannot be read, and is lost: %s.", error)
            self._line.done(batch)
            return True
        outcome = self._delivery.deliver(batch, body)
        if self._shift.abandoned:
            return False
        if outcome.verdict is Verdict.SETTLED:
            self._is_back()
            self._line.done(batch)
            return True
        self._counters.add(retries=1)
        self._is_away(outcome)
        is_safe = self._line.to_disk()
        if self._shift.closing and is_safe and self._line.spool is not None:
            return False
        self._wait(outcome)
        return not self._shift.is_over

    def _is_away(self, outcome: Outcome) -> None:
        self._line.away = True
        kept = "kept on disk" if self._line.spool is not None else "kept in memory, as far as there is room"
        if outcome.verdict is Verdict.REFUSED:
            text = "The server %s refuses every event: %s They are %s until that is mended."
        else:
            text = "The server %s does not take events: %s. They are %s and will be sent later."
        self._counters.report(outcome.verdict.value, text, self._settings.url, outcome.reason, kept)

    def _is_back(self) -> None:
        if self._line.away:
            self._line.away = False
            self._backoff.reset()
            for verdict in (Verdict.LATER, Verdict.REFUSED):
                self._counters.mended(verdict.value, "The server %s takes events again.", self._settings.url)

    def _wait(self, outcome: Outcome) -> None:
        """Until the next try. A flush cuts it short, but not what the server asked for."""
        if outcome.verdict is Verdict.REFUSED:
            wait_s = outcome.wait_s or self._settings.refused_pause_ms / 1000
        else:
            wait_s = self._backoff.next_s(outcome.wait_s)
        shift = self._shift
        deadline = time.monotonic() + wait_s
        with self._line.changed:
            while (left_s := deadline - time.monotonic()) > 0:
                if shift.abandoned or (shift.kicked and outcome.wait_s is None):
                    break
                if shift.closing:
                    left_s = min(left_s, shift.close_by - time.monotonic())
                    if left_s <= 0 or self._line.spool is not None:
                        break
                self._line.changed.wait(left_s)
            shift.kicked = False

    def _adopt(self) -> None:
        if self._line.spool is None or time.monotonic() - self._adopted_at < ADOPT_EVERY_S:
            return
        self._adopted_at = time.monotonic()
        try:
            self._line.adopt()
        except OSError as error:
            self._counters.report("adopt", "What an ended process left in the spool cannot be read: %s.", error)

    def _refresh(self) -> None:
        if not self._settings.policy or self._line.away or self._shift.closing or self._policies.due_s() > 0:
            return
        with contextlib.suppress(OSError):
            self._policies.refresh(self._transport)
        policy = self._policies.applied.get(None)
        interval_ms = policy.flush_interval_ms if policy else None
        timeout_ms = policy.request_timeout_ms if policy else None
        self.interval_s = (interval_ms or self._settings.flush_interval_ms) / 1000
        self._transport.timeout_s = (timeout_ms or self._settings.request_timeout_ms) / 1000

"""The policy in step with the directory: what the gate applies, what clients are told, counts, ends of captures."""

from __future__ import annotations

import logging
import threading
from datetime import datetime
from typing import Any, Final

from whodid.directory import Directory
from whodid.directory.database import now
from whodid.directory.sessions import IDLE_MS
from whodid.errors import WhodidError
from whodid.policy.capture import Capture
from whodid.policy.capture_rows import write_row
from whodid.policy.captures import CaptureBook, NewCapture
from whodid.policy.compiling import Members, compiled
from whodid.policy.counts import Count, CountBook
from whodid.policy.gate import Compiled, Gate
from whodid.policy.plan import hashed
from whodid.policy.rule import Rule, RuleFields, Seen
from whodid.policy.rules import ANYWHERE, Place, RuleBook
from whodid.policy.wire import wire_of

LOOK_S: Final = 0.25
COUNT_S: Final = 1.0
WIRES_MAX: Final = 1_000

_log = logging.getLogger("whodid.policy")


class Policies:
    """Rules and captures of a directory, ready to be applied by `gate`.

    Methods block, but for `wire` and what the gate does. `watch` keeps them in step with what other processes change
    (half a second at most), writes counts down and ends captures; without it `refresh` does so once.
    """

    def __init__(self, directory: Directory):
        self.gate = Gate()
        self.rules = RuleBook(directory)
        self.captures = CaptureBook(directory)
        self.counts = CountBook(directory)
        self._directory = self.directory = directory
        self._snapshot: Any = None
        self._refreshing = threading.Lock()
        self._writing_counts = threading.Lock()
        self._running: list[Capture] = []
        self._known: tuple[list[Rule], list[Capture]] = ([], [])
        self._written: dict[str, int] = {}
        self._shown: dict[str, int] = {}
        self._wires: dict[Any, dict[str, Any]] = {}
        self._stopped = threading.Event()
        self._watcher: threading.Thread | None = None

    def refresh(self) -> None:
        """Apply what the directory says now. Raises WhodidError("unavailable"); then what was known goes on."""
        with self._refreshing:
            self._directory.refresh()
            self._compile()

    def compiled(self, rules: list[Rule], captures: list[Capture] | None = None) -> Compiled | None:
        """What rules come to; hashes are made where one of them wants that."""
        wants_key = any(rule.hashed for rule in rules if rule.enabled)
        key = self.counts.hash_key(make=True) if wants_key else b""
        return compiled(rules, captures or [], Members(self._directory), key)

    def wire(self, user: str | None) -> dict[str, Any]:
        """What a client is told for what this user does."""
        current = self.gate.current
        if current is None:
            return _NOTHING
        plan = current.plan_of(user)
        at = now()
        captures = [
            each.capture
            for each in current.captures
            if each.is_of(user) and at < each.capture.ends_at and self.gate.left(each.capture.id) > 0
        ]
        name = (plan, *(capture.id for capture in captures))
        wires = self._wires
        found = wires.get(name)
        if found is None:
            if len(wires) >= WIRES_MAX:
                wires.clear()
            found = wires[name] = wire_of(plan, captures)
        return found

    def create(self, name: str, fields: RuleFields, place: Place = ANYWHERE, **how: Any) -> Rule:
        """Make a rule; it counts when this returns. Raises as `RuleBook.create`."""
        rule = self.rules.create(name, fields, place, **how)
        self.refresh()
        return rule

    def change(self, which: str, fields: RuleFields, **how: Any) -> Rule:
        """Change a rule; it counts when this returns. Raises as `RuleBook.change`."""
        rule = self.rules.change(which, fields, **how)
        self.refresh()
        return rule

    def move(self, which: str, place: Place, *, by: str | None = None) -> Rule:
        """Move a rule; it counts when this returns. Raises as `RuleBook.move`."""
        rule = self.rules.move(which, place, by=by)
        self.refresh()
        return rule

    def delete(self, which: str, *, by: str | None = None) -> Rule:
        """Delete a rule; it counts when this returns. Raises not_found."""
        rule = self.rules.delete(which, by=by)
        self.refresh()
        return rule

    def start(self, new: NewCapture, *, by: str | None = None, seen: Seen = lambda names: ()) -> Capture:
        """Start a capture; it runs when this returns. Raises as `CaptureBook.start`.

        An anonymous one has to have something to add: what the policy keeps is never made anonymous.
        """
        if new.anonymous:
            self._refuse_nothing_to_add(new)
        capture = self.captures.start(new, by=by, seen=seen)
        self.refresh()
        return capture

    def stop(self, which: str, *, by: str | None = None) -> Capture:
        """End a capture. Raises not_found, conflict."""
        capture = self.captures.running(which)
        self.write_counts()
        ended = self.captures.stop(capture.id, events=self.count(capture.id).events, by=by)
        self.refresh()
        return ended

    def hash(self, value: Any) -> str:
        """What stands for a value in parameters that are hashed. Raises conflict when none ever was."""
        key = self.counts.hash_key(make=False)
        if not key:
            raise WhodidError("conflict", "No parameter was ever hashed here.", "A rule says which: --hash NAME")
        return hashed(value, key)

    def count(self, name: str) -> Count:
        """The count of a rule or a capture by its id, of all servers."""
        return self.counts.all().get(name, Count())

    def watch(self) -> None:
        """Keep in step from now on, until `close`."""
        if self._watcher is None:
            self.refresh()
            self._watcher = threading.Thread(target=self._watch, name="whodid-policy", daemon=True)
            self._watcher.start()

    def close(self) -> None:
        """Write down what was counted."""
        self._stopped.set()
        if self._watcher is not None:
            self._watcher.join()
        try:
            self.write_counts()
        except WhodidError as error:
            _log.warning("Counts of filtered events could not be written: %s", error.message)

    def write_counts(self) -> None:
        """Write down what was counted since the last time. Raises WhodidError("unavailable"); then nothing is lost.

        When this returns all of it is written, also what another thread is at.
        """
        with self._writing_counts:
            taken = self.gate.take_counts()
            rows = dict(taken.filtered) | {name: (events, 0) for name, events in taken.captured.items()}
            try:
                self.counts.add(rows)
            except BaseException:
                self.gate.give_back(taken)
                raise
            for name, events in taken.captured.items():
                self._written[name] = self._written.get(name, 0) + events

    def end_captures(self) -> None:
        """End the captures whose time is over or that are full; tell the gate how many events the others may take."""
        if not self._running:
            return
        with self._writing_counts:
            at, counts, written = now(), self.counts.all(), dict(self._written)
        limits: dict[str, int] = {}
        for capture in self._running:
            total = counts.get(capture.id, Count()).events
            if at >= capture.ends_at:
                self._end(capture, "time", capture.ends_at, total)
            elif total >= capture.events_max:
                self._end(capture, "events", at, total)
            else:
                # What other servers took; this one counts its own as it takes them.
                limits[capture.id] = capture.events_max - (total - written.get(capture.id, 0))
                if self._shown.get(capture.id, 0) != total:
                    write_row(self._directory, capture, total)
                    self._shown[capture.id] = total
        self.gate.allow(limits)

    def _end(self, capture: Capture, why: str, at: datetime, events: int) -> None:
        try:
            self.captures.end(capture, why, at, events=events)
        except WhodidError as error:
            # Another server ended it at the same moment.
            if error.code != "conflict":
                raise

    def _compile(self) -> None:
        snapshot = self._directory.snapshot
        if snapshot is self._snapshot:
            return
        rules, running = self.rules.list.remembered(), list(self.captures.remembered())
        # Most changes of the directory are of other things; who is in a group may be any of them.
        groups = any(each.group for each in rules) or any(each.group for each in running)
        if self._snapshot is not None and not groups and (rules, running) == self._known:
            self._snapshot = snapshot
            return
        current = self.compiled(rules, running)
        self._known, self._running = (rules, running), running
        self._wires = {}
        self.gate.current = current
        self._directory.session_idle_ms = _idle_ms(rules)
        self._snapshot = snapshot
        self.end_captures()

    def _refuse_nothing_to_add(self, new: NewCapture) -> None:
        kept = [rule for rule in self.rules.read().items if rule.enabled]
        if not any(rule.level != "verbose" or rule.switched_off or rule.sampling for rule in kept):
            raise WhodidError(
                "invalid",
                "No rule leaves anything out, so an anonymous capture has nothing to add.",
                "What the policy keeps, it keeps with who did it. Make a rule first that leaves these types out: "
                "whodid policy create --help",
            )

    def _watch(self) -> None:
        counted_s, reachable = 0.0, True
        while not self._stopped.wait(LOOK_S):
            try:
                self.refresh()
                counted_s += LOOK_S
                if counted_s >= COUNT_S or self._is_full():
                    counted_s = 0.0
                    self.write_counts()
                self.end_captures()
                reachable = True
            except WhodidError as error:
                if reachable:
                    _log.warning("%s The policy that was known last goes on to count.", error.message)
                reachable = False
            except Exception:
                _log.exception("The policy could not be brought up to date; what was known last goes on to count.")

    def _is_full(self) -> bool:
        return any(self.gate.left(capture.id) <= 0 for capture in self._running)


_NOTHING: Final = wire_of(None)


def _idle_ms(rules: list[Rule]) -> int:
    """After which silence the server ends sessions: the longest of all rules, so that it ends none too early."""
    told = [rule for rule in rules if rule.enabled and rule.session_idle_ms is not None]
    idle = [rule.session_idle_ms or IDLE_MS for rule in told]
    return max(idle if any(rule.is_for_everyone for rule in told) else [*idle, IDLE_MS])

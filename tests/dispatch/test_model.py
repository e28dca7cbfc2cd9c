"""Any order of posting, failing, refusing, pausing, restarting and crashing: nothing is lost, nothing out of order.

After a crash the cursor on disk is any that was ever written, or none; the other side keeps what it has. A target that
holds its place itself gets everything once all the same.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from support.targets import DoubleTarget, Other, Watched, event
from whodid.errors import WhodidError
from whodid.plugins import TARGETS, Plugin

PROBLEMS = (WhodidError("unavailable", "away"), OSError("broken pipe"), WhodidError("busy", "later", retry_after_s=0))


class DispatchMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        TARGETS["double"] = Plugin("support.targets:DoubleTarget")
        DoubleTarget.OTHERS.clear()
        self.root = Path(tempfile.mkdtemp(prefix="whodid-dispatch-"))
        self.running = Watched(self.root / "data")
        self.sent: list[str] = []
        self.cursors: dict[str, list[bytes]] = {}
        self.others: dict[str, Other] = {}
        for name in ("once", "often"):
            self.others[name] = self.running.create(name)
        self.others["once"].holds = True
        self.note_cursors()

    def teardown(self) -> None:
        if hasattr(self, "running"):
            with contextlib.suppress(WhodidError):
                self.everything_arrives()
            self.running.close()
            del self.running
            shutil.rmtree(self.root)
            TARGETS.pop("double", None)

    def note_cursors(self) -> None:
        for name in self.others:
            path = self.cursor_path(name)
            if path.exists():
                self.cursors.setdefault(name, []).append(path.read_bytes())

    def cursor_path(self, name: str) -> Path:
        return self.running.data / "dispatch" / self.running.dispatch.book.row(name).id / "cursor.json"

    @rule(count=st.integers(1, 25), again=st.integers(0, 3))
    def post(self, count: int, again: int) -> None:
        events = [event() for _ in range(count)]
        self.sent += self.running.post(events)
        if again:
            self.running.post([*events[:again], fresh := event()])
            self.sent.append(fresh.id)

    @rule(name=st.sampled_from(["once", "often"]), problems=st.lists(st.sampled_from(PROBLEMS), max_size=2))
    def fail(self, name: str, problems: list[Exception]) -> None:
        self.others[name].errors = list(problems)

    @rule(name=st.sampled_from(["once", "often"]))
    def rest(self, name: str) -> None:
        self.running.dispatch.book.pause(name)
        self.sent += self.running.post(3)
        self.running.engine.flush()
        self.running.dispatch.book.resume(name)

    @rule()
    def restart(self) -> None:
        self.running.restart()
        self.note_cursors()

    @rule(which=st.integers(0, 20))
    def crash(self, which: int) -> None:
        self.note_cursors()
        paths = {name: self.cursor_path(name) for name in self.others}
        self.running.close()
        for name, path in paths.items():
            written = self.cursors.get(name, [])
            if which % (len(written) + 1):
                path.write_bytes(written[which % (len(written) + 1) - 1])
            else:
                path.unlink(missing_ok=True)
        self.running.open()

    @rule()
    def everything_arrives(self) -> None:
        self.running.settled()
        known = set(self.sent)
        once = [one for one in self.others["once"].ids if one in known]
        assert once == self.sent
        often = [one for one in self.others["often"].ids if one in known]
        assert list(dict.fromkeys(often)) == self.sent
        self.note_cursors()


DispatchMachine.TestCase.settings = settings(
    max_examples=6,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestDispatchModel = DispatchMachine.TestCase

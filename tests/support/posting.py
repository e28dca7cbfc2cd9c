"""A sender as a good client is one: it keeps its batch and sends it again, with the same ids, until it hears "yes"."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime

from support.serving import ServerProcess
from whodid.event import new_id

BATCH_EVENTS = 40

# So many are checked by a process beside the one that answers.
LARGE_BATCH_EVENTS = 100

# A sender is to keep the server busy, not the machine: what it sends is all looked for afterwards.
PAUSE_S = 0.004


class Sender(threading.Thread):
    """Posts batches to `server` (which may come and go) until `finish`; `acknowledged` holds the ids it was told of."""

    def __init__(self, server: ServerProcess, name: str, seed: int):
        super().__init__(name=name, daemon=True)
        self.server = server
        self.acknowledged: set[str] = set()
        self.attempts = 0
        self.refusals: list[int] = []
        self._chance = random.Random(seed)
        self._finish = threading.Event()

    def run(self) -> None:
        while not self._finish.wait(PAUSE_S):
            is_large = self._chance.random() < 0.1
            events = LARGE_BATCH_EVENTS if is_large else self._chance.randint(1, BATCH_EVENTS)
            batch = [self._event() for _ in range(events)]
            while not self._post(batch):
                time.sleep(0.01)

    def finish(self) -> None:
        """Send what is under way until it is acknowledged, then stop; the server has to be up."""
        self._finish.set()
        self.join(120)
        assert not self.is_alive(), "the sender is still not answered"

    def _event(self) -> dict[str, object]:
        # Every third id is random, so that the store cannot rely on ids that begin with their time.
        chance = self._chance
        identity = f"{chance.getrandbits(32):08x}-0000-4000-8000-{chance.getrandbits(48):012x}"
        return {
            "id": identity if chance.random() < 0.33 else new_id(),
            "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "type": "query-start",
            "user": f"user{chance.randrange(20)}",
            "session": f"5e550000-0000-4000-8000-{chance.randrange(50):012x}",
            "entities": [{"type": "query", "id": str(chance.randrange(100)), "name": "Q"}],
            "parameters": {"text": "x" * chance.randrange(200)},
        }

    def _post(self, batch: list[dict[str, object]]) -> bool:
        self.attempts += 1
        try:
            status, answer = self.server.request("POST", "/v1/events", batch, timeout_s=20)
        except OSError:
            return False
        if status != 200:
            self.refusals.append(status)
            return False
        assert answer["accepted"] + answer["duplicates"] == len(batch), answer
        self.acknowledged.update(str(event["id"]) for event in batch)
        return True


def assert_exactly_once(server: ServerProcess, senders: list[Sender]) -> int:
    """Everything acknowledged is stored, once, and nothing else of the type is. Returns how many events that are."""
    acknowledged: set[str] = set().union(*(sender.acknowledged for sender in senders))
    wait_until_stored(server)
    stored = [
        str(row["id"])
        for digit in "0123456789abcdef"  # an answer has a million rows at most
        for row in server.query(
            f"SELECT id FROM events WHERE type = 'query-start' AND right(CAST(id AS varchar), 1) = '{digit}'"
        )
    ]
    missing = acknowledged - set(stored)
    assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged events are lost"
    assert len(stored) == len(set(stored)), f"{len(stored) - len(set(stored))} events are doubled"
    assert set(stored) == acknowledged, f"{len(set(stored) - acknowledged)} events were never sent"
    return len(stored)


def wait_until_stored(server: ServerProcess, timeout_s: float = 60.0) -> None:
    """Return when a fresh marked event has gone the whole way: all that came before it has, too."""
    mark = {"id": new_id(), "time": datetime.now(UTC).isoformat(), "type": "marked"}
    status, answer = server.request("POST", "/v1/events", mark)
    assert status == 200, answer
    deadline = time.monotonic() + timeout_s
    while server.request("GET", f"/v1/events/{mark['id']}")[0] != 200:
        assert time.monotonic() < deadline, f"not stored within {timeout_s} s"
        time.sleep(0.05)


def wait_until_counted(server: ServerProcess, senders: list[Sender], timeout_s: float = 90.0) -> None:
    """Return when as many events are stored as were acknowledged: a mark overtakes what lies in other partitions."""
    acknowledged = len(set().union(*(sender.acknowledged for sender in senders)))
    question = {"sql": "SELECT count(*) AS n FROM events WHERE type = 'query-start'"}
    deadline = time.monotonic() + timeout_s
    while True:
        # Questions are events, too: on a busy machine brokers may leave one unanswered for a while.
        status, answer = server.request("POST", "/v1/query", question)
        if status == 200 and answer["rows"][0]["n"] >= acknowledged:
            return
        assert time.monotonic() < deadline, f"not stored within {timeout_s} s: {answer}"
        time.sleep(0.05)

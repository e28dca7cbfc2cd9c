"""What a policy costs at the door: decoding and admitting requests without rules, with 20 that leave events as they
are, and with rules that take some out or hide parameters. All in one process, in turns, so that only ratios count.

python -m bench.policy [--runs 9] [--events 20000]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.measure import Spread, row, spread
from bench.payload import Bodies
from whodid.directory import Directory
from whodid.formats.native import decode_body
from whodid.journal.disk import DiskJournal
from whodid.policy.compiling import Members, compiled
from whodid.policy.gate import Gate
from whodid.policy.rule import Rule, RuleFields, new_rule
from whodid.receive.access import LOCAL_PROGRAM, Access
from whodid.receive.ingest import Ingest

BATCHES = (1, 100, 1_000)


def rule(name: str, **fields: Any) -> Rule:
    return new_rule(name, RuleFields(**fields))


def twenty(**last: Any) -> list[Rule]:
    """19 rules for single users and one for everyone."""
    users = [rule(f"user {number}", user=f"user{number:04d}", switched_off=["viewer-*"]) for number in range(19)]
    return [*users, rule("everyone", **last)]


# What is left out of the payload by the second and third: a fifth of its events; nothing.
POLICIES: tuple[tuple[str, list[Rule]], ...] = (
    ("no rule", []),
    ("20 rules, every event kept", twenty(level="verbose", switched_off=["viewer-*", "rows-*"])),
    ("20 rules, one event in five left out", twenty(level="standard")),
    ("20 rules, one type sampled to a tenth", twenty(level="verbose", sampling={"query-start": 0.1})),
    ("20 rules, a parameter of every event left out", twenty(level="verbose", left_out=["filter"])),
    ("20 rules, a parameter of every event hashed", twenty(level="verbose", hashed=["filter"])),
)


def admitting(ingest: Ingest, gate: Gate, rules: list[Rule], bodies: Bodies, events: int) -> float:
    """Microseconds an event, from the bytes of a body to those for the journal."""
    gate.current = compiled(rules, [], Members(_NoGroups()), b"key" * 10) if rules else None
    requests = [bodies.next() for _ in range(max(1, events // bodies.batch))]
    at = datetime.now(UTC)
    begin = time.perf_counter()
    for body in requests:
        ingest.admitted(decode_body(body, "json", received_at=at), LOCAL_PROGRAM)
    return 1e6 * (time.perf_counter() - begin) / (len(requests) * bodies.batch)


class _NoGroups:
    def group_logins(self, group: str) -> list[str]:
        return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--events", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Directory.open(f"sqlite:///{name}/settings.db")
        journal = DiskJournal(
            Path(name) / "journal",
            segment_bytes_max=2**26,
            segment_age_ms_max=300,
            backlog_bytes_max=2**30,
            disk_free_bytes_min=1,
        )
        gate = Gate()
        ingest = Ingest(journal, Access(directory), gate=gate)
        print(row("µs an event, decoding included", *(f"{batch:,} a request" for batch in BATCHES), "ratio"))
        print(row("---", *("---:" for _ in BATCHES), "---:"))
        measured: dict[str, list[Spread]] = {policy: [] for policy, _ in POLICIES}
        for batch in BATCHES:
            bodies = Bodies(batch)
            runs: dict[str, list[float]] = {policy: [] for policy, _ in POLICIES}
            for _ in range(arguments.runs):
                for policy, rules in POLICIES:
                    runs[policy].append(admitting(ingest, gate, rules, bodies, arguments.events))
            for policy, values in runs.items():
                measured[policy].append(spread(values))
        first = measured["no rule"]
        for policy, spreads in measured.items():
            ratios = [f"{each.median / none.median:.2f}" for each, none in zip(spreads, first, strict=True)]
            print(row(policy, *spreads, " · ".join(ratios)))
        directory.close()
        journal.close()


if __name__ == "__main__":
    main()

"""Reports of the story asked of Spark: a program of its own, since a JVM does not go away with a fixture.

Reads what to do as JSON, answers with one line of JSON: rows by report, or why there are none; `late` is what becomes
of a question whose time is over.
"""

from __future__ import annotations

import json
import sys
from typing import Any, cast

from support.reporting import SPAN, asked, plain_rows, story_memberships
from whodid import reports
from whodid.errors import WhodidError
from whodid.reports.engines.spark import SparkEngine
from whodid.stores.base import Store


def main() -> None:
    """`url`, `table`, `settings`: the engine. `statements` are run, `questions` answered, `reports` asked."""
    given = json.loads(sys.stdin.read())
    engine = SparkEngine.open(given["url"], given["table"], given["settings"])
    for statement in given["statements"]:
        engine.session.sql(statement)
    told: dict[str, Any] = {
        "questions": [[row.asDict() for row in engine.session.sql(one).collect()] for one in given["questions"]],
        "executors": engine.session.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1,
        "texts": [engine.query("SELECT $x AS x", {"x": text}).table["x"][0].as_py() for text in given.get("texts", ())],
        "reports": {},
    }
    engine.table = given.get("cached") or given["table"]
    memberships = story_memberships()
    for name in given["reports"]:
        report = reports.report(name)
        for zone in given["zones"] if report.takes_zone else [None]:
            place = name if zone is None else f"{name} {zone}"
            try:
                answer = asked(engine, report, memberships, **({"zone": zone} if zone else {}))  # type: ignore[arg-type]
                told["reports"][place] = [answer.total, plain_rows(answer, report)]
            except WhodidError as error:
                told["reports"][place] = str(error)
    told["late"] = _late(engine)
    engine.close()
    print("ANSWER " + json.dumps(told, default=str))


def _late(engine: SparkEngine) -> str:
    """What is said of a question of several jobs whose time is over before the first of them begins."""
    asked = reports.prepare(cast("Store", engine), "origin", entity="dataset:SALES.orders_clean")
    try:
        engine.query(asked.sql, asked.params, timeout_ms=1)
    except WhodidError as error:
        return f"{error.code}: {error.message}"
    return "answered"


if __name__ == "__main__":
    assert SPAN
    main()

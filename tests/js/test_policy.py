"""The policy of a real server, applied by the Logger in Node; and asked for by a page of another origin."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.javascript import Platform

SCRIPT = """
import {{ Logger }} from '{module}';
const logger = new Logger(null, {{ url: '{url}', key: '{key}', errors: false, user: '{user}' }});
const said = (what) => console.log(JSON.stringify({{ what, stats: logger.stats, at: Date.now() }}));
logger.usage('x', {{ text: 'abcdef', secret: 1 }}, 'click');
await logger.flush();
said('ready');
for await (const line of console_lines()) {{
  if (line === 'until filtered') {{
    const before = logger.stats.filtered;
    while (logger.stats.filtered === before) {{
      logger.usage('x', {{}}, 'click');
      await logger.flush();
      await new Promise((done) => setTimeout(done, 100));
    }}
    said('filtered');
  }} else if (line === 'hide') {{
    logger.audit('x', {{ text: 'abcdef', secret: 1 }}, 'query-start');
    logger.audit('x', {{ text: 'abcdef', secret: 1 }}, 'user-logged-in');
    await logger.flush();
    said('hidden');
  }} else break;
}}
process.exit(0);
async function* console_lines() {{
  let rest = '';
  for await (const chunk of process.stdin) {{
    rest += chunk;
    const lines = rest.split('\\n');
    rest = lines.pop();
    yield* lines;
  }}
}}
"""


class NodeLogger:
    """A Logger in Node that does what it is told, line by line."""

    def __init__(self, node: str, folder: Path, **values: str):
        script = folder / "logger-policy.mjs"
        script.write_text(SCRIPT.format(**values))
        self._process = subprocess.Popen(
            [node, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def said(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def tell(self, what: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        return self.said()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def rules(platform: Platform) -> Iterator[Any]:
    server = platform.server

    def make(name: str, **fields: Any) -> None:
        status, made = server.request("POST", "/v1/policies", {"name": name, "accept_unknown": True, **fields})
        assert status == 201, made

    yield make
    for rule in server.request("GET", "/v1/policies")[1]["rules"]:
        server.request("DELETE", f"/v1/policies/{rule['id']}")


def test_a_change_reaches_a_logger_within_five_seconds(
    platform: Platform, node_path: str, module: Path, tmp_path: Path, rules: Any
) -> None:
    user = f"node-{time.time_ns()}"
    logger = NodeLogger(node_path, tmp_path, module=module.as_uri(), url=platform.url, key=platform.key, user=user)
    try:
        assert logger.said()["stats"]["accepted"] == 1
        rules("quiet", user=user, left_out=["secret"], truncated={"text": 3})
        begin = time.monotonic()
        told = logger.tell("until filtered")
        assert time.monotonic() - begin <= 5.5 and told["stats"]["filtered"] >= 1
        assert logger.tell("hide")["stats"]["accepted"] >= 3
    finally:
        logger.close()
    deadline = time.monotonic() + 30
    sql = f"SELECT type, parameters FROM events WHERE \"user\" = '{user}' AND type <> 'click' ORDER BY type"
    while len(rows := platform.server.query(sql)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    found = {row["type"]: row["parameters"] for row in rows}
    assert found["query-start"] == {"text": "abc…"}
    assert found["user-logged-in"] == {"text": "abcdef", "secret": 1}, "events of security go whole"


def test_a_page_of_another_origin_may_ask_for_its_policy(
    platform: Platform, context: Any, gate: Any, rules: Any
) -> None:
    rules("quiet", level="standard", session_idle_ms=60_000)
    page = context.new_page()
    page.goto(f"{gate.url}/other")
    told = page.evaluate(
        """async ([url, key]) => {
            const answer = await fetch(`${url}/v1/policy?user=page`, { headers: { authorization: `Bearer ${key}` } });
            const { switched_off, session_idle_ms } = await answer.json();
            return { status: answer.status, etag: answer.headers.get('etag'), switched_off, session_idle_ms };
        }""",
        [platform.url, platform.key],
    )
    assert told["status"] == 200 and told["etag"] and told["session_idle_ms"] == 60_000
    assert "click" in told["switched_off"]

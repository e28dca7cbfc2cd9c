"""Every link of every page leads to a page: as a reader would follow them, from the overview with several choices."""

from __future__ import annotations

import html
import re
from collections import Counter, deque
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from support.reading import event
from support.web import WebServer
from whodid import demo
from whodid.web.pages.choice import NAMES

# What a page links to, shows in place, or fetches; what forms and downloads lead to is not looked at.
_ADDRESS = re.compile(r'<(?!form)[^>]*?(?:href|src|data-source)="(/[^"]*)"(?![^>]*\sdownload)')
# Addresses that differ in what they are about alone are one kind: so many of each are followed.
FOLLOWED = 1
# Parameters that go from page to page together.
_ONE = dict.fromkeys(("range", "since", "until"), "time") | dict.fromkeys(NAMES, "condition")
BROWSER = {"accept": "text/html"}
CHOICES = ("?range=24h", "?range=all", "?user=lin.chen&project=SALES", "")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    now = datetime.now(UTC)
    running = WebServer(tmp_path_factory.mktemp("data"))
    try:
        running.store(list(demo.generate(events=4_000, days=40, seed=1, end=now)))
        # More of the last hours than a page of events shows.
        running.store([event("step", at=now, user="lin.chen") for _ in range(250)])
        yield running
    finally:
        running.close()


def kind_of(address: str) -> tuple[object, ...]:
    """What addresses of one kind have in common: the fixed parts of their path, and their parameters."""
    parts = urlsplit(address)
    names = frozenset(_ONE.get(name, name) for name, _ in parse_qsl(parts.query))
    path = parts.path.strip("/").split("/")
    fixed = path if path[0] in ("tiles", "docs", "assets") else path[:1] if path[0] != "settings" else path[:2]
    return (*fixed, len(path), names)


def test_every_link_leads_to_a_page(told: WebServer) -> None:
    followed: Counter[tuple[object, ...]] = Counter()
    waiting = deque((f"/{choice}", "") for choice in CHOICES)
    seen, broken = {address for address, _ in waiting}, []
    while waiting:
        address, source = waiting.popleft()
        answer = told.client.get(address, headers=BROWSER, follow_redirects=True)
        if answer.status_code >= 400:
            broken.append((answer.status_code, address, source))
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        for found in map(html.unescape, _ADDRESS.findall(answer.text)):
            found = found.partition("#")[0]
            followed[kind_of(found)] += found not in seen
            if found not in seen and followed[kind_of(found)] <= FOLLOWED:
                waiting.append((found, address))
            seen.add(found)
    assert not broken
    assert len(followed) > 300

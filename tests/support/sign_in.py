"""Signing in as a browser does."""

from __future__ import annotations

import json
from typing import Any

import httpx

PASSWORD = "correct horse battery staple"


ANOTHER = "seven purple elephants dance"


HTML = {"accept": "text/html"}


def sign_in(browser: httpx.Client, login: str = "ada", password: str = PASSWORD, **more: str) -> httpx.Response:
    return browser.post("/sign-in", data={"login": login, "password": password, **more})


def told(row: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(row["parameters"]))

"""The long lists of the demo's story, as data files."""

from __future__ import annotations

import functools
from importlib.resources import files
from typing import Any

import msgspec


@functools.cache
def people() -> dict[str, Any]:
    """First and last names, departments and offices with their shares."""
    return _json("people.json")


@functools.cache
def things() -> dict[str, Any]:
    """Projects, kinds of things, connections, functions, viewers and dialogs."""
    return _json("things.json")


@functools.cache
def menu_items() -> tuple[str, ...]:
    """Every item of the main menu, from left to right."""
    return tuple(_text("menu.txt").splitlines())


@functools.cache
def trace(name: str) -> str:
    """The stack trace of an error group."""
    return _text(f"traces/{name}.txt").rstrip("\n")


def _json(name: str) -> dict[str, Any]:
    return msgspec.json.decode(_text(name), type=dict[str, Any])


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")

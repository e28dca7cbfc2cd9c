"""Patterns of types, and which types they never reach."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whodid import catalogue
from whodid.policy.pattern import known_of, matches, overlap, protected, reaches_protected

WORDS = st.text("ab*-", max_size=6)
NAMES = st.text("ab-", max_size=6)


@settings(deadline=None)
@given(WORDS, NAMES)
def test_a_star_stands_for_anything_as_at_the_clients(pattern: str, name: str) -> None:
    assert matches(pattern, name) == fnmatchcase(name, pattern)


@settings(deadline=None)
@given(WORDS, WORDS, NAMES)
def test_patterns_that_mean_one_name_overlap(one: str, other: str, name: str) -> None:
    assert overlap(one, other) == overlap(other, one)
    if matches(one, name) and matches(other, name):
        assert overlap(one, other)


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        ("query-*", "*-start", True),
        ("query-*", "script-*", False),
        ("a*c", "ab*", True),
        ("a*c", "b*", False),
        ("click", "cl*", True),
        ("click", "click", True),
        ("click", "clack", False),
        ("*", "x", True),
    ],
)
def test_whether_patterns_overlap(one: str, other: str, do: bool) -> None:
    assert overlap(one, other) is do


def test_a_pattern_is_told_as_the_known_types_it_means_without_security() -> None:
    assert reaches_protected("user-*") and not reaches_protected("script-*")
    known = known_of("user-*")
    assert "user-invited" in known and "user-logged-in" not in known
    assert not protected() & set(known)


def test_security_types_are_named_once_each_and_cover_what_the_documents_list() -> None:
    documented = {
        "server-started", "user-logged-in", "user-logged-out", "user-login-failed", "user-impersonated",
        "impersonation-failed", "admin-session-started", "admin-session-ended", "dev-key-generated",
        "settings-changed", "log-settings-changed", "capture-started", "capture-stopped", "audit-read",
        "audit-exported", "query-run", "sign-in", "key-created", "key-revoked",
    }  # fmt: skip
    assert documented <= protected()
    refused = {name for name, entry in catalogue.entries().items() if entry.topic == "authfail"}
    assert refused <= protected()
    assert all(re.fullmatch(r"[a-z-]+", name) for name in protected())
    assert protected() <= catalogue.known_types(), "each is a type that somebody documented or saw"

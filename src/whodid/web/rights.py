"""Who may ask which route: the one place that decides, by the rule that the route has in the table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from whodid.errors import WhodidError
from whodid.reading.sight import NOTHING, Sight
from whodid.receive.access import SAFE_METHODS, Access, Caller, may_not
from whodid.receive.pane_tokens import Claims

# public: everybody; known: every key and everybody who is signed in; otherwise a scope of the caller.
Rule = Literal["public", "known", "read", "write", "admin", "scim"]


class Right:
    """What a route demands.

    rule     who may ask it.
    limited  it keeps to `Caller.sight`: then also readers may ask it, who do not see everything.
    pane     the part of a pane that it is: then also tokens of panes open it.
    """

    __slots__ = ("limited", "pane", "rule")

    def __init__(self, rule: Rule, limited: bool, pane: str | None):
        self.rule = rule
        self.limited = limited
        self.pane = pane


class Doors:
    """Which addresses are open to whom: so that pages show no link or button that would only be refused.

    routes  path and right of what is asked by GET.
    """

    def __init__(self, routes: Iterable[tuple[str, Right]]):
        # A name is found before a parameter in its place, as when it is asked for.
        ordered = sorted(routes, key=lambda route: route[0].count("{"))
        self._rights = [(re.compile(re.sub(r"{\w+}", "[^/]+", path)), right) for path, right in ordered]

    def open_to(self, caller: Caller, address: str) -> bool:
        """Whether a caller may open an address of this server."""
        path = address.partition("?")[0]
        right = next((right for pattern, right in self._rights if pattern.fullmatch(path)), None)
        return right is not None and (right.rule == "public" or _may(caller, right))


def admitted(access: Access, right: Right, scope: Mapping[str, Any], names: list[str]) -> Caller | None:
    """Who asks; None for a stranger at a public route.

    names  the segments of the path.

    Raises
    ------
    WhodidError("unauthorized")
        Nobody knows who asks.
    WhodidError("forbidden")
        It may not, or a page of another site made its browser ask.
    """
    if right.rule == "public":
        return None
    headers = dict(scope["headers"])
    claims = access.pane(headers)
    if claims is not None:
        return _pane_caller(right, claims, names)
    caller = access.caller(scope, headers)
    if not _may(caller, right):
        raise may_not(caller, right.rule, reading=scope["method"] in SAFE_METHODS)
    if caller.session_id is not None and scope["method"] not in SAFE_METHODS:
        access.refuse_forged(headers)
    return caller


def _may(caller: Caller, right: Right) -> bool:
    if right.rule == "known" or right.rule in caller.scopes:
        return True
    return right.rule == "read" and right.limited and caller.limited != NOTHING


def _pane_caller(right: Right, claims: Claims, names: list[str]) -> Caller:
    """The caller that a pane's token stands for: it sees its subject and nothing else."""
    subject = ["users", claims.user] if claims.entity is None else ["entities", *claims.entity]
    if right.pane is None or right.pane not in claims.parts or names[1:-1] != subject:
        raise WhodidError("forbidden", "This pane's token shows something else.", "Ask for what it was made for.")
    sight = Sight(users=(claims.user,) if claims.user else (), entities=(claims.entity,) if claims.entity else ())
    name = claims.viewer or "viewer of a pane"
    return Caller(name, frozenset(), key_id=claims.key_id, user=claims.viewer, limited=sight)

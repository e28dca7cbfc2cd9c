"""What a client is told of the policy: the answer of `GET /v1/policy`.

Clients apply it before they send, the server applies its plan again. So it need not say everything, but must never
make a client keep back what the server would keep: what cannot be said exactly is left to the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec

from whodid.policy.capture import Capture
from whodid.policy.pattern import known_of, means_everything, overlap, protected, reaches_protected
from whodid.policy.plan import Plan

MAX_AGE_S: Final = 5
# A pattern that means protected types too is told as the other known types it means, up to this many.
EXPANDED_MAX: Final = 500


def wire_of(plan: Plan | None, captures: Sequence[Capture] = ()) -> dict[str, Any]:
    """The policy of a subject with this plan, while these captures of it run."""
    off, only, sampling = _types_of(plan)
    for capture in captures:
        off, only, sampling = _opened(off, only, sampling, capture)
    if only is not None:
        only = list(dict.fromkeys([*only, *sorted(protected())]))
    rule = plan.rule if plan is not None else None
    told: dict[str, Any] = {
        "max_age_s": MAX_AGE_S,
        "switched_off": off,
        "only": only,
        "parameters": {
            "left_out": list(rule.left_out) if rule else [],
            "hashed": list(rule.hashed) if rule else [],
            "truncated": dict(rule.truncated) if rule else {},
        },
        "sampling": sampling,
        "flush_interval_ms": rule.flush_interval_ms if rule else None,
        "request_timeout_ms": rule.request_timeout_ms if rule else None,
        "session_idle_ms": rule.session_idle_ms if rule else None,
    }
    if rule is not None and (rule.left_out or rule.truncated):
        told["parameters"]["whole_in"] = sorted(protected())
    return {"version": sha256(msgspec.json.encode(told)).hexdigest()[:16], **told}


Types = tuple[list[str], list[str] | None, dict[str, float]]


def _types_of(plan: Plan | None) -> Types:
    if plan is None:
        return [], None, {}
    only = plan.only
    if any(map(means_everything, plan.off)):
        return [], [], {}
    return _safe(plan.off), only, {one: share for pattern, share in plan.sampling.items() for one in _safe([pattern])}


def _safe(patterns: Iterable[str]) -> list[str]:
    """Patterns that mean no protected type: those that do are told as the other known types they mean, or not."""
    safe: list[str] = []
    for pattern in patterns:
        if not reaches_protected(pattern):
            safe.append(pattern)
        elif len(known := known_of(pattern)) <= EXPANDED_MAX:
            safe += known
    return list(dict.fromkeys(safe))


def _opened(off: list[str], only: list[str] | None, sampling: dict[str, float], capture: Capture) -> Types:
    """The types with what a capture wants: clients do not judge entities and topics, so they send all its types."""
    if not capture.types:
        return [], None, {}
    wanted = capture.types
    return (
        [pattern for pattern in off if not any(overlap(pattern, one) for one in wanted)],
        [*only, *wanted] if only is not None else None,
        {pattern: share for pattern, share in sampling.items() if not any(overlap(pattern, one) for one in wanted)},
    )

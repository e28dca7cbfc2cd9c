"""The price book: what a unit of each metric costs. It is the setting `price_book`, a list of rows:

[{"metric": "memory_gb_h", "unit_price": 0.0045, "currency": "EUR"},
 {"metric": "cpu_h", "unit_price": 0.032, "currency": "EUR"}]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from whodid.errors import WhodidError
from whodid.typed import convert

SETTING: Final = "price_book"
# What can have a price, and its unit.
METRICS: Final = {
    "memory_gb_h": "GB·h",
    "cpu_h": "h",
    "sql_h": "h",
    "pod_memory_gb_h": "GB·h",
    "pod_cpu_h": "h",
    "pod_memory_request_gb_h": "GB·h",
    "pod_cpu_request_h": "h",
    "llm_queries": "queries",
    "prompt_tokens": "tokens",
    "completion_tokens": "tokens",
}
TOLD_CURRENCY: Final = "USD"


class Price(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What one unit of a metric costs."""

    metric: str
    unit_price: float
    currency: str


class PriceBook(NamedTuple):
    """Prices by metric, all in one currency; `currency` is None for an empty book."""

    prices: Mapping[str, float]
    currency: str | None

    def cost_of(self, used: Mapping[str, float]) -> float | None:
        """What a use costs: metrics without a price cost nothing, but see `llm_cost_usd`; None without a book.

        A language model's own estimate (`llm_cost_usd`) counts where the book is in dollars and prices no tokens.
        """
        if self.currency is None:
            return None
        cost = sum(used.get(metric, 0.0) * price for metric, price in self.prices.items())
        tokens = self.prices.keys() & {"llm_queries", "prompt_tokens", "completion_tokens"}
        if not tokens and self.currency == TOLD_CURRENCY:
            cost += used.get("llm_cost_usd", 0.0)
        return cost


def price_book(directory: Any) -> PriceBook:
    """The price book of a directory; an empty one where there is none.

    Raises
    ------
    WhodidError("invalid")
        The setting is no price book; the message says why.
    """
    value = directory.setting(SETTING) if hasattr(directory, "setting") else None
    return checked(value or [])


def checked(value: Any) -> PriceBook:
    """A price book from its rows. Raises WhodidError("invalid")."""
    try:
        rows = convert(value, list[Price])
    except msgspec.ValidationError as error:
        raise _wrong(str(error)) from error
    metrics = [row.metric for row in rows]
    for row in rows:
        if row.metric not in METRICS:
            raise _wrong(f"there is no metric {row.metric[:50]!r}")
        if not 0 <= row.unit_price < 1e12:
            raise _wrong(f"{row.metric} costs {row.unit_price}")
        if not 1 <= len(row.currency) <= 8:
            raise _wrong(f"{row.metric} has the currency {row.currency[:50]!r}")
    if len(set(metrics)) < len(metrics):
        raise _wrong("a metric has two prices")
    currencies = {row.currency for row in rows}
    if len(currencies) > 1:
        raise _wrong(f"prices are in {' and '.join(sorted(currencies))}: costs could not be added up")
    return PriceBook({row.metric: row.unit_price for row in rows}, next(iter(currencies), None))


def _wrong(why: str) -> WhodidError:
    return WhodidError(
        "invalid",
        f"The setting {SETTING} is no price book: {why}.",
        'Rows are {"metric", "unit_price", "currency"}, in one currency; metrics: ' + ", ".join(METRICS) + ".",
    )

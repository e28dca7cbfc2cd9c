"""Queries to API nodes: features in, result out; one feature moves, and what really happened shows what that does."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from whodid.demo.pen import DAY_S, Pen
from whodid.demo.story import DRIFT, OUTCOMES
from whodid.event import Entity

_CALLERS: Final = ("api:crm", "api:webshop", "api:call-centre", "api:planning")
_FAILED_SHARE: Final = 0.008
_CUSTOMERS: Final = 10**7


class Service(NamedTuple):
    """A service: its type of query, endpoint, median latency, and what it is asked and answers."""

    name: str
    type: str
    endpoint: str
    median_ms: float
    share: float
    ask: Callable[[random.Random, bool], tuple[dict[str, Any], dict[str, Any]]]


def query_services(pen: Pen, starts_at: float, count: int, slow: float, drift_from: float) -> None:
    """Write `count` queries on a day that starts at `starts_at`; `drift_from` is when the feature moves."""
    dice = pen.dice
    shares = [service.share for service in SERVICES]
    services = dice.choices(SERVICES, shares, k=count)
    # A new version of the services is out since the middle of the story's drift.
    for service in services:
        at = starts_at + DAY_S * _hour_of_traffic(dice)
        _query(pen, service, at, slow, drifted=at >= drift_from)


def _query(pen: Pen, service: Service, at: float, slow: float, *, drifted: bool) -> None:
    dice = pen.dice
    features, result = service.ask(dice, drifted)
    duration = round(service.median_ms * slow * dice.lognormvariate(0, 0.45), 2)
    failed = dice.random() < _FAILED_SHARE
    caller = _CALLERS[dice.getrandbits(2)]
    node = f"api-{1 + dice.getrandbits(1)}"
    context: dict[str, Any] = {"caller": caller}
    if service.name == DRIFT.service:
        context["customer"] = f"C-{dice.randrange(_CUSTOMERS):07}"
        if dice.random() < OUTCOMES.share:
            _tell_outcome(pen, at, context["customer"], features, drifted=drifted)
    fields: dict[str, Any] = {"status": "failed", "error_message": "Feature is missing", "level": "error"}
    pen.write(
        at,
        service.type,
        topic="apinode-query",
        source="server",
        user=caller,
        function=f"{service.name}/{service.endpoint}",
        duration_ms=duration,
        entity=Entity(type="api-service", id=service.name, name=service.name),
        node=node,
        node_type="api",
        parameters={
            "serviceId": service.name,
            "endpointId": service.endpoint,
            "version": "v4" if drifted else "v3",
            "features": features,
            "result": None if failed else result,
            "timing": {"preProcessing": round(duration * 0.1, 2), "scoring": round(duration * 0.8, 2)},
            "context": context,
        },
        **(fields if failed else {"status": "ok"}),
    )


def _tell_outcome(pen: Pen, asked_at: float, customer: str, features: dict[str, Any], *, drifted: bool) -> None:
    """What became of a customer."""
    likelihood = _leaving(features["tenure_months"], features[DRIFT.feature]) + pen.dice.gauss(0, 0.12)
    left = likelihood + (OUTCOMES.more_leave if drifted else 0.0) > 0.5
    told = {
        "serviceId": DRIFT.service,
        "match": "context.customer",
        "key": customer,
        "outcome": "churn" if left else "stay",
    }
    pen.write(
        asked_at + OUTCOMES.known_after_days * DAY_S,
        "ground-truth",
        level="info",
        topic="apinode-query",
        source="server",
        user=OUTCOMES.told_by,
        entity=Entity(type="api-service", id=DRIFT.service, name=DRIFT.service),
        parameters=told,
    )


def _hour_of_traffic(dice: random.Random) -> float:
    """Fraction of the day (UTC) at which a query comes: more by day, some all night."""
    if dice.random() < 0.25:
        return dice.random()
    return min(0.999, max(0.0, dice.gauss(0.56, 0.13)))


def _churn(dice: random.Random, drifted: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    mean = DRIFT.mean_after if drifted else DRIFT.mean_before
    spend = max(0.0, dice.gauss(mean, DRIFT.deviation))
    tenure = dice.randrange(1, 120)
    probability = min(0.99, max(0.01, _leaving(tenure, spend) + dice.gauss(0, 0.08)))
    features = {
        "tenure_months": tenure,
        DRIFT.feature: round(spend, 2),
        "contract": ("monthly", "yearly", "two years", "monthly")[dice.getrandbits(2)],
        "complaints": int(dice.expovariate(1.4)),
    }
    answer = {"prediction": "churn" if probability > 0.5 else "stay", "probability": round(probability, 4)}
    return features, answer


def _leaving(tenure_months: float, spend: float) -> float:
    """How likely a customer leaves, about."""
    return 0.75 - tenure_months / 190 - spend / 400


def _solubility(dice: random.Random, _: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    weight = dice.gauss(380, 70)
    rings = dice.randrange(1, 6)
    features = {"molecular_weight": round(weight, 1), "rings": rings, "logp": round(dice.gauss(2.8, 1.1), 2)}
    return features, {"prediction": round(-0.9 - weight / 160 + dice.gauss(0, 0.4), 3)}


def _demand(dice: random.Random, _: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    stock = int(dice.expovariate(1 / 220))
    features = {"article": f"A-{dice.randrange(400)}", "stock": stock, "week": dice.randrange(1, 53)}
    return features, {"prediction": round(stock * dice.uniform(0.2, 0.6), 1)}


def _lookup(dice: random.Random, _: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"customer_id": dice.randrange(10_000, 60_000)}, {"rows": 1}


SERVICES: Final = (
    Service(DRIFT.service, "prediction-query", "predict", 18.0, 0.5, _churn),
    Service("solubility", "prediction-query", "predict", 42.0, 0.2, _solubility),
    Service("demand", "prediction-query", "forecast", 27.0, 0.15, _demand),
    Service("customers", "dataset-lookup-query", "lookup", 6.0, 0.15, _lookup),
)

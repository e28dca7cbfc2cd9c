"""How right predictions were, where what really happened is known: accuracy, AUC, errors of numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from scipy import stats

from whodid.analysis.values import Value, numbers_of

# A number with so many values is measured, not classified.
CLASSES_MAX: Final = 20
# Names under which an answer tells its prediction, and how sure it is of it.
PREDICTIONS: Final = ("prediction", "predicted", "label", "class", "value", "score", "result", "output", "y")
PROBABILITIES: Final = ("probability", "proba", "score", "confidence", "probas")


class Quality(NamedTuple):
    """`kind` is classification or regression; what does not fit it is None. `positive` is what AUC is about."""

    kind: str
    pairs: int
    accuracy: float | None = None
    balanced_accuracy: float | None = None
    positive: str | None = None
    auc: float | None = None
    mean_absolute_error: float | None = None
    root_mean_square_error: float | None = None
    r2: float | None = None
    bias: float | None = None
    outcomes: dict[str, dict[str, int]] | None = None


def quality(
    predicted: Sequence[Value], happened: Sequence[Value], scores: Sequence[Value] | None = None
) -> Quality | None:
    """Compare predictions with what happened, pair by pair; None without a pair.

    Numbers with more than `CLASSES_MAX` different outcomes, or with fractions, are compared as numbers; all else as
    classes. `scores` are probabilities, for AUC.
    """
    pairs = [place for place, values in enumerate(zip(predicted, happened, strict=True)) if None not in values]
    if not pairs:
        return None
    told, true = [predicted[place] for place in pairs], [happened[place] for place in pairs]
    numbers, outcomes = numbers_of(told), numbers_of(true)
    if numbers is not None and outcomes is not None and _is_measured([*numbers, *outcomes]):
        return _regression(np.asarray(numbers), np.asarray(outcomes))
    sure = [scores[place] for place in pairs] if scores is not None else None
    return _classification([_class(value) for value in told], [_class(value) for value in true], sure)


def _is_measured(values: Sequence[float]) -> bool:
    return len(set(values)) > CLASSES_MAX or any(value != int(value) for value in values)


def _class(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _regression(told: Any, true: Any) -> Quality:
    errors = told - true
    spread = float(np.sum((true - true.mean()) ** 2))
    return Quality(
        "regression",
        len(errors),
        mean_absolute_error=float(np.mean(np.abs(errors))),
        root_mean_square_error=float(np.sqrt(np.mean(errors**2))),
        r2=1 - float(np.sum(errors**2)) / spread if spread else None,
        bias=float(np.mean(errors)),
    )


def _classification(told: list[str], true: list[str], scores: list[Value] | None) -> Quality:
    right = Counter(one for one, other in zip(true, told, strict=True) if one == other)
    all_true = Counter(true)
    table: dict[str, dict[str, int]] = {}
    for (outcome, prediction), count in sorted(Counter(zip(true, told, strict=True)).items()):
        table.setdefault(outcome, {})[prediction] = count
    positive, auc = _auc(told, true, scores)
    return Quality(
        "classification",
        len(true),
        accuracy=sum(right.values()) / len(true),
        balanced_accuracy=float(np.mean([right[name] / count for name, count in all_true.items()])),
        positive=positive,
        auc=auc,
        outcomes=table,
    )


def _auc(told: list[str], true: list[str], scores: list[Value] | None) -> tuple[str | None, float | None]:
    """The area under the ROC curve for two outcomes: by ranks, so that ties count half (Mann–Whitney).

    A score is that of the outcome that high scores were predicted with.
    """
    numbers = numbers_of(scores) if scores is not None and None not in scores else None
    outcomes = sorted(set(true))
    if numbers is None or len(outcomes) != 2:
        return None, None
    means = {
        name: float(np.mean([score for score, one in zip(numbers, told, strict=True) if one == name] or [-np.inf]))
        for name in outcomes
    }
    positive = max(outcomes, key=lambda name: (means[name], name))
    ranks = stats.rankdata(numbers)
    is_positive = np.array([outcome == positive for outcome in true])
    count, others = int(is_positive.sum()), int((~is_positive).sum())
    auc = (float(ranks[is_positive].sum()) - count * (count + 1) / 2) / (count * others)
    return positive, auc

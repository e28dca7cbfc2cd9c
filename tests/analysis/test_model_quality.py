"""Predictions against what happened."""

from __future__ import annotations

import pytest
from sklearn import metrics

from whodid.analysis.model_quality import quality
from whodid.analysis.values import Value


def test_classes_have_accuracy_and_a_table_of_outcomes() -> None:
    found = quality(["a", "a", "b", "b", "b"], ["a", "b", "b", "b", "a"])
    assert found is not None
    assert (found.kind, found.pairs, found.accuracy) == ("classification", 5, 0.6)
    assert found.balanced_accuracy == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found.outcomes == {"a": {"a": 1, "b": 1}, "b": {"a": 1, "b": 2}}
    assert found.auc is None


def test_the_area_under_the_curve_is_that_of_scikit_learn() -> None:
    true: list[Value] = ["stay", "churn", "stay", "churn", "stay", "churn", "stay"]
    scores: list[Value] = [0.1, 0.9, 0.4, 0.4, 0.35, 0.2, 0.6]
    told: list[Value] = ["churn" if score is not None and float(score) > 0.5 else "stay" for score in scores]
    found = quality(told, true, scores)
    assert found is not None
    assert found.positive == "churn"
    assert found.auc == pytest.approx(metrics.roc_auc_score([one == "churn" for one in true], scores))


def test_measured_numbers_have_errors() -> None:
    told: list[Value] = [1.5, 2.0, 3.5, 5.0]
    true: list[Value] = [1.0, 2.5, 3.0, 4.0]
    found = quality(told, true)
    assert found is not None
    assert found.kind == "regression"
    assert found.mean_absolute_error == pytest.approx(metrics.mean_absolute_error(true, told))
    assert found.root_mean_square_error == pytest.approx(metrics.root_mean_squared_error(true, told))
    assert found.r2 == pytest.approx(metrics.r2_score(true, told))
    assert found.bias == pytest.approx(0.375)
    assert found.accuracy is None


def test_pairs_with_a_gap_do_not_count() -> None:
    found = quality(["a", None, "b"], ["a", "b", None])
    assert found is not None
    assert (found.pairs, found.accuracy) == (1, 1.0)
    assert quality([None], ["a"]) is None


def test_numbers_that_are_classes_are_compared_as_such() -> None:
    found = quality([1, "0", 1.0], ["1", 0, 0])
    assert found is not None
    assert found.kind == "classification"
    assert found.accuracy == pytest.approx(2 / 3)

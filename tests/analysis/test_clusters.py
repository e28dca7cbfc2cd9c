"""Ways of working: who counts, how clearly clusters lie apart, and that the same events give the same clusters."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import silhouette_samples

from whodid.analysis import clusters

ASKED: dict[str, Any] = {"at_least": 20, "clusters": 1, "limit": 20}


def used(*rows: tuple[str, str, int]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(("person", "feature", "uses"), row, strict=True)) for row in rows])


def platform(people: int) -> pa.Table:
    """Half of the people write queries, half look at dashboards; a little of both is done by all."""
    return used(
        *(
            (f"user-{person:03}", feature, 30 + person % 7 if (person % 2 == 0) == (feature == "query") else 3)
            for person in range(people)
            for feature in ("query", "dashboard")
        )
    )


def test_people_count_with_enough_uses_in_order_of_their_names() -> None:
    people = clusters.people_of(used(("bob", "query", 19), ("ann", "view", 5), ("ann", "query", 15)), least=20)
    assert (people.logins, people.features) == (["ann"], ["query", "view"])
    assert people.shares.tolist() == [[0.75, 0.25]]


def test_features_of_few_are_left_out_but_stay_in_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "FEATURES_MAX", 1)
    people = clusters.people_of(used(("ann", "rare", 20), ("ann", "view", 20), ("bob", "view", 40)), least=20)
    assert (people.features, people.shares.tolist()) == (["view"], [[0.5], [1.0]])


def test_nobody_with_enough_uses_is_no_cluster() -> None:
    assert clusters.clusters(used(("ann", "view", 1)), ASKED, None).num_rows == 0


def test_clusters_are_the_same_in_whatever_order_the_rows_come() -> None:
    rows = platform(40)
    shuffled = rows.take(np.random.default_rng(1).permutation(rows.num_rows))
    found = clusters.clusters(rows, ASKED, None).to_pylist()
    assert found == clusters.clusters(shuffled, ASKED, None).to_pylist()
    assert {row["cluster"]: len(json.loads(row["members"])) for row in found} == {"query": 20, "dashboard": 20}


@pytest.mark.parametrize("sizes", [(5, 7), (1, 6, 9), (3, 3, 3, 3)])
def test_silhouettes_are_those_of_scikit_learn(sizes: tuple[int, ...]) -> None:
    points = np.random.default_rng(len(sizes)).random((sum(sizes), 4))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    found = clusters._apart_from_others(clusters._sample(points), labels)
    np.testing.assert_allclose(found, silhouette_samples(points, labels), atol=1e-12)


def test_of_many_people_a_sample_tells_how_clearly_clusters_lie_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    people = clusters.people_of(platform(60), least=20)
    whole = clusters.divide(people, 2)
    monkeypatch.setattr(clusters, "SILHOUETTE_PEOPLE", 20)
    some = clusters.divide(people, 2)
    assert np.isnan(some.apart).sum() == 40 and not np.isnan(whole.apart).any()
    assert np.array_equal(some.labels, whole.labels)
    assert some.tried[2] == pytest.approx(whole.tried[2], abs=0.05)


def test_a_sample_of_one_cluster_alone_is_not_apart() -> None:
    points = np.random.default_rng(3).random((6, 2))
    assert clusters._apart_from_others(clusters._sample(points), np.zeros(6, dtype=np.int64)).tolist() == [0.0] * 6

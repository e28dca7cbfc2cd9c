"""Ways of working: clusters of people by what they use.

A person is the shares of types of use in all that they did, square-rooted (Hellinger), so that someone who does much
and someone who does little of the same are near each other and rare types count neither too much nor nothing. k-means
divides them, with fixed seed and order, so that the same events give the same clusters; the number of clusters is the
one with the highest silhouette.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.cluster import KMeans
from sklearn.metrics import euclidean_distances
from threadpoolctl import ThreadpoolController

from whodid.analysis.compute import cut

CLUSTERS_MAX: Final = 8
FEATURES_MAX: Final = 200
PEOPLE_MAX: Final = 20_000
# So few have no structure to find.
PEOPLE_LEAST: Final = 4
# So many people tell a silhouette to a hundredth; comparing twice as many takes four times as long.
SILHOUETTE_PEOPLE: Final = 1_000
# One person is no way of working.
_SHARE_OF_PEOPLE_LEAST: Final = 0.02
_SEED: Final = 17
# k-means++ begins well: more beginnings end in the same clusters.
_BEGINNINGS: Final = 5
_NAMED: Final = 3
_FEATURES_TOLD: Final = 30
_LIFT: Final = 1.3
_SHARE_LEAST: Final = 0.02

Matrix = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


class People(NamedTuple):
    """`shares[p, f]`: the part of feature `f` in all uses of person `p`; both in order of their names."""

    logins: list[str]
    features: list[str]
    shares: Matrix


class Division(NamedTuple):
    """Which cluster each person is in, how clearly they lie apart, and the silhouette of each number tried.

    `apart` is the silhouette of each person, NaN for those who are not in the sample that is compared.
    """

    labels: Labels
    apart: Matrix
    tried: dict[int, float]


class Sample(NamedTuple):
    """Some people, always the same of the same, and `distances[p, q]` between each two of them."""

    places: Labels
    distances: Matrix


def clusters(rows: pa.Table, asked: dict[str, Any], directory: Any) -> pa.Table:
    """The step of report `user-clusters`: one row a cluster, the largest first."""
    people = people_of(rows, least=asked["at_least"])
    if not people.logins:
        return cut([], asked["limit"])
    # People are few: on a busy machine threads that wait for each other took 4 s, one thread 0.1 s.
    with _thread_pools().limit(limits=1):
        division = divide(people, asked["clusters"])
        return cut(_rows(people, division), asked["limit"])


def people_of(rows: pa.Table, *, least: int) -> People:
    """The people with enough uses, from rows of person, feature and uses."""
    uses = rows.column("uses").to_numpy().astype(np.float64)
    logins, person = _numbered(rows.column("person"))
    totals = np.bincount(person, uses, len(logins))
    kept = np.flatnonzero(totals >= least)[:PEOPLE_MAX]
    is_kept = np.isin(person, kept)
    features, feature = _numbered(rows.column("feature").filter(pa.array(is_kept)))
    # A row is a person and a feature: as many rows as people who use it.
    used_by = np.bincount(feature, minlength=len(features))
    most = np.sort(np.argsort(-used_by, kind="stable")[:FEATURES_MAX])
    is_most = np.isin(feature, most)
    counted = np.zeros((len(kept), len(most)))
    places = np.searchsorted(kept, person[is_kept][is_most]), np.searchsorted(most, feature[is_most])
    counted[places] = uses[is_kept][is_most]
    shares = counted / np.maximum(totals[kept], 1)[:, None]
    return People([logins[place] for place in kept], [features[place] for place in most], shares)


def _numbered(column: pa.ChunkedArray) -> tuple[list[str], Labels]:
    """The different texts in order, and for each row which of them it is."""
    coded = column.combine_chunks().dictionary_encode()
    texts = coded.dictionary.to_pylist()
    order = sorted(range(len(texts)), key=texts.__getitem__)
    place = np.empty(len(texts), dtype=np.int64)
    place[order] = np.arange(len(texts))
    return [texts[one] for one in order], place[coded.indices.to_numpy()]


def divide(people: People, wanted: int) -> Division:
    """Divide people into `wanted` clusters; 1 stands for the number with the highest silhouette."""
    points = np.sqrt(people.shares)
    together = Division(np.zeros(len(points), dtype=np.int64), np.full(len(points), np.nan), {})
    distinct = len(np.unique(points.round(9), axis=0))
    most = min(CLUSTERS_MAX, len(points) - 1, distinct)
    if len(points) < PEOPLE_LEAST or most < 2:
        return together
    sample = _sample(points)
    tried: dict[int, tuple[float, Labels, Matrix]] = {}
    for number in [min(wanted, most)] if wanted > 1 else range(2, most + 1):
        labels = _k_means(points, number)
        sizes = np.bincount(labels)
        if len(sizes) > 1 and (wanted > 1 or sizes.min() >= max(2, _SHARE_OF_PEOPLE_LEAST * len(labels))):
            apart = _apart_from_others(sample, labels)
            tried[number] = (float(np.nanmean(apart)), labels, apart)
    if not tried:
        return together
    best = max(tried, key=lambda number: (round(tried[number][0], 6), -number))
    _, labels, apart = tried[best]
    told = {number: score for number, (score, _, _) in tried.items()}
    return Division(_in_order(labels, people.logins), apart, told)


@cache
def _thread_pools() -> ThreadpoolController:
    """The thread pools of what is imported here; finding them takes as long as a division."""
    return ThreadpoolController()


def _k_means(points: Matrix, number: int) -> Labels:
    means = KMeans(n_clusters=number, n_init=_BEGINNINGS, random_state=_SEED)
    found: Labels = means.fit_predict(points).astype(np.int64)
    return found


def _sample(points: Matrix) -> Sample:
    places = np.arange(len(points))
    if len(points) > SILHOUETTE_PEOPLE:
        places = np.sort(np.random.default_rng(_SEED).choice(places, SILHOUETTE_PEOPLE, replace=False))
    return Sample(places, euclidean_distances(points[places]))


def _apart_from_others(sample: Sample, labels: Labels) -> Matrix:
    """The silhouette of each person, NaN outside the sample: (b - a) / max(a, b), where a is the mean distance to the
    others of its cluster and b that to the nearest other cluster; 0 for one who is alone."""
    own, everybody = labels[sample.places], np.arange(len(sample.places))
    is_in = (own[:, None] == np.unique(own)).astype(np.float64)
    mine = is_in.argmax(axis=1)
    sizes = is_in.sum(axis=0)
    sums = sample.distances @ is_in
    within = sums[everybody, mine] / np.maximum(sizes[mine] - 1, 1)
    means = sums / sizes
    means[everybody, mine] = np.inf if len(sizes) > 1 else within
    nearest = means.min(axis=1)
    longer = np.maximum(within, nearest)
    apart = np.full(len(labels), np.nan)
    differs = (sizes[mine] > 1) & (longer > 0)
    apart[sample.places] = np.divide(nearest - within, longer, out=np.zeros_like(longer), where=differs)
    return apart


def _in_order(labels: Labels, logins: list[str]) -> Labels:
    """Clusters by size, then by their first login: a number means the same at each run."""
    numbers = np.unique(labels)
    members = {number: np.flatnonzero(labels == number) for number in numbers}
    order = sorted(numbers, key=lambda number: (-len(members[number]), logins[members[number][0]]))
    place = {number: place for place, number in enumerate(order)}
    return np.array([place[label] for label in labels], dtype=np.int64)


def _rows(people: People, division: Division) -> list[dict[str, Any]]:
    points = np.sqrt(people.shares)
    numbers = np.unique(division.labels)
    why = _why(people, division)
    rows, names = [], set[str]()
    for number in numbers:
        inside = division.labels == number
        own, others = _mean(people.shares[inside]), _mean(people.shares[~inside])
        more = _apart(people.features, own, others) if len(numbers) > 1 else []
        less = _apart(people.features, others, own) if len(numbers) > 1 else []
        name = _name(more, names, int(number))
        centre = points[inside].mean(axis=0)
        logins = [login for login, is_inside in zip(people.logins, inside, strict=True) if is_inside]
        distances = np.linalg.norm(points[inside] - centre, axis=1).round(9)
        nearest = [logins[place] for place in np.lexsort((np.arange(len(logins)), distances))[:_NAMED]]
        rows.append(
            {
                "cluster": name,
                "people": len(logins),
                "share_percent": 100 * len(logins) / len(people.logins),
                "sets_apart": _told(more),
                "seldom": _told([(feature, there, here) for feature, here, there in less]),
                "typical": ", ".join(nearest),
                "members": json.dumps(logins),
                "features": json.dumps(_features(people.features, own, others)),
                "silhouette": _mean_silhouette(division.apart[inside]),
                "why": why,
            }
        )
    return rows


def _mean_silhouette(apart: Matrix) -> float | None:
    known = apart[~np.isnan(apart)]
    return round(float(known.mean()), 6) if len(known) else None


def _mean(shares: Matrix) -> Matrix:
    found: Matrix = shares.mean(axis=0) if len(shares) else np.zeros(shares.shape[1])
    return found


def _apart(features: list[str], own: Matrix, others: Matrix) -> list[tuple[str, float, float]]:
    """The features of which `own` has most more than `others`: name, share here, share there."""
    found = [
        (feature, float(here), float(there))
        for feature, here, there in zip(features, own, others, strict=True)
        if here >= _SHARE_LEAST and here >= _LIFT * there
    ]
    return sorted(found, key=lambda one: (round(float(np.sqrt(one[2]) - np.sqrt(one[1])), 9), one[0]))[:_NAMED]


def _name(more: list[tuple[str, float, float]], taken: set[str], number: int) -> str:
    name = ", ".join(feature for feature, _, _ in more) or (
        "everyone" if not taken and number == 0 else "no preference"
    )
    if name in taken:
        name = f"{name} ({number + 1})"
    taken.add(name)
    return name


def _told(apart: list[tuple[str, float, float]]) -> str:
    return ", ".join(f"{feature} {100 * here:.1f} % against {100 * there:.1f} %" for feature, here, there in apart)


def _features(features: list[str], own: Matrix, others: Matrix) -> list[dict[str, Any]]:
    shares: list[tuple[str, float, float]] = [
        (feature, round(100 * float(here), 3), round(100 * float(there), 3))
        for feature, here, there in zip(features, own, others, strict=True)
    ]
    most = sorted(shares, key=lambda one: (-one[1], one[0]))[:_FEATURES_TOLD]
    return [{"feature": feature, "share_percent": here, "others_percent": there} for feature, here, there in most]


def _why(people: People, division: Division) -> str:
    counted = f"{len(people.logins)} people by their shares of {len(people.features)} types of use."
    if not division.tried:
        return f"{counted} They are too few, or too much alike, to be divided."
    tried = ", ".join(f"{number}: {score:.3f}" for number, score in sorted(division.tried.items()))
    number = len(np.unique(division.labels))
    if len(division.tried) == 1:
        return f"{counted} {number} clusters were asked for; silhouette {tried}."
    return f"{counted} {number} clusters lie apart best: silhouette by number of clusters {tried}."

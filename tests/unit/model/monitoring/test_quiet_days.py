"""Simulated days: quiet ones raise next to no alert, and a shift is reported on its first day, where it is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from model.monitoring.calibration import calibration
from model.monitoring.drift import SCORE, shifts
from schemas.telemetry import SCORE_EDGES, ModelCounts

PEOPLE, TRAINED_ON, RECORDS, DAYS, DRIFT_PSI = 60_000, 3_000, 2_000, 1_000, 0.2
FLAGS = {14, 15, 16}
RARE = 16
WHOLE = {9, 10, 11, 17}  # counts and levels


class Counted(NamedTuple):
    """A histogram."""

    edges: list[float]
    counts: list[int]

    def bins(self, column: NDArray[np.float64]) -> NDArray[np.int64]:
        """The bin of each value, the last one where it is missing."""
        return np.searchsorted([*self.edges, np.inf], column, side="right")


class Company(NamedTuple):
    """Customers with 20 features of varied shape that depend on each other, and the model's reference."""

    values: NDArray[np.float64]  # (people, 20)
    scores: NDArray[np.float64]  # right ones
    references: dict[str, Counted]
    reference_scores: Sequence[int]

    @property
    def codes(self) -> NDArray[np.int64]:
        """The bin of each value, numbered through over all features; the last column is that of the score."""
        columns, start = [], 0
        for reference, column in zip(self.references.values(), self.values.T, strict=True):
            columns.append(start + reference.bins(column))
            start += len(reference.counts)
        columns.append(start + np.searchsorted(SCORE_EDGES, self.scores, side="right"))
        return np.column_stack(columns)

    def window(self, codes: NDArray[np.int64]) -> ModelCounts:
        """What telemetry tells of records with these `codes`."""
        sizes = [len(reference.counts) for reference in self.references.values()]
        counts = np.bincount(codes.ravel(), minlength=sum(sizes) + len(self.reference_scores))
        *features, scores = np.split(counts, np.cumsum(sizes))
        names = zip(self.references, features, strict=True)
        return ModelCounts(scores.tolist(), {}, {name: some.tolist() for name, some in names})


def counted(edges: Sequence[float], column: NDArray[np.float64]) -> Counted:
    """The histogram of a column."""
    empty = Counted(list(edges), [])
    return empty._replace(counts=np.bincount(empty.bins(column), minlength=len(edges) + 2).tolist())


def features_of(normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shapes such as telecom features have: even, long-tailed, counted, mostly zero, few levels, rare, missing."""
    u = ndtr(normal)
    columns = [
        *normal[:, :3].T,
        *-np.log1p(-u[:, 3:6].T),  # exponential
        *np.exp(1.2 * normal[:, 6:9].T),  # lognormal
        *np.floor(8 * -np.log1p(-u[:, 9:12].T)),  # counts
        *np.where(u[:, 12:14].T < 0.7, 0, normal[:, 12:14].T ** 2),  # mostly zero
        u[:, 14] < 0.5,
        u[:, 15] < 0.1,
        u[:, 16] < 0.01,
        np.ceil(5 * u[:, 17]),
        1000 * u[:, 18],
        np.where(u[:, 19] < 0.15, np.nan, normal[:, 19]),
    ]
    return np.column_stack(columns).astype(float)


@pytest.fixture(scope="module")
def company() -> Company:
    """A company of which the first 3,000 customers were trained on."""
    rng = np.random.default_rng(2026)
    common = rng.normal(size=(PEOPLE, 3)) @ rng.normal(size=(3, 20))
    normal = common + 2 * rng.normal(size=(PEOPLE, 20))
    normal /= normal.std(axis=0)
    values = features_of(normal)
    scores = expit(-2.2 + normal @ rng.normal(scale=0.3, size=20))
    references = {}
    for i, column in enumerate(values[:TRAINED_ON].T):
        distinct = np.unique(column[~np.isnan(column)])
        deciles = np.nanquantile(column, np.linspace(0.1, 0.9, 9), method="inverted_cdf")
        edges = distinct[1:] if len(distinct) <= 10 else np.unique(np.maximum(deciles, distinct[1]))
        references[f"feature {i}"] = counted(edges.tolist(), column)
    return Company(values, scores, references, counted(SCORE_EDGES, scores[:TRAINED_ON]).counts[:-1])


def alerts(company: Company, window: ModelCounts) -> list[str]:
    """The names of what has drifted, as the monitor would ask."""
    found = shifts(company.references, company.reference_scores, window, DRIFT_PSI)
    assert len(found) == 21
    return [shift.name for shift in found if shift.drifted]


@pytest.mark.parametrize("records_of_one", [1, 4])
def test_quiet_days_raise_next_to_no_alert(company: Company, records_of_one: int) -> None:
    """1,000 days of 2,000 records like those trained on, one or four of a customer, raise at most 5 alerts in all."""
    rng = np.random.default_rng(records_of_one)
    codes, raised = company.codes, 0
    for _ in range(DAYS):
        customers = rng.integers(0, PEOPLE, RECORDS // records_of_one)
        raised += len(alerts(company, company.window(codes[customers.repeat(records_of_one)])))
        p = company.scores[customers]
        raised += calibration(p, rng.random(len(p)) < p).off
    assert raised <= 5


@pytest.mark.parametrize("shifted", range(20))
def test_shift_is_reported_at_once_and_where_it_is(company: Company, shifted: int) -> None:
    """One feature moved by 0.7 standard deviations is reported on the first day, and no other one is.

    For a flag that is a larger share; one that is set for a hundredth moves by too little to be worth an alert.
    """
    rng, values = np.random.default_rng(shifted), company.values.copy()
    by = 0.7 * np.nanstd(values[:, shifted])
    if shifted in FLAGS:
        values[:, shifted] = rng.random(PEOPLE) < values[:, shifted].mean() + by
    else:
        values[:, shifted] += np.round(by) if shifted in WHOLE else by
    codes = company._replace(values=values).codes
    for _ in range(5):
        found = alerts(company, company.window(codes[rng.integers(0, PEOPLE, RECORDS)]))
        assert found == ([] if shifted == RARE else [f"feature {shifted}"])


def test_other_customers_are_reported_by_their_scores(company: Company) -> None:
    """When those who are likely to leave call twice as often as others, the scores have drifted."""
    weights = np.where(company.scores > np.quantile(company.scores, 0.7), 4.0, 1.0)
    customers = np.random.default_rng(9).choice(PEOPLE, RECORDS, p=weights / weights.sum())
    assert SCORE in alerts(company, company.window(company.codes[customers]))

"""Explanations: the parts add up to the score, and every change that is named does what it says."""

import math

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from model import vector
from model.decision import BANDS, Decision
from model.explanation import FRACTIONAL, changes, parts
from model.scoring import Question, Scorer
from model.state import CustomerState
from schemas.scores import Score
from tests.unit.model.test_decision import COSTS
from tests.unit.model.test_scoring import SCORER, answer, known
from tests.unit.model.test_state import NOW
from tests.unit.model.test_training import ARTIFACT

CUSTOMERS = st.fixed_dictionaries(
    {
        "tenure": st.floats(0, 120),
        "spend": st.floats(0, 500),
        "complaints": st.integers(0, 3).map(float),
        "age_group": st.integers(0, 5).map(float),
        "status": st.sampled_from([0.0, 1.0]),
    }
)
# The made-up customers rarely leave; with other baselines, every band comes up.
SCORERS = st.floats(-6, 6).map(lambda by: Scorer(msgspec.structs.replace(ARTIFACT, baseline=by), Decision(COSTS)))
unhurried = settings(deadline=None)  # a score takes a while on a machine that does something else
NAMES = [name for _, name in BANDS]


def scored(scorer: Scorer, values: dict[str, float]) -> Score:
    """The score of stated values."""
    (score,) = scorer.answer_given(vector.given(scorer.features, [values]), [Question((0,), "e1")], NOW)
    return score


@unhurried
@given(SCORERS, CUSTOMERS)
def test_baseline_and_parts_add_up_to_the_logit(scorer: Scorer, values: dict[str, float]) -> None:
    """Every feature has its part, the strongest comes first, and together they are the score."""
    score = scored(scorer, values)
    found = parts(scorer, score)
    assert score.probability is not None
    logit = math.log(score.probability / (1 - score.probability))
    assert math.isclose(scorer.artifact.baseline + sum(p.contribution for p in found), logit, abs_tol=1e-6)
    assert {p.feature.name: p.value for p in found} == values
    strengths = [abs(part.contribution) for part in found]
    assert strengths == sorted(strengths, reverse=True)


@unhurried
@given(SCORERS, CUSTOMERS)
def test_every_change_leads_to_its_band(scorer: Scorer, values: dict[str, float]) -> None:
    """A customer with that one feature as needed is in the band next to the customer's own, and no worse ones first."""
    score = scored(scorer, values)
    assert score.band is not None
    found = changes(scorer, score)
    for change in found:
        name = change.feature.name
        assert scored(scorer, values | {name: change.needed}).band == change.band
        assert change.value == values[name]
        assert abs(NAMES.index(change.band) - NAMES.index(score.band)) == 1
    assert [change.band for change in found] == sorted((change.band for change in found), key=NAMES.index)
    assert len({(change.feature.name, change.band) for change in found}) == len(found)


@unhurried
@given(SCORERS, CUSTOMERS)
def test_needed_values_can_be_said(scorer: Scorer, values: dict[str, float]) -> None:
    """They have few digits, are whole where halves are nothing, and are in the feature's range."""
    for change in changes(scorer, scored(scorer, values)):
        assert float(f"{change.needed:.6g}") == change.needed
        assert change.feature.unit in FRACTIONAL or change.needed.is_integer()
        assert change.feature.low <= change.needed <= change.feature.high


@unhurried
@given(SCORERS, CUSTOMERS)
def test_no_nearer_value_is_overlooked(scorer: Scorer, values: dict[str, float]) -> None:
    """Of all whole months in which a curve was fitted none leads to the next band and is nearer than the one named."""
    score = scored(scorer, values)
    assert score.band is not None
    needed = {c.band: c.needed for c in changes(scorer, score) if c.feature.name == "tenure"}
    knots = ARTIFACT.curves[0].knots
    months = [float(month) for month in range(math.ceil(knots[0]), math.floor(knots[-1]) + 1)]
    others = vector.given(scorer.features, [values | {"tenure": month} for month in months])
    for month, other in zip(
        months, scorer.answer_given(others, [Question((0,), "e1")] * len(months), NOW), strict=True
    ):
        assert other.band is not None
        if abs(NAMES.index(other.band) - NAMES.index(score.band)) == 1:
            assert abs(needed[other.band] - values["tenure"]) <= abs(month - values["tenure"])


def test_categories_change_to_each_other() -> None:
    """A line that is not in use is told what its being in use would change, as the number of the category."""
    values = {"tenure": 20.0, "spend": 50.0, "complaints": 0.0, "age_group": 3.0, "status": 1.0}
    contributions = sum(part.contribution for part in parts(SCORER, scored(SCORER, values)))
    barely_medium = math.log(0.2 / 0.8) + 0.1 - contributions
    scorer = Scorer(msgspec.structs.replace(ARTIFACT, baseline=barely_medium), Decision(COSTS))
    found = {change.feature.name: change for change in changes(scorer, scored(scorer, values))}
    assert found["status"].needed == 0.0


def test_nothing_is_explained_without_a_score() -> None:
    """A customer of whom nothing is known has no parts and nothing that would change anything."""
    (unknown,) = answer(CustomerState.new())
    assert parts(SCORER, unknown) == []
    assert changes(SCORER, unknown) == []


def test_parts_have_the_values_of_the_score() -> None:
    """What the store knows of a customer is what is explained."""
    (score,) = answer(known())
    assert {p.feature.name: p.value for p in parts(SCORER, score)} == {
        name: cell.value for name, cell in score.features.items()
    }

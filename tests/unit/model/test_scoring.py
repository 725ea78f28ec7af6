"""Answers: probabilities, reasons, freshness, and why there is none."""

import dataclasses
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np

from model.decision import Decision
from model.features import FEATURES
from model.scoring import MOST_REASONS, Question, Scorer
from model.state import CustomerState
from schemas.cloudevents import to_ms
from schemas.events import (
    Call,
    CallStarted,
    Charge,
    ChargeBilled,
    Complaint,
    ComplaintOpened,
    CustomerRegistered,
    Profile,
)
from schemas.scores import Problem, Score
from tests.unit.model.test_decision import COSTS
from tests.unit.model.test_state import NOW, event, fold, folded
from tests.unit.model.test_training import ARTIFACT

SCORER = Scorer(ARTIFACT, Decision(COSTS))


def answer(*states: CustomerState, problem: Problem | None = None) -> list[Score]:
    """The answers for states as of now."""
    questions = [Question(SCORER.vectorizer.read(state, to_ms(NOW)), "e1", problem) for state in states]
    return SCORER.answer(questions, NOW)


def known() -> CustomerState:
    """A customer with everything that the model reads."""
    return folded(
        event(CustomerRegistered, Profile(age_group=2, status="inactive"), NOW - timedelta(days=700)),
        event(ChargeBilled, Charge(amount=50.0), NOW - timedelta(days=3)),
        event(ComplaintOpened, Complaint(), NOW - timedelta(days=1)),
    )


def test_answer_has_everything() -> None:
    """A scored customer gets a probability, a band, an action, reasons, and every input with its age."""
    (score,) = answer(known())
    assert score.status == "scored"
    assert score.problem is None
    assert score.probability is not None
    assert 0 < score.probability < 1
    assert score.features["spend"] == msgspec.structs.replace(score.features["spend"], value=50.0, age_s=259_200)
    assert 1 <= len(score.reasons) <= MOST_REASONS
    assert score.as_of == NOW
    assert score.flags == []
    complained = next(reason for reason in score.reasons if reason.feature == "complaints")
    assert complained.text == "You complained 1 time in the last 9 months."


def test_baseline_and_contributions_add_up_to_the_logit() -> None:
    """The score is exactly the sum that the reasons are parts of."""
    readings = [SCORER.vectorizer.read(state, to_ms(NOW)) for state in (known(), known())]
    scored = SCORER.evaluate(SCORER.vectorizer.matrix(readings).values)
    logits = np.log(scored.probabilities / (1 - scored.probabilities))
    np.testing.assert_allclose(ARTIFACT.baseline + scored.contributions.sum(axis=1), logits, rtol=0, atol=1e-9)


def test_hopeless_and_certain_customers_are_scored() -> None:
    """A logit far beyond what `exp` can take is a probability of 0 or 1, and no warning."""
    for baseline, expected in ((-1e5, 0.0), (1e5, 1.0)):
        scorer = Scorer(msgspec.structs.replace(ARTIFACT, baseline=baseline), Decision(COSTS))
        reading = scorer.vectorizer.read(known(), to_ms(NOW))
        probability = scorer.evaluate(scorer.vectorizer.matrix([reading]).values).probabilities[0]
        assert abs(probability - expected) < 1e-300


def test_reasons_come_strongest_first() -> None:
    """Reasons are ordered by how far they moved the score."""
    (score,) = answer(known())
    strengths = [abs(reason.contribution) for reason in score.reasons]
    assert strengths == sorted(strengths, reverse=True)


def test_unknown_customer_is_answered() -> None:
    """A customer of whom only calls are known gets an answer that says so, and the others in the batch their scores."""
    unknown, scored = answer(folded(event(CallStarted, Call(), NOW)), known())
    assert scored.status == "scored"
    assert unknown.status == "could-not-compute"
    assert unknown.problem is not None
    assert unknown.problem.code == "unknown-customer"
    assert (unknown.probability, unknown.band, unknown.action, unknown.reasons) == (None, None, None, [])
    assert (unknown.features["tenure"].value, unknown.features["tenure"].freshness) == (None, "missing")


def test_feature_out_of_range_is_answered() -> None:
    """A tenure of two hundred years is not scored."""
    state = folded(event(CustomerRegistered, Profile(), datetime(1970, 1, 1, tzinfo=UTC)))
    question = Question(SCORER.vectorizer.read(state, to_ms(datetime(2170, 1, 1, tzinfo=UTC))), "e1")
    (score,) = SCORER.answer([question], NOW)
    assert score.problem == Problem("feature-out-of-range", "tenure is 2399.97, expected 0 to 600")


def test_problem_of_the_asker_comes_first() -> None:
    """A problem that was found before scoring is the one that is told."""
    problem = Problem("event-in-future", "tomorrow")
    (score,) = answer(known(), problem=problem)
    assert (score.status, score.problem) == ("could-not-compute", problem)


def test_flags_name_what_is_not_fresh() -> None:
    """A defaulted or stale feature whose policy is to flag is named; one whose policy is to score is not."""
    (score,) = answer(folded(event(CustomerRegistered, Profile(age_group=2), NOW)))
    assert score.flags == ["spend", "status"]
    assert score.features["complaints"].freshness == "default"


def test_refused_features_say_why() -> None:
    """A feature that must be fresh gives its own problem when it is stale or missing."""
    features = [dataclasses.replace(f, policy="refuse", default=None) for f in SCORER.features]
    strict = Scorer(ARTIFACT, Decision(COSTS), features)
    stale = folded(
        event(CustomerRegistered, Profile(age_group=2, status="active"), NOW - timedelta(days=700)),
        event(ComplaintOpened, Complaint(), NOW - timedelta(days=1)),
    )
    asked = [Question(strict.vectorizer.read(stale, to_ms(NOW)), "e1")]
    (missing,) = strict.answer(asked, NOW)
    fold(stale, event(ChargeBilled, Charge(amount=1.0), NOW - timedelta(days=200)))
    (old,) = strict.answer([Question(strict.vectorizer.read(stale, to_ms(NOW)), "e1")], NOW)
    assert missing.problem == Problem("feature-missing", "spend is not known for this customer")
    assert old.problem == Problem("feature-stale", "spend is stale")


def test_no_questions_have_no_answers() -> None:
    """An empty batch is fine."""
    assert SCORER.answer([], NOW) == []


def test_every_sentence_can_be_said() -> None:
    """Every feature has a sentence for nothing, one and many, and it is addressed to the customer."""
    for feature in FEATURES:
        for value in (0.0, 1.0, 12.0, 1234.5):
            text = feature.says(value)
            assert text.endswith(".")
            assert text.startswith(("You", "We"))
    by_name = {f.name: f for f in FEATURES}
    assert by_name["complaints"].says(0.0) == "You have not complained in the last 9 months."
    assert by_name["calls"].says(1.0) == "You made 1 call in the last 9 months."
    assert by_name["tenure"].says(38.04) == "You have been with us for 38 months."
    assert by_name["status"].says(0.0) == "Your line is active."

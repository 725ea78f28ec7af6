"""What the HTTP API answers, besides the score itself, which is that of the stream (`schemas.scores.Score`)."""

from typing import Annotated, Any

import msgspec

from schemas.cloudevents import CustomerId, Time
from schemas.scores import Band, FeatureValue, ModelRef, Score


class FieldError(msgspec.Struct, frozen=True):
    """One thing that is wrong with what was sent."""

    field: Annotated[str, msgspec.Meta(description="The parameter, or the place in the body.", examples=["customer"])]
    value: Annotated[Any, msgspec.Meta(description="What was sent there, cut when it is long.", examples=["-1"])]
    expected: str


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error as RFC 9457 has it; `type` is a URN of ours that ends in a word for the kind of problem."""

    type: Annotated[str, msgspec.Meta(examples=["urn:churn:problem:invalid"])]
    title: str
    status: Annotated[int, msgspec.Meta(ge=400, le=599)]
    detail: str
    request_id: str
    errors: list[FieldError] = []


class CustomerFeatures(msgspec.Struct, frozen=True):
    """Everything that is known of a customer, as features; `as_of` is the moment that they are of."""

    customer: CustomerId
    as_of: Time
    features: dict[str, FeatureValue]


class BatchItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to one row of a batch, in the order of the rows: a score, or what is wrong with the row."""

    row: Annotated[int, msgspec.Meta(ge=0)]
    customer: CustomerId | None = None
    score: Score | None = None
    problem: ProblemDetails | None = None


class Part(msgspec.Struct, frozen=True):
    """One feature's part in a score; all parts and the baseline add up to the log-odds."""

    feature: str
    value: float
    contribution: float
    text: str


class Change(msgspec.Struct, frozen=True):
    """What one feature would have to be, all others as they are, for the score to be in another band."""

    feature: str
    value: float
    needed: float
    band: Band
    text: str


class Explanation(msgspec.Struct, frozen=True):
    """A score with every feature's part in it; both lists are empty when it could not be computed."""

    customer: CustomerId
    score: Score
    baseline: Annotated[float, msgspec.Meta(description="Log-odds of the average customer.")]
    parts: list[Part]
    changes: list[Change]


class FeatureCard(msgspec.Struct, frozen=True):
    """One input of the model."""

    name: str
    about: str
    unit: str
    low: float
    high: float


class ModelCard(msgspec.Struct, frozen=True):
    """The model in service: what it is, what it was trained on, how good it was there."""

    model: ModelRef
    trained_at: Time
    data_name: str
    customers: int
    leavers: int
    roc_auc: float
    log_loss: float
    brier: float
    calibration_error: float
    features: list[FeatureCard]


class Health(msgspec.Struct, frozen=True):
    """That a process lives, or may be sent requests; why it may not is a problem."""

    status: str

"""How the whole system does: what the monitor's dashboard shows and `churn status` prints."""

import msgspec

from schemas.alerts import AlertRecord
from schemas.cloudevents import Time


class Interval(msgspec.Struct, frozen=True):
    """An estimate with its 95% confidence interval; null where it cannot be told (one class, too few)."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Hour(msgspec.Struct, frozen=True):
    """What was answered in the hour from `start` on, by status; `requests` over HTTP by status code."""

    start: Time
    counts: dict[str, int]
    requests: dict[str, int]


class Process(msgspec.Struct, frozen=True):
    """A process that told of itself lately."""

    name: str
    kind: str
    last_seen: Time
    models: list[str]
    partitions: int
    lag: int | None


class TopicStatus(msgspec.Struct, frozen=True):
    """How long a topic has been quiet, and for how long it may be."""

    name: str
    newest: Time | None
    quiet_s: float | None
    limit_s: float


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """How good scores turned out, for one version, week and segment ("" is all of them)."""

    version: str
    week: str  # ISO 8601, 2026-W27, of the moment judged; "" is all of them
    segment: str
    pairs: int
    leavers: int
    roc_auc: Interval
    log_loss: Interval
    brier: Interval
    mean_score: float
    churn_rate: Interval
    precision_at_action: Interval  # of those with an action, how many left
    acted: int


class Expected(msgspec.Struct, frozen=True):
    """What the metrics should be if the scores are calibrated, before any outcome is known."""

    version: str
    scored: int
    roc_auc: float | None
    log_loss: float | None
    brier: float | None
    churn_rate: float | None


class CalibrationPoint(msgspec.Struct, frozen=True):
    """Scores of a bin, and how many of its customers left."""

    version: str
    predicted: float
    observed: Interval
    pairs: int


class Shift(msgspec.Struct, frozen=True):
    """A feature (or "score") of the last window against the training data: shares by bin, PSI, p of the test."""

    name: str
    labels: list[str]  # of the bins
    reference: list[float]
    now: list[float]
    records: int
    psi: float
    p_adjusted: float
    drifted: bool


class ModelStatus(msgspec.Struct, frozen=True):
    """A version of the model that answered lately."""

    version: str
    first_seen: Time
    last_seen: Time
    scored: int


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Everything, as of `at`."""

    at: Time
    healthy: bool
    sentence: str  # is it healthy, in words
    open_alerts: list[AlertRecord]
    recent_alerts: list[AlertRecord]  # newest first
    hours: list[Hour]  # oldest first
    processes: list[Process]
    topics: list[TopicStatus]
    lag: int | None
    models: list[ModelStatus]
    measured: list[Measured]
    expected: list[Expected]
    calibration: list[CalibrationPoint]
    shifts: list[Shift]
    freshness: dict[str, dict[str, int]]  # by feature, of the last 24 hours
    latency_p50_s: float | None
    latency_p99_s: float | None
    errors: dict[str, int]  # of the last 24 hours, by class
    problems: dict[str, int]  # could-not-compute of the last 24 hours, by code
    dead_letters: int  # of the last 24 hours
    outcomes: int  # that were joined with a score
    outcomes_without_score: int

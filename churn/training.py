"""Training on a recorded data set: its events through the same fold as the stream's, its outcomes as labels."""

import zlib
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from sklearn.pipeline import Pipeline

from churn.errors import UserError
from model.artifact import Artifact
from model.features import FEATURES
from model.table import Moment, TrainingTable, training_table
from model.training import CannotTrainError, train
from model.vector import Vectorizer
from producers.datasets import Dataset
from schemas.cloudevents import to_ms
from schemas.outcomes import OutcomeObserved


def half(dataset: Dataset) -> set[str]:
    """Half of the customers, always the same: those whose id has an even CRC-32."""
    return {outcome.subject for outcome in dataset.outcomes if zlib.crc32(outcome.subject.encode()) % 2 == 0}


def table_of(dataset: Dataset, customers: Collection[str] | None = None) -> TrainingTable:
    """The training table of all customers, or of `customers`, each as of the moment that its outcome judges."""
    moments = [moment_of(o) for o in dataset.outcomes if customers is None or o.subject in customers]
    return training_table(dataset.events, moments, Vectorizer(FEATURES))


def moment_of(outcome: OutcomeObserved) -> Moment:
    """The moment that an outcome judges: its horizon before it was observed."""
    judged = outcome.time - timedelta(days=outcome.data.horizon_days)
    return Moment(outcome.subject, to_ms(judged), outcome.data.churned)


def train_on(table: TrainingTable, data_name: str) -> tuple[Artifact, Pipeline]:
    """Train the default model; raises `UserError` when the table cannot be trained on."""
    try:
        return train(table, FEATURES, data_name=data_name, trained_at=datetime.now(UTC))
    except CannotTrainError as error:
        raise UserError(f"{data_name}: {error}") from None

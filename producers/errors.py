"""What can go wrong on the way to Kafka, from it, and to the API; messages are one line and say what was expected."""

from schemas.http import ProblemDetails


class ProducersError(Exception):
    """The base of the errors of this package."""


class InvalidEventError(ProducersError):
    """An event that the workers would refuse; it was not sent."""


class BrokerUnavailableError(ProducersError):
    """No Kafka broker answers."""


class DeliveryError(ProducersError):
    """Events that Kafka did not confirm: they may or may not be in the topic."""


class DataFileError(ProducersError):
    """A file of customers that cannot be used."""


class ReplayError(ProducersError):
    """A replay that cannot start."""


class ScoresError(ProducersError):
    """A record of `churn.scores` that cannot be read, or records that are no longer there."""


class PredictionError(ProducersError):
    """There is no prediction; `problem` is what the API says of it, None when it said nothing."""

    def __init__(self, message: str, problem: ProblemDetails | None = None) -> None:
        super().__init__(" ".join(message.split()))
        self.problem = problem


class PredictionsUnavailableError(PredictionError):
    """The API cannot be reached, or cannot answer now: the same call may succeed later."""


class RequestRefusedError(PredictionError):
    """The API does not answer such a request; `problem.errors` has the field, its value and what was expected."""

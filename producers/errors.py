"""What can go wrong on the way to Kafka and from it; every message is one line and says what was expected."""


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

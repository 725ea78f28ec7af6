"""Every route of the API: the table of contents."""

from workers.api.batches import Answering
from workers.api.docs import Docs
from workers.api.explain import Explain
from workers.api.health import HealthChecks
from workers.api.models import Models
from workers.api.oip import OpenInference
from workers.api.predict import Predict
from workers.api.routes import Route


def documented_routes(
    answering: Answering, models: Models, health: HealthChecks, version: str, rows: int
) -> list[Route]:
    """What is in the OpenAPI document; `rows` is the most that a batch may have."""
    return [
        *Predict(answering, rows).routes(),
        *Explain(answering, models).routes(),
        *OpenInference(models, health, version, rows).routes(),
        *health.routes(),
    ]


def all_routes(answering: Answering, models: Models, health: HealthChecks, version: str, rows: int) -> list[Route]:
    """The same, and the document itself."""
    routes = documented_routes(answering, models, health, version, rows)
    return [*routes, *Docs(routes, version).routes()]

"""`/explain` and `/model`: for people as pages, for programs as JSON."""

from model.explanation import changes, parts
from model.scoring import Scorer
from schemas.http import Change, Explanation, FeatureCard, ModelCard, Part
from schemas.scores import ModelRef
from workers.api.batches import Answer, Answering, ByCustomer
from workers.api.messages import JSON, Request, Response, answer
from workers.api.models import Models
from workers.api.pages import explanation_page, model_page, problem_page
from workers.api.predict import AT, CUSTOMER, asked_for
from workers.api.problems import ApiError
from workers.api.routes import Route


class Explain:
    """The handlers."""

    def __init__(self, answering: Answering, models: Models) -> None:
        self._answering, self._models = answering, models

    def routes(self) -> list[Route]:
        """What is answered here."""
        media = (JSON, "text/html")
        return [
            Route("GET", "/explain", self.explain, "explain", "Why: every feature's part, and what would change it",
                  Explanation, parameters=(CUSTOMER, AT), problems=("before-newest-event", "unavailable"), media=media,
                  description="Baseline and parts add up to the log-odds of the score. `changes` says what one feature "
                  "alone would have to be for the score to be in the next band. A browser gets a page with a chart."),
            Route("GET", "/model", self.model, "predict", "The model in service", ModelCard, media=media),
        ]  # fmt: skip

    async def explain(self, request: Request) -> Response:
        """GET /explain."""
        if not request.accepts_html():
            return answer(await self._explanation(request))
        try:
            return explanation_page(await self._explanation(request))
        except ApiError as error:  # a person who mistyped can try again
            return problem_page(error)

    async def _explanation(self, request: Request) -> Explanation:
        customer, at_ms = asked_for(request)
        return explanation(customer, await self._answering.customers.ask(ByCustomer(customer, at_ms, request.id)))

    async def model(self, request: Request) -> Response:
        """GET /model."""
        card = model_card(self._models.scorer)
        return model_page(card) if request.accepts_html() else answer(card)


def explanation(customer: str, given: Answer) -> Explanation:
    """Everything there is to say about an answer."""
    score, scorer = given
    return Explanation(
        customer,
        score,
        scorer.artifact.baseline,
        [Part(p.feature.name, p.value, p.contribution, p.feature.says(p.value)) for p in parts(scorer, score)],
        [Change(c.feature.name, c.value, c.needed, c.band, c.feature.about) for c in changes(scorer, score)],
    )


def model_card(scorer: Scorer) -> ModelCard:
    """What there is to say about the model."""
    manifest = scorer.artifact.manifest
    metrics = manifest.training_metrics
    return ModelCard(
        ModelRef(manifest.name, manifest.version),
        manifest.trained_at,
        manifest.data_name,
        manifest.customers,
        manifest.leavers,
        metrics.roc_auc,
        metrics.log_loss,
        metrics.brier,
        metrics.ece,
        [FeatureCard(f.name, f.about, f.unit, f.low, f.high) for f in scorer.features],
    )

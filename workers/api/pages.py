"""Pages for people, from the templates beside this file; nothing in them is fetched from elsewhere."""

import base64
import hashlib
import re
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

from model.decision import BANDS
from model.features import FEATURES
from schemas.cloudevents import CUSTOMER_ID
from schemas.http import Change, Explanation, ModelCard
from schemas.scores import FeatureValue
from workers.api import words
from workers.api.chart import waterfall
from workers.api.html import environment
from workers.api.messages import HTML, Response
from workers.api.problems import KINDS, ApiError

MOST_CHANGES = 5  # of a band that are seen at once; the others unfold
METRICS = (
    ("roc_auc", "ROC AUC", "how often a customer who left had a higher score than one who stayed; 0.5 is chance"),
    ("calibration_error", "Calibration error", "how far the probabilities are from what happened, on average"),
    ("log_loss", "Log-loss", "surprise at what happened; lower is better"),
    ("brier", "Brier score", "mean square of what the probabilities were off; lower is better"),
)
PERSONAL = {"age", "age_group"}
_BY_NAME = {f.name: f for f in FEATURES}
_ENVIRONMENT = environment("workers.api")
_ENVIRONMENT.globals.update(words=words, bands=BANDS, customer_id=CUSTOMER_ID)


class Input(NamedTuple):
    """A line of the table of features."""

    name: str
    about: str
    value: str
    known: str
    freshness: str
    contribution: str


def explanation_page(explanation: Explanation) -> Response:
    """A customer's score with a waterfall chart; without a score, why there is none."""
    return _page(
        "explain.html",
        customer=explanation.customer,
        score=explanation.score,
        chart=waterfall(explanation) if explanation.parts else None,
        inputs=_inputs(explanation),
        changes=[
            (band, [_change(change) for change in of_band])
            for band, of_band in groupby(explanation.changes, key=lambda change: change.band)
        ],
        most_changes=MOST_CHANGES,
    )


def problem_page(error: ApiError) -> Response:
    """What is wrong with what was asked of `/explain`, and the form to ask again."""
    status, title = KINDS[error.kind]
    asked = any(item.value is not None for item in error.errors) or error.kind != "invalid"
    page = _page("problem.html", customer="", title=title, detail=error.detail, asked=asked)
    return page._replace(status=status, headers=(*page.headers, *error.headers))


def model_page(card: ModelCard) -> Response:
    """The model card."""
    return _page(
        "model.html",
        card=card,
        metrics=[(title, getattr(card, field), about) for field, title, about in METRICS],
        personal=[words.name(f.name) for f in card.features if f.name in PERSONAL],
    )


def docs_page(**values: Any) -> Response:
    """What is documented, which `workers.api.docs` prepares."""
    return _page("docs.html", **values)


def _inputs(explanation: Explanation) -> list[Input]:
    """The features, in the order of the parts; in the model's when there are none."""
    cells = explanation.score.features
    contributions = {part.feature: words.signed(part.contribution) for part in explanation.parts}
    return [_input(name, cells[name], contributions.get(name, "")) for name in contributions or cells]


def _input(name: str, cell: FeatureValue, contribution: str) -> Input:
    feature = _BY_NAME[name]
    return Input(
        words.name(name),
        feature.about if feature.about != words.name(name) else "",
        "" if cell.value is None else words.amount(feature, cell.value),
        "" if cell.age_s is None else words.ago(cell.age_s),
        cell.freshness,
        contribution,
    )


def _change(change: Change) -> str:
    feature = _BY_NAME[change.feature]
    now, needed = words.amount(feature, change.value), words.amount(feature, change.needed)
    return words.sentence(f"{feature.about}: {needed} instead of {now}")


def _page(template: str, **values: Any) -> Response:
    html = _ENVIRONMENT.get_template(template).render(**values)
    return Response(200, html.encode(), HTML, ((b"content-security-policy", _policy(html).encode()),))


@cache
def _hash(style: str) -> str:
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _policy(html: str) -> str:
    """Only the styles that are in the page itself; no scripts, no other sites."""
    styles = " ".join(f"'sha256-{_hash(style)}'" for style in re.findall(r"<style>(.*?)</style>", html, re.DOTALL))
    return (
        f"default-src 'none'; style-src {styles}; img-src data:; base-uri 'none'; frame-ancestors 'none'; "
        "form-action 'self'"
    )

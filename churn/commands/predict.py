"""`churn predict`: ask the API, as the call center's system does."""

from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from churn.errors import UserError
from churn.letters import safe
from churn.parameters import Moment
from churn.settings import Settings
from churn.tables import feature_table
from producers.errors import PredictionError, PredictionsUnavailableError, RequestRefusedError
from producers.predictions import ChurnPredictions
from schemas.cloudevents import from_ms
from schemas.errors import InvalidRecordError, decoded
from schemas.http import Explanation
from schemas.scores import Score

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_KEY_PROBLEMS = {401, 403}


@click.command()
@click.argument("customer", required=False)
@click.option("--features", "stated", metavar="JSON", help='In place of CUSTOMER: {"tenure": 1.7, "spend": 1257}.')
@click.option("--at", "at_ms", type=Moment(), help="As of then and not of now; not before the customer's newest event.")
@click.option(
    "--explain", "with_parts", is_flag=True, help="Also every feature's part, and what would change the band."
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as the API gives it.")
def predict(customer: str | None, stated: str | None, at_ms: int | None, with_parts: bool, as_json: bool) -> None:
    """Ask the API how likely CUSTOMER is to leave, and why.

    Or somebody of whom you state the features. The API is the one at CHURN_API_URL, the key for it CHURN_API_KEY.
    A time is ISO 8601, and UTC unless it says otherwise. That a score could not be computed is an answer: exit code 0.
    """
    settings = Settings.load()
    try:
        at = None if at_ms is None else from_ms(at_ms)
    except OverflowError:
        raise click.UsageError("--at is not within the years 1 to 9999") from None
    try:
        with _client(settings) as predictions:
            answer: Score | Explanation
            if customer is not None and stated is None:
                answer = predictions.explain(customer, at) if with_parts else predictions.predict(customer, at)
            elif customer is None and stated is not None and at is None and not with_parts:
                answer = predictions.predict_features(_features(stated))
            else:
                raise click.UsageError("expected CUSTOMER, with --at or --explain if need be; or --features")
    except PredictionError as error:
        raise UserError(safe(_told(error))) from None
    if as_json:
        click.echo(msgspec.json.encode(answer))
        return
    score = answer.score if isinstance(answer, Explanation) else answer
    _show(score, "stated features" if customer is None else f"customer {customer}")
    if isinstance(answer, Explanation):
        _show_parts(answer)


def _client(settings: Settings) -> ChurnPredictions:
    try:
        return ChurnPredictions(settings.api_url, settings.api_key or None)
    except RequestRefusedError as error:
        raise UserError(f"CHURN_API_URL, CHURN_API_KEY: {error}") from None


def _features(text: str) -> dict[str, Any]:
    try:
        return decoded(_decode, text.encode("utf-8", "surrogateescape"))
    except InvalidRecordError as error:
        raise UserError(f'--features: {error}; expected for instance {{"tenure": 1.7, "spend": 1257}}') from None


def _told(error: PredictionError) -> str:
    """The error, with the setting that may mend it."""
    if isinstance(error, PredictionsUnavailableError) and error.problem is None:
        return f"CHURN_API_URL: {error}; if no API runs, start it with `churn api`"
    return f"CHURN_API_KEY: {error}" if error.problem and error.problem.status in _KEY_PROBLEMS else str(error)


def _show(score: Score, who: str) -> None:
    click.echo(f"{who} as of {score.as_of:%F %T} UTC, by model {safe(score.model.version)}")
    if score.probability is None:
        problem = score.problem
        click.echo(
            f"could not be computed: {safe(f'{problem.code}: {problem.detail}') if problem else 'no reason given'}"
        )
    else:
        click.echo(f"leaves {score.probability:.1%}   band {score.band}   action {score.action}")
    for reason in score.reasons:
        click.echo(f"  {reason.contribution:+.1f}  {safe(reason.text)}")
    if score.flags:
        click.echo(f"to be wary of: {safe(', '.join(score.flags))}")
    Console().print(feature_table(score.features))


def _show_parts(explanation: Explanation) -> None:
    table = Table(
        "feature", "value", "part", "in words", title=f"log-odds: baseline {explanation.baseline:+.2f} and parts"
    )
    for part in explanation.parts:
        table.add_row(part.feature, f"{part.value:,g}", f"{part.contribution:+.2f}", safe(part.text))
    Console().print(table)
    for change in explanation.changes:
        click.echo(f"{change.band} if {change.feature} were {change.needed:,.4g} and not {change.value:,.4g}")
